//! The life of a service: signals, the thread that works, and the deadline at the end.

use std::future::Future;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use journal::{Entry, Journal, Level, NextOffset, Stopped};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::failure::Failure;

/// How much later than the loop's own deadline the process gives up on it.
const GRACE: Duration = Duration::from_millis(1000);

/// How a loop ended.
#[derive(Debug, Default)]
pub struct Ending {
    /// What went wrong, if anything did.
    pub failure: Option<Failure>,
    /// Messages that were accepted by librdkafka, or processed.
    pub count: u64,
    /// How many messages have no acknowledgement.
    pub not_delivered: u64,
    /// Processed and not committed.
    pub not_committed: Vec<NextOffset>,
}

impl Ending {
    fn into_stopped(self) -> Stopped {
        let Self { failure, count, not_delivered, not_committed } = self;
        let (exit_code, reason) = match failure {
            Some(failure) => (failure.exit_code(), failure.chain()),
            None if not_delivered > 0 => (1, format!("{not_delivered} messages not delivered")),
            None if !not_committed.is_empty() => (1, format!("{} offsets not committed", not_committed.len())),
            None => (0, "done".to_owned()),
        };
        Stopped { exit_code, reason, count, not_committed }
    }
}

/// Runs `work` on a thread of its own until it ends, and writes the line `service stopped`.
///
/// The first SIGTERM or SIGINT, or the end of `stop`, cancels the token that `work` was given. From then on it has
/// `shutdown_timeout`; a second later the process says that it could not stop it, and ends. A second signal ends the
/// process at once, with code 128 + signal.
pub fn supervise(
    journal: &Arc<Journal>,
    shutdown_timeout: Duration,
    stop: impl Future<Output = ()>,
    work: impl FnOnce(CancellationToken) -> Ending + Send + 'static,
) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let stopped = match runtime {
        Ok(runtime) => runtime.block_on(watch(shutdown_timeout, stop, work)),
        Err(error) => failed(format!("could not start the runtime: {error}")),
    };
    let exit_code = stopped.exit_code;
    let level = if exit_code == 0 { Level::Info } else { Level::Error };
    let entry = Entry::Stopped(stopped);
    match journal.record(level, &entry) {
        Ok(()) => ExitCode::from(exit_code),
        Err(error) => {
            eprintln!("could not write the log: {error}; {entry:?}");
            ExitCode::from(exit_code.max(1))
        }
    }
}

fn failed(reason: String) -> Stopped {
    Stopped { exit_code: 1, reason, count: 0, not_committed: Vec::new() }
}

async fn watch(
    shutdown_timeout: Duration,
    stop: impl Future<Output = ()>,
    work: impl FnOnce(CancellationToken) -> Ending + Send + 'static,
) -> Stopped {
    let (terminate, interrupt) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    let (Ok(mut terminate), Ok(mut interrupt)) = (terminate, interrupt) else {
        return failed("could not listen for signals".to_owned());
    };
    let token = CancellationToken::new();
    let (done, mut ending) = oneshot::channel();
    let of_work = token.clone();
    // A thread, because librdkafka's calls block. Nobody joins it: past the deadline it may never return.
    let spawned = std::thread::Builder::new().name("loop".to_owned()).spawn(move || {
        // The receiver is gone only when the deadline has passed.
        drop(done.send(work(of_work)));
    });
    if let Err(error) = spawned {
        return failed(format!("could not start a thread: {error}"));
    }

    tokio::select! {
        ending = &mut ending => return told(ending),
        name = either(&mut terminate, &mut interrupt) => info!(signal = name.0, "stop requested"),
        () = stop => info!("stop requested"),
    }
    token.cancel();
    tokio::select! {
        ending = &mut ending => told(ending),
        () = tokio::time::sleep(shutdown_timeout + GRACE) => {
            failed(format!("the client did not stop within {} ms", (shutdown_timeout + GRACE).as_millis()))
        }
        (_, number) = either(&mut terminate, &mut interrupt) => exit_now(128 + number),
    }
}

fn told(ending: Result<Ending, oneshot::error::RecvError>) -> Stopped {
    // The sender is dropped without a word only when the thread panicked.
    ending.map_or_else(|_| failed("the loop panicked".to_owned()), Ending::into_stopped)
}

async fn either(terminate: &mut Signal, interrupt: &mut Signal) -> (&'static str, i32) {
    tokio::select! {
        _ = terminate.recv() => ("SIGTERM", SignalKind::terminate().as_raw_value()),
        _ = interrupt.recv() => ("SIGINT", SignalKind::interrupt().as_raw_value()),
    }
}

#[expect(clippy::disallowed_methods, reason = "a second signal asks to end now, whatever is still running")]
fn exit_now(code: i32) -> ! {
    std::process::exit(code)
}
