//! The life of a service: signals, the thread that works, and the deadline at the end.
//!
//! Nothing here waits for standard output without a deadline: a reader that does not read must not keep a signal from being
//! heard.

use std::future::Future;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use journal::{Entry, Journal, Level, NextOffset, Stopped};
use kafka_config::RuntimeSettings;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use tracing::info;

use crate::failure::Failure;
use crate::health::Health;
use crate::http;
use crate::metrics::Metrics;
use crate::shutdown::Shutdown;

/// How much later than the loop's own deadline the process gives up on it, and how long the last line may take.
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

impl From<Failure> for Ending {
    /// It never began.
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

/// Runs `work` on a thread of its own until it ends, answers who asks for `health` and `metrics`, and writes the line
/// `service stopped`.
///
/// The first SIGTERM or SIGINT, or the end of `stop`, requests the shutdown that `work` was given, unless `work` did so itself
/// because it is done. From then on it has the shutdown timeout; a second later the process says that it could not stop it, and
/// ends. A second signal ends the process at once, with code 128 + signal.
pub fn supervise(
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
            eprintln!("could not start the runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let exit_code = executor.block_on(watch(Arc::clone(journal), runtime, Arc::clone(health), metrics, stop, work));
    // Whatever still blocks is not waited for.
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
    let (terminate, interrupt) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    let (Ok(terminate), Ok(interrupt)) = (terminate, interrupt) else {
        return last_line(journal, failed("could not listen for signals")).await;
    };
    if let Some(address) = runtime.http_addr {
        match TcpListener::bind(address).await {
            Ok(listener) => {
                let address = listener.local_addr().unwrap_or(address);
                spawn_blocking(move || info!(%address, "health endpoints opened"));
                tokio::spawn(http::serve(listener, Arc::clone(&health), Arc::new(metrics)));
            }
            // Nobody would ever be told that it is ready.
            Err(error) => {
                let reason = format!("could not listen on HTTP_ADDR {address}: {error}");
                return last_line(journal, failed(&reason)).await;
            }
        }
    }
    let shutdown_timeout = runtime.shutdown_timeout;
    let mut signals = Signals { terminate, interrupt, heard: 0 };
    let shutdown = Arc::new(Shutdown::new(shutdown_timeout));
    let (done, mut ending) = oneshot::channel();
    let of_work = Arc::clone(&shutdown);
    // A thread, because librdkafka's calls block. Nobody joins it: past the deadline it may never return.
    let spawned = std::thread::Builder::new().name("loop".to_owned()).spawn(move || {
        // The receiver is gone only when the deadline has passed.
        drop(done.send(work(&of_work)));
    });
    if spawned.is_err() {
        return last_line(journal, failed("could not start a thread")).await;
    }

    let requested = tokio::select! {
        ending = &mut ending => Err(told(ending)),
        (name, _) = signals.next() => Ok(Some(name)),
        () = stop => Ok(Some("none")),
        () = shutdown.requested() => Ok(None),
    };
    let stopped = match requested {
        Err(stopped) => stopped,
        Ok(signal) => {
            health.stop();
            shutdown.request();
            if let Some(signal) = signal {
                spawn_blocking(move || info!(signal, "stop requested"));
            }
            let whole = shutdown_timeout + GRACE;
            tokio::select! {
                ending = &mut ending => told(ending),
                () = tokio::time::sleep(whole) => {
                    failed(&format!("the client did not stop within {} ms", whole.as_millis()))
                }
                number = signals.second() => exit_now(128 + number),
            }
        }
    };
    tokio::select! {
        exit_code = last_line(journal, stopped) => exit_code,
        number = signals.second() => exit_now(128 + number),
    }
}

fn failed(reason: &str) -> Stopped {
    Stopped { exit_code: 1, reason: reason.to_owned(), count: None, not_delivered: None, not_committed: Vec::new() }
}

fn told(ending: Result<Ending, oneshot::error::RecvError>) -> Stopped {
    // The sender is dropped without a word only when the thread panicked.
    ending.map_or_else(|_| failed("the loop panicked"), Ending::into_stopped)
}

/// Writes `service stopped`; gives the exit code.
async fn last_line(journal: Arc<Journal>, stopped: Stopped) -> u8 {
    let exit_code = stopped.exit_code;
    let level = if exit_code == 0 { Level::Info } else { Level::Error };
    let entry = Entry::Stopped(stopped);
    let shown = format!("{entry:?}");
    let written = tokio::time::timeout(GRACE, spawn_blocking(move || journal.record(level, &entry))).await;
    match written {
        Ok(Ok(Ok(()))) => exit_code,
        Ok(Ok(Err(error))) => {
            eprintln!("could not write the log: {error}; {shown}");
            exit_code.max(1)
        }
        Ok(Err(_)) | Err(_) => {
            eprintln!("could not write the log in time; {shown}");
            exit_code.max(1)
        }
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    heard: u32,
}

impl Signals {
    async fn next(&mut self) -> (&'static str, i32) {
        let signal = tokio::select! {
            _ = self.terminate.recv() => ("SIGTERM", SignalKind::terminate().as_raw_value()),
            _ = self.interrupt.recv() => ("SIGINT", SignalKind::interrupt().as_raw_value()),
        };
        self.heard += 1;
        signal
    }

    /// The second signal of all, or a later one.
    async fn second(&mut self) -> i32 {
        loop {
            let (_, number) = self.next().await;
            if self.heard > 1 {
                return number;
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a second signal asks to end now, whatever is still running")]
fn exit_now(code: i32) -> ! {
    std::process::exit(code)
}
