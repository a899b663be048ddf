//! Whether the service works, as its loop says and as the clock shows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A loop that has not ticked for so long is not ready. Nothing that it waits for on purpose takes as long.
const STALLED_AFTER: Duration = Duration::from_secs(5);

/// What the loop last said of itself. Shared by the loop and by who asks.
///
/// *Alive* means that a restart would not help: the loop goes round. Whether the broker can be reached is none of it.
/// *Ready* means that the service does what it is for.
#[derive(Debug)]
pub struct Health {
    start: Instant,
    /// How long the loop may stand still before only a restart can help.
    stall_limit: Duration,
    /// Milliseconds from `start` to the last tick.
    ticked_ms: AtomicU64,
    is_stopping: AtomicBool,
    not_ready: Mutex<Option<&'static str>>,
    not_alive: Mutex<Option<&'static str>>,
}

impl Health {
    /// A service that has just started: alive, and not ready. `stall_limit` is how long its loop may stand still before
    /// only a restart can help.
    #[must_use]
    pub fn new(stall_limit: Duration) -> Arc<Self> {
        Arc::new(Self {
            start: Instant::now(),
            stall_limit,
            ticked_ms: AtomicU64::new(0),
            is_stopping: AtomicBool::new(false),
            not_ready: Mutex::new(Some("starting")),
            not_alive: Mutex::new(None),
        })
    }

    fn reason<'a>(reason: &'a Mutex<Option<&'static str>>) -> MutexGuard<'a, Option<&'static str>> {
        reason.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long the loop may stand still before only a restart can help.
    #[must_use]
    pub fn stall_limit(&self) -> Duration {
        self.stall_limit
    }

    /// The loop goes round. To be called every two seconds at the latest while it is not held up.
    pub fn tick(&self) {
        let ticked = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.ticked_ms.store(ticked, Ordering::Relaxed);
    }

    /// The loop says why the service is not ready, or with `None` that it is.
    pub fn set_not_ready(&self, reason: Option<&'static str>) {
        *Self::reason(&self.not_ready) = reason;
    }

    /// The loop says why only a restart can help, though it goes round itself, or with `None` that it needs none.
    pub fn set_not_alive(&self, reason: Option<&'static str>) {
        *Self::reason(&self.not_alive) = reason;
    }

    /// From here on the service is not ready, and its shutdown has a deadline of its own.
    pub fn stop(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    fn stalled_for(&self) -> Duration {
        self.start.elapsed().saturating_sub(Duration::from_millis(self.ticked_ms.load(Ordering::Relaxed)))
    }

    /// # Errors
    /// Why only a restart can help.
    pub fn live(&self) -> Result<(), String> {
        let stalled_for = self.stalled_for();
        if self.is_stopping.load(Ordering::Relaxed) {
            return Ok(());
        }
        if stalled_for > self.stall_limit {
            return Err(format!("the loop has stood still for {} s", stalled_for.as_secs()));
        }
        Self::reason(&self.not_alive).map_or(Ok(()), |reason| Err(reason.to_owned()))
    }

    /// # Errors
    /// Why the service does not do what it is for.
    pub fn ready(&self) -> Result<(), String> {
        if self.is_stopping.load(Ordering::Relaxed) {
            return Err("stopping".to_owned());
        }
        let stalled_for = self.stalled_for();
        if stalled_for > STALLED_AFTER.min(self.stall_limit) {
            return Err(format!("the loop has stood still for {} s", stalled_for.as_secs()));
        }
        let reason = Self::reason(&self.not_ready).or(*Self::reason(&self.not_alive));
        reason.map_or(Ok(()), |reason| Err(reason.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_alive_at_once_and_ready_when_its_loop_says_so() {
        let health = Health::new(Duration::from_secs(60));
        assert_eq!(health.live(), Ok(()));
        assert_eq!(health.ready(), Err("starting".to_owned()));
        health.set_not_ready(None);
        assert_eq!(health.ready(), Ok(()));
        health.set_not_ready(Some("broker unreachable"));
        assert_eq!((health.ready(), health.live()), (Err("broker unreachable".to_owned()), Ok(())));
    }

    #[test]
    fn a_loop_that_stands_still_is_neither_ready_nor_alive_until_it_goes_on() {
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
    fn a_service_that_stops_is_not_ready_and_is_left_alone() {
        let health = Health::new(Duration::ZERO);
        health.set_not_ready(None);
        health.stop();
        assert_eq!((health.live(), health.ready()), (Ok(()), Err("stopping".to_owned())));
    }
}
