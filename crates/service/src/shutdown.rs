//! The request to stop, and the time that is left from then on.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Shared by whoever hears of the request and the loop that obeys it.
#[derive(Debug)]
pub struct Shutdown {
    timeout: Duration,
    since: OnceLock<Instant>,
}

impl Shutdown {
    /// Nothing is requested yet.
    #[must_use]
    pub fn new(timeout: Duration) -> Self {
        Self { timeout, since: OnceLock::new() }
    }

    /// Asks to stop; the time runs from the first call.
    pub fn request(&self) {
        self.since.get_or_init(Instant::now);
    }

    /// Whether to stop.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.since.get().is_some()
    }

    /// How long the stop may still take. A loop that ends by itself asks to stop with this: its time runs from here.
    #[must_use]
    pub fn time_left(&self) -> Duration {
        self.timeout.saturating_sub(self.since.get_or_init(Instant::now).elapsed())
    }
}

/// Drops `client` on a thread of its own and waits for it a moment.
///
/// librdkafka ends its threads when a client is dropped, which has no deadline: with a broker that does not answer it may
/// never return. The process ends soon anyway, so past the moment nobody waits.
pub fn release<T: Send + 'static>(client: T) {
    let (done, is_done) = std::sync::mpsc::channel::<()>();
    let dropped = std::thread::Builder::new().spawn(move || {
        drop(client);
        drop(done);
    });
    // Without a thread the client was dropped with the closure.
    if dropped.is_ok() {
        is_done.recv_timeout(RELEASE).ok();
    }
}

const RELEASE: Duration = Duration::from_millis(300);
