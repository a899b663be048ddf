//! A service as a child process.

use std::process::{ExitStatus, Stdio};

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{ChildStdin, Command};
use tokio::sync::mpsc::UnboundedSender;

use crate::Role;

/// What a child says and how it ends.
#[derive(Debug)]
pub(crate) enum Event {
    /// A line of its standard output.
    Line { name: String, text: String },
    /// It has ended, and all its lines have come.
    Ended { name: String, status: ExitStatus },
}

/// A running service.
pub(crate) struct Child {
    pub(crate) name: String,
    pub(crate) role: Role,
    pid: Pid,
    /// Held open: its end tells the service that the sandbox is gone.
    _input: ChildStdin,
}

impl Child {
    /// Starts this program again in `role`. It gets the variables in `settings` and none of ours that would change them.
    pub(crate) fn start(
        role: Role,
        name: &str,
        settings: &[(&str, String)],
        events: UnboundedSender<Event>,
    ) -> Result<Self> {
        let program = std::env::current_exe().context("could not find this program")?;
        let mut command = Command::new(program);
        command.arg(if role == Role::Producer { "producer" } else { "consumer" });
        for (variable, _) in std::env::vars_os() {
            let variable = variable.to_string_lossy();
            if ["KAFKA_", "PRODUCER_", "CONSUMER_", "LOG_", "SHUTDOWN_"].iter().any(|ours| variable.starts_with(ours)) {
                command.env_remove(&*variable);
            }
        }
        command.envs(settings.iter().map(|(variable, value)| (variable, value)));
        // A process group of its own: Ctrl-C is for the sandbox, which stops its services in order.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("could not start {name}"))?;
        let pid = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed())).context("the child has no process id")?;
        let input = child.stdin.take().context("the child has no input")?;
        let output = child.stdout.take().context("the child has no output")?;

        let of_task = name.to_owned();
        tokio::spawn(async move {
            let mut lines = BufReader::new(output).lines();
            while let Ok(Some(text)) = lines.next_line().await {
                // Nobody listens any more when it is over.
                drop(events.send(Event::Line { name: of_task.clone(), text }));
            }
            if let Ok(status) = child.wait().await {
                drop(events.send(Event::Ended { name: of_task, status }));
            }
        });
        Ok(Self { name: name.to_owned(), role, pid, _input: input })
    }

    pub(crate) fn id(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Asks it to stop.
    pub(crate) fn stop(&self) {
        // It may have ended a moment ago.
        kill_process(self.pid, Signal::TERM).ok();
    }

    /// Ends it.
    pub(crate) fn kill(&self) {
        kill_process(self.pid, Signal::KILL).ok();
    }
}
