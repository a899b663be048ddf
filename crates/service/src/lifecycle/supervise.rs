//! Supervises the loop of a service: signals, the loop's thread, and the deadline of a stop.
//!
//! Nothing here waits for standard output without a deadline. If the reader of the log is stuck, signals must still be handled.

use std::future::Future;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use journal::{Entry, Journal, Level, NextOffset, Stopped};
use kafka_config::RuntimeSettings;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use tracing::info;

use super::signals::{Signals, exit_by_signal};
use crate::observability::health::Health;
use crate::observability::http;
use crate::observability::metrics::Metrics;
use crate::process::failure::Failure;
use crate::process::shutdown::Shutdown;
use crate::process::stderr::tell;

/// How long after the loop's own deadline the process gives up on it, and how long writing the last line may take.
const GRACE: Duration = Duration::from_millis(1000);

/// How the loop of a service ended.
#[derive(Debug, Default)]
pub struct Ending {
    /// What went wrong, if anything did.
    pub failure: Option<Failure>,
    /// Producer: messages that librdkafka accepted. Consumer: messages that were processed.
    pub count: u64,
    /// Messages without an acknowledgement.
    pub not_delivered: u64,
    /// Offsets that were processed and not committed.
    pub not_committed: Vec<NextOffset>,
}

impl From<Failure> for Ending {
    /// The ending of a loop that failed before it handled a message.
    fn from(failure: Failure) -> Self {
        Self { failure: Some(failure), ..Self::default() }
    }
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
        let not_delivered = Some(not_delivered).filter(|count| *count > 0);
        Stopped { exit_code, reason, count: Some(count), not_delivered, not_committed }
    }
}

/// Runs `work` on a thread of its own until it ends, serves `health` and `metrics` over HTTP meanwhile, and writes the line
/// `service stopped`. Returns the exit code.
///
/// The first SIGTERM or SIGINT, or the end of `stop`, requests the shutdown that `work` was given, unless `work` has requested it
/// itself because it is done. From then on `work` has the shutdown timeout. One second after that, the process reports that `work` did
/// not stop, and ends. A second signal ends the process at once, with exit code 128 + signal number.
pub(crate) fn supervise(
    journal: &Arc<Journal>,
    runtime: &RuntimeSettings,
    health: &Arc<Health>,
    metrics: Metrics,
    stop: impl Future<Output = ()>,
    work: impl FnOnce(&Shutdown) -> Ending + Send + 'static,
) -> ExitCode {
    let executor = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(executor) => executor,
        Err(error) => {
            tell(format_args!("could not start the async runtime: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let exit_code = executor.block_on(watch(Arc::clone(journal), runtime, Arc::clone(health), metrics, stop, work));
    // Does not wait for tasks that are still blocked.
    executor.shutdown_background();
    ExitCode::from(exit_code)
}

async fn watch(
    journal: Arc<Journal>,
    runtime: &RuntimeSettings,
    health: Arc<Health>,
    metrics: Metrics,
    stop: impl Future<Output = ()>,
    work: impl FnOnce(&Shutdown) -> Ending + Send + 'static,
) -> u8 {
    let Ok(mut signals) = Signals::listen() else {
        return write_last_line(journal, stopped_by("could not listen for signals")).await;
    };
    if let Some(address) = runtime.http_addr {
        match http::listen(address) {
            Ok(listener) => {
                let address = listener.local_addr().unwrap_or(address);
                spawn_blocking(move || info!(%address, "health endpoints opened"));
                tokio::spawn(http::serve(listener, Arc::clone(&health), Arc::new(metrics)));
            }
            // Without the listener no orchestrator would ever see the service as ready.
            Err(error) => {
                let reason = format!("could not listen on HTTP_ADDR {address}: {error}");
                return write_last_line(journal, stopped_by(&reason)).await;
            }
        }
    }
    let shutdown = Arc::new(Shutdown::new(runtime.shutdown_timeout));
    let (sender, mut ending) = oneshot::channel();
    let work_shutdown = Arc::clone(&shutdown);
    // A thread of its own, because librdkafka's calls block. It is never joined, because past the deadline it may never return.
    let thread = std::thread::Builder::new().name("loop".to_owned()).spawn(move || {
        work_shutdown.wake_this_thread();
        // The receiver is gone only if the deadline has passed.
        drop(sender.send(work(&work_shutdown)));
    });
    if thread.is_err() {
        return write_last_line(journal, stopped_by("could not start a thread")).await;
    }

    let asked_by = tokio::select! {
        ending = &mut ending => Err(ending),
        (signal, _) = signals.next() => Ok(Some(signal)),
        () = stop => Ok(Some("none")),
        () = shutdown.requested() => Ok(None),
    };
    let stopped = match asked_by {
        Ok(signal) => finish(signal, &shutdown, &health, runtime, &mut ending, &mut signals).await,
        Err(ending) => into_stopped(ending),
    };
    tokio::select! {
        exit_code = write_last_line(journal, stopped) => exit_code,
        number = signals.second() => exit_by_signal(number),
    }
}

/// Requests the shutdown and waits for the loop to end, under the deadline. `signal` is what asked for it, `None` if the loop did.
async fn finish(
    signal: Option<&'static str>,
    shutdown: &Shutdown,
    health: &Health,
    runtime: &RuntimeSettings,
    ending: &mut oneshot::Receiver<Ending>,
    signals: &mut Signals,
) -> Stopped {
    health.stop();
    shutdown.request();
    if let Some(signal) = signal {
        spawn_blocking(move || info!(signal, "stop requested"));
    }
    let deadline = runtime.shutdown_timeout + GRACE;
    tokio::select! {
        ending = ending => into_stopped(ending),
        () = tokio::time::sleep(deadline) => {
            stopped_by(&format!("the client did not stop within {} ms", deadline.as_millis()))
        }
        number = signals.second() => exit_by_signal(number),
    }
}

fn stopped_by(reason: &str) -> Stopped {
    Stopped { exit_code: 1, reason: reason.to_owned(), count: None, not_delivered: None, not_committed: Vec::new() }
}

fn into_stopped(ending: Result<Ending, oneshot::error::RecvError>) -> Stopped {
    // The sender is dropped without sending only if the thread panicked.
    ending.map_or_else(|_| stopped_by("the loop panicked"), Ending::into_stopped)
}

/// Writes `service stopped` and returns the exit code.
async fn write_last_line(journal: Arc<Journal>, stopped: Stopped) -> u8 {
    let exit_code = stopped.exit_code;
    let level = if exit_code == 0 { Level::Info } else { Level::Error };
    let entry = Entry::Stopped(stopped);
    let shown = format!("{entry:?}");
    let written = tokio::time::timeout(GRACE, spawn_blocking(move || journal.record(level, &entry))).await;
    match written {
        Ok(Ok(Ok(()))) => exit_code,
        Ok(Ok(Err(error))) => {
            tell_in_time(format!("could not write the log: {error}; {shown}")).await;
            exit_code.max(1)
        }
        Ok(Err(_)) | Err(_) => {
            tell_in_time(format!("could not write the log in time; {shown}")).await;
            exit_code.max(1)
        }
    }
}

/// Writes to standard error, which may have the same reader as standard output: one that has stopped reading must not keep the process.
async fn tell_in_time(text: String) {
    tokio::time::timeout(GRACE, spawn_blocking(move || tell(text))).await.ok();
}
