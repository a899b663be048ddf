//! SIGTERM and SIGINT: the first asks the service to stop, the second ends it at once.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that ask this process to stop.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    received: u32,
}

impl Signals {
    /// Starts to listen. From now on these signals no longer end the process by themselves.
    pub(crate) fn listen() -> std::io::Result<Self> {
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        Ok(Self { terminate, interrupt, received: 0 })
    }

    /// Waits for a signal; returns its name and number.
    pub(crate) async fn next(&mut self) -> (&'static str, i32) {
        let signal = tokio::select! {
            _ = self.terminate.recv() => ("SIGTERM", SignalKind::terminate().as_raw_value()),
            _ = self.interrupt.recv() => ("SIGINT", SignalKind::interrupt().as_raw_value()),
        };
        self.received += 1;
        signal
    }

    /// Waits for the second signal since the start, or for a later one; returns its number.
    pub(crate) async fn second(&mut self) -> i32 {
        loop {
            let (_, number) = self.next().await;
            if self.received > 1 {
                return number;
            }
        }
    }
}

/// Ends the process with the exit code that shells use for a process ended by signal `number`.
#[expect(clippy::disallowed_methods, reason = "a second signal asks to end now, whatever is still running")]
pub(crate) fn exit_by_signal(number: i32) -> ! {
    std::process::exit(128 + number)
}
