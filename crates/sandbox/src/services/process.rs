//! A service as a child process.

use std::process::{ExitStatus, Stdio};

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::Command;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::descriptors::close_on_exec;
use super::environment::is_setting;
use crate::arguments::Role;

/// What happens to a service's process.
#[derive(Debug)]
pub(crate) enum Event {
    /// The service wrote a line to its standard output.
    Line { service: String, text: String },
    /// The service has ended, and all its lines were sent before.
    Ended { service: String, status: ExitStatus },
}

/// A running service.
///
/// The tests have a wrapper of their own, `testbed::Process`, which keeps all output and blocks until a condition holds. This
/// one is asynchronous, because the demonstration waits for many services, signals and timers at the same time.
pub(crate) struct ServiceProcess {
    pub(crate) name: String,
    pub(crate) role: Role,
    pid: Pid,
    /// Lines for its standard input, which stays open until this is dropped: the service stops at the end of its input.
    input: UnboundedSender<String>,
}

impl ServiceProcess {
    /// Starts this program again in `role`, with `settings` and no other settings from the sandbox's own environment.
    pub(crate) fn start(
        role: Role,
        name: &str,
        settings: &[(String, String)],
        events: UnboundedSender<Event>,
    ) -> Result<Self> {
        let program = std::env::current_exe().context("could not find this program's file")?;
        let mut command = Command::new(program);
        command.args([role.subcommand(), "--stop-at-end-of-input"]);
        for (variable, _) in std::env::vars_os() {
            if variable.to_str().is_some_and(is_setting) {
                command.env_remove(variable);
            }
        }
        command.envs(settings.iter().cloned());
        command.env("LOG_FORMAT", "json");
        // With a process group of its own a service does not get the terminal's Ctrl-C: the sandbox stops its services in order.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        close_on_exec();
        let mut child = command.spawn().with_context(|| format!("could not start {name}"))?;
        let pid = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed())).context("the child has no process id")?;
        let mut stdin = child.stdin.take().context("the child has no standard input")?;
        let output = child.stdout.take().context("the child has no standard output")?;

        let service = name.to_owned();
        tokio::spawn(async move {
            let mut lines = BufReader::new(output).lines();
            while let Ok(Some(text)) = lines.next_line().await {
                // The receiver is gone only when the demonstration is over.
                drop(events.send(Event::Line { service: service.clone(), text }));
            }
            if let Ok(status) = child.wait().await {
                drop(events.send(Event::Ended { service, status }));
            }
        });
        // A task of its own, because a frozen service does not read its input.
        let (input, mut lines) = unbounded_channel::<String>();
        tokio::spawn(async move {
            while let Some(line) = lines.recv().await {
                // This fails if the service ended a moment ago.
                stdin.write_all(line.as_bytes()).await.ok();
            }
        });
        Ok(Self { name: name.to_owned(), role, pid, input })
    }

    pub(crate) fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Writes a line to the service's standard input.
    pub(crate) fn tell(&self, line: &str) {
        drop(self.input.send(format!("{line}\n")));
    }

    /// Asks the service to stop, with SIGTERM. A frozen one is thawed, because it could not handle the signal.
    pub(crate) fn stop(&self) {
        self.signal(Signal::TERM);
        self.thaw();
    }

    /// Ends the service with SIGKILL.
    pub(crate) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Freezes the service with SIGSTOP.
    pub(crate) fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets a frozen service continue, with SIGCONT.
    pub(crate) fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        // This fails if the service ended a moment ago.
        kill_process(self.pid, signal).ok();
    }

    /// Whether the process is frozen, by the sandbox or by a `kill -STOP` in another terminal. Only Linux tells; elsewhere it is `None`.
    pub(crate) fn is_frozen(&self) -> Option<bool> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).ok()?;
        // The state follows the program's name, which is in parentheses and may hold anything.
        let (_, state) = stat.rsplit_once(") ")?;
        Some(state.starts_with('T'))
    }
}
