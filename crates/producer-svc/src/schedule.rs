//! When the next message is due.

use std::time::{Duration, Instant};

use kafka_config::Rate;

/// A schedule that is later than this restarts from now instead of catching up, so that a returning broker does not receive a burst.
const MAX_LAG: Duration = Duration::from_secs(1);

/// A steady rate. Due times are computed from the start, so that rounding errors do not accumulate.
#[derive(Debug)]
pub(crate) struct Schedule {
    rate: Rate,
    start: Instant,
    sent: u64,
    /// When the next message is due, as of the last [`wait`](Self::wait); `None` at full speed.
    due: Option<Instant>,
}

impl Schedule {
    pub(crate) fn new(rate: Rate, now: Instant) -> Self {
        Self { rate, start: now, sent: 0, due: None }
    }

    /// How long until the next message is due; zero if it is due now. Reads the clock only if a rate is to be kept.
    pub(crate) fn wait(&mut self, now: impl Fn() -> Instant) -> Duration {
        let Rate::PerSec(rate) = self.rate else { return Duration::ZERO };
        let now = now();
        let mut due = self.start + Duration::from_secs_f64(self.sent as f64 / rate);
        if now.saturating_duration_since(due) > MAX_LAG {
            self.start = now;
            self.sent = 0;
            due = now;
        }
        self.due = Some(due);
        due.saturating_duration_since(now)
    }

    /// When the next message is due, as of the last [`wait`](Self::wait); `None` at full speed, where messages are sent whenever there is
    /// room for them.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// To be called when a message was sent.
    pub(crate) fn sent(&mut self) {
        self.sent += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_due_at_the_rate() {
        let start = Instant::now();
        let mut schedule = Schedule::new(Rate::PerSec(4.0), start);
        assert_eq!(schedule.wait(|| start), Duration::ZERO);
        schedule.sent();
        assert_eq!(schedule.wait(|| start), Duration::from_millis(250));
        assert_eq!(schedule.wait(|| start + Duration::from_millis(240)), Duration::from_millis(10));
        assert_eq!(schedule.wait(|| start + Duration::from_millis(260)), Duration::ZERO);
        schedule.sent();
        assert_eq!(
            schedule.wait(|| start + Duration::from_millis(260)),
            Duration::from_millis(240),
            "errors do not accumulate"
        );
    }

    #[test]
    fn a_long_pause_is_not_followed_by_a_burst() {
        let start = Instant::now();
        let mut schedule = Schedule::new(Rate::PerSec(100.0), start);
        let later = start + Duration::from_secs(60);
        assert_eq!(schedule.wait(|| later), Duration::ZERO);
        schedule.sent();
        assert_eq!(schedule.wait(|| later), Duration::from_millis(10));
    }

    #[test]
    fn max_never_waits() {
        let mut schedule = Schedule::new(Rate::Max, Instant::now());
        schedule.sent();
        assert_eq!(schedule.wait(Instant::now), Duration::ZERO);
    }
}
