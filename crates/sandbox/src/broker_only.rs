//! The broker alone, for services that are started by hand.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use tokio::signal::unix::{SignalKind, signal};

use crate::GROUP;
use crate::arguments::Role;
use crate::broker::EmbeddedBroker;
use crate::screen::Screen;
use crate::services::environment::{connection, replica};

/// Prints how to start services by hand, and returns the exit code after SIGINT or SIGTERM.
#[expect(clippy::future_not_send, reason = "the runtime has one thread")]
pub(crate) async fn serve(broker: &EmbeddedBroker) -> Result<u8> {
    // The signal handlers are installed first, because a caller may send a signal as soon as it has read the last line below.
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let screen = Screen::default();
    screen.headline(&format!(
        "A Kafka broker listens on {} until Ctrl-C, with topic `{}`.",
        broker.bootstrap_servers(),
        broker.topic
    ));
    screen.print("It is a development stand-in: no authentication, no persistence, 5 MB per partition.\n");
    screen.print("Open more terminals in this directory, and paste these settings into each of them:\n");
    for (variable, value) in connection(broker).iter().chain(&replica(GROUP)) {
        screen.print(&format!("export {variable}={value}"));
    }
    let program = program()?;
    screen.print("\nThen start as many services as you like. They read their settings from these variables:\n");
    screen.print(&format!("{program} {}", Role::Producer.subcommand()));
    screen.print(&format!("{program} {}", Role::Consumer.subcommand()));
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(0)
}

/// This binary as a shell command: relative to the current directory where possible, because that is short.
fn program() -> Result<String> {
    let program = std::env::current_exe().context("could not find this program's file")?;
    let directory = std::env::current_dir().unwrap_or_default();
    Ok(shell_word(&below(&directory, &program)))
}

fn below(directory: &Path, program: &Path) -> PathBuf {
    match program.strip_prefix(directory) {
        // The shell looks up a name without a slash in `PATH`.
        Ok(relative) => {
            if relative.components().count() > 1 {
                relative.into()
            } else {
                Path::new(".").join(relative)
            }
        }
        Err(_) => program.into(),
    }
}

fn shell_word(path: &Path) -> String {
    let path = path.to_string_lossy();
    if path.chars().all(|c| c.is_alphanumeric() || "/._-+".contains(c)) {
        path.into_owned()
    } else {
        format!("'{}'", path.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printed_command_can_be_pasted_into_a_shell() {
        let word = |directory: &str, program: &str| shell_word(&below(Path::new(directory), Path::new(program)));
        assert_eq!(word("/home/me/pair", "/home/me/pair/target/debug/sandbox"), "target/debug/sandbox");
        assert_eq!(word("/usr/bin", "/usr/bin/sandbox"), "./sandbox");
        assert_eq!(word("/tmp", "/usr/bin/sandbox"), "/usr/bin/sandbox");
        assert_eq!(word("/tmp", "/home/it's me/sandbox"), r"'/home/it'\''s me/sandbox'");
    }
}
