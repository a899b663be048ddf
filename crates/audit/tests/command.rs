//! The command `audit` as a process: forms of the report, growing files, and input that is not what it should be.

#[path = "command/bad_input.rs"]
mod bad_input;
#[path = "command/follow.rs"]
mod follow;
#[path = "command/formats.rs"]
mod formats;
#[path = "command/lines.rs"]
mod lines;

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

/// Runs the command with `input` as its standard input. Returns the exit code, standard output and standard error.
fn audit(arguments: &[&str], input: &[u8]) -> (Option<i32>, String, String) {
    let mut child = command(arguments).spawn().expect("audit starts");
    // An audit with wrong arguments ends before it reads its input.
    child.stdin.take().expect("a pipe").write_all(input).ok();
    let Output { status, stdout, stderr } = child.wait_with_output().expect("audit ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(!text(&stderr).contains("panicked"), "{}", text(&stderr));
    (status.code(), text(&stdout), text(&stderr))
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_audit"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}
