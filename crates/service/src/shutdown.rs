//! The request to stop, and the time that is left from then on.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// Shared by whoever hears of the request and the loop that obeys it.
#[derive(Debug)]
pub struct Shutdown {
    timeout: Duration,
    since: OnceLock<Instant>,
    asked: Notify,
}

impl Shutdown {
    /// Nothing is requested yet.
    #[must_use]
    pub fn new(timeout: Duration) -> Self {
        Self { timeout, since: OnceLock::new(), asked: Notify::new() }
    }

    /// Asks to stop; the time runs from the first call. A loop that ends by itself asks, too.
    pub fn request(&self) {
        self.since.get_or_init(Instant::now);
        self.asked.notify_one();
    }

    /// Waits until somebody asks to stop. For one who waits.
    pub(crate) async fn requested(&self) {
        self.asked.notified().await;
    }

    /// Whether to stop.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.since.get().is_some()
    }

    /// How long the stop may still take; all of it until it is requested.
    #[must_use]
    pub fn time_left(&self) -> Duration {
        self.timeout.saturating_sub(self.since.get().map_or(Duration::ZERO, Instant::elapsed))
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
