//! The request to stop, and the time left to do so.

use std::sync::OnceLock;
use std::thread::Thread;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// A request to stop with a deadline. Shared by the signal handler and the loop.
#[derive(Debug)]
pub struct Shutdown {
    timeout: Duration,
    requested_at: OnceLock<Instant>,
    notify: Notify,
    /// The thread of the loop, which a request wakes.
    thread: OnceLock<Thread>,
}

impl Shutdown {
    /// Not requested yet. `timeout` is how long the stop may take once it is.
    #[must_use]
    pub fn new(timeout: Duration) -> Self {
        Self { timeout, requested_at: OnceLock::new(), notify: Notify::new(), thread: OnceLock::new() }
    }

    /// Requests the stop. The deadline counts from the first call. A loop that ends on its own calls this too.
    pub fn request(&self) {
        self.requested_at.get_or_init(Instant::now);
        self.notify.notify_one();
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    /// From now on, a request wakes the present thread if it is parked. For the thread of the loop.
    pub(crate) fn wake_this_thread(&self) {
        self.thread.get_or_init(std::thread::current);
    }

    /// Waits for the request. Only one task may wait.
    pub(crate) async fn requested(&self) {
        self.notify.notified().await;
    }

    /// Whether the stop was requested.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.requested_at.get().is_some()
    }

    /// How long the stop may still take. The whole timeout as long as it is not requested.
    #[must_use]
    pub fn time_left(&self) -> Duration {
        self.timeout.saturating_sub(self.requested_at.get().map_or(Duration::ZERO, Instant::elapsed))
    }
}

const DROP_TIMEOUT: Duration = Duration::from_millis(300);

/// Drops a librdkafka client on a thread of its own, and waits for at most 300 ms.
///
/// Dropping a client waits for librdkafka's threads without a deadline, and may never return if the broker does not answer. The
/// process is about to end anyway, so after the timeout the drop is abandoned.
pub fn drop_in_background<T: Send + 'static>(client: T) {
    let (sender, dropped) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::Builder::new().spawn(move || {
        drop(client);
        drop(sender);
    });
    // If no thread could be spawned, the client was dropped along with the closure.
    if thread.is_ok() {
        dropped.recv_timeout(DROP_TIMEOUT).ok();
    }
}
