//! Liveness and readiness, as reported by the loop and as seen from how long ago it last reported.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
/// A loop that has not ticked for this long is not ready. It never waits this long on purpose.
const NOT_READY_AFTER: Duration = Duration::from_secs(5);

/// The state that the loop last reported. Shared by the loop and the HTTP listener.
///
/// *Live* means that a restart would not help, because the loop still makes progress. Whether the broker is reachable does not matter
/// here. *Ready* means that the service does its work: it delivers messages, or is a member of its group.
#[derive(Debug)]
pub struct Health {
    start: Instant,
    /// How long the loop may go without a tick before only a restart can help.
    stall_limit: Duration,
    /// Milliseconds between `start` and the last tick.
    ticked_ms: AtomicU64,
    is_stopping: AtomicBool,
    not_ready: Mutex<Option<String>>,
    not_alive: Mutex<Option<&'static str>>,
}

impl Health {
    /// The state of a service that has just started: live, but not ready. `stall_limit` is how long its loop may go without a tick
    /// before only a restart can help.
    #[must_use]
    pub fn new(stall_limit: Duration) -> Arc<Self> {
        Arc::new(Self {
            start: Instant::now(),
            stall_limit,
            ticked_ms: AtomicU64::new(0),
            is_stopping: AtomicBool::new(false),
            not_ready: Mutex::new(Some("starting".to_owned())),
            not_alive: Mutex::new(None),
        })
    }

    /// How long the loop may go without a tick before only a restart can help.
    #[must_use]
    pub fn stall_limit(&self) -> Duration {
        self.stall_limit
    }

    /// Reports progress. The loop calls this at least every two seconds unless it is blocked.
    pub fn tick(&self) {
        let ticked = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.ticked_ms.store(ticked, Ordering::Relaxed);
    }

    /// Sets the reason why the service is not ready, or `None` if it is ready.
    pub fn set_not_ready(&self, reason: Option<&str>) {
        *self.not_ready.lock() = reason.map(str::to_owned);
    }

    /// Sets the reason why only a restart can help although the loop makes progress, or `None` if there is no such reason.
    pub fn set_not_alive(&self, reason: Option<&'static str>) {
        *self.not_alive.lock() = reason;
    }

    /// Marks the service as stopping. It is not ready from now on, and is reported live because the shutdown has its own deadline.
    pub fn stop(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    fn stalled_for(&self) -> Duration {
        self.start.elapsed().saturating_sub(Duration::from_millis(self.ticked_ms.load(Ordering::Relaxed)))
    }

    /// Answers `/livez`.
    ///
    /// # Errors
    /// The reason why only a restart can help.
    pub fn live(&self) -> Result<(), String> {
        let stalled_for = self.stalled_for();
        if self.is_stopping.load(Ordering::Relaxed) {
            return Ok(());
        }
        if stalled_for > self.stall_limit {
            return Err(stalled(stalled_for));
        }
        self.not_alive.lock().map_or(Ok(()), |reason| Err(reason.to_owned()))
    }

    /// Answers `/readyz`.
    ///
    /// # Errors
    /// The reason why the service does not do its work.
    pub fn ready(&self) -> Result<(), String> {
        if self.is_stopping.load(Ordering::Relaxed) {
            return Err("stopping".to_owned());
        }
        let stalled_for = self.stalled_for();
        if stalled_for > NOT_READY_AFTER.min(self.stall_limit) {
            return Err(stalled(stalled_for));
        }
        let reason = self.not_ready.lock().clone();
        reason.or(self.not_alive.lock().map(str::to_owned)).map_or(Ok(()), Err)
    }
}

fn stalled(duration: Duration) -> String {
    format!("the loop has made no progress for {} s", duration.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_live_at_once_and_ready_when_its_loop_reports_it() {
        let health = Health::new(Duration::from_secs(60));
        assert_eq!(health.live(), Ok(()));
        assert_eq!(health.ready(), Err("starting".to_owned()));
        health.set_not_ready(None);
        assert_eq!(health.ready(), Ok(()));
        health.set_not_ready(Some("broker unreachable"));
        assert_eq!((health.ready(), health.live()), (Err("broker unreachable".to_owned()), Ok(())));
    }

    #[test]
    fn a_loop_without_progress_is_neither_ready_nor_live_until_it_ticks_again() {
        let health = Health::new(Duration::ZERO);
        health.set_not_ready(None);
        while health.stalled_for().is_zero() {
            std::hint::spin_loop();
        }
        assert!(health.live().is_err() && health.ready().is_err());
        let health = Health::new(Duration::from_secs(60));
        health.set_not_ready(None);
        health.tick();
        assert!(health.live().is_ok() && health.ready().is_ok());
    }

    #[test]
    fn a_stopping_service_is_not_ready_but_live() {
        let health = Health::new(Duration::ZERO);
        health.set_not_ready(None);
        health.stop();
        assert_eq!((health.live(), health.ready()), (Ok(()), Err("stopping".to_owned())));
    }
}
