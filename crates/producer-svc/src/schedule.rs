//! When messages are due, and when to look for due messages again.

use std::time::{Duration, Instant};

use kafka_config::Rate;

/// A schedule that is later than this restarts from now instead of catching up, so that a returning broker does not receive a burst.
const MAX_LAG: Duration = Duration::from_secs(1);

/// A steady rate. Due times are computed from the start, so that rounding errors do not accumulate.
#[derive(Debug)]
pub(crate) struct Schedule {
    rate: Rate,
    /// How long to wait at least before messages are sent again. Waking for each message would cost more than sending it.
    pace: Duration,
    start: Instant,
    sent: u64,
}

impl Schedule {
    pub(crate) fn new(rate: Rate, pace: Duration, now: Instant) -> Self {
        Self { rate, pace, start: now, sent: 0 }
    }

    /// How many messages are due. At full speed there always are, and they are due when they are sent.
    pub(crate) fn due(&mut self, now: Instant) -> u64 {
        let Rate::PerSec(rate) = self.rate else { return u64::MAX };
        if now.saturating_duration_since(self.due_at(0, now)) > MAX_LAG {
            self.start = now;
            self.sent = 0;
        }
        let elapsed = now.saturating_duration_since(self.start).as_secs_f64();
        // The first message is due at the start.
        ((elapsed * rate) as u64 + 1).saturating_sub(self.sent)
    }

    /// When the message is due that follows `skipped` others; `now` at full speed.
    pub(crate) fn due_at(&self, skipped: u64, now: Instant) -> Instant {
        let Rate::PerSec(rate) = self.rate else { return now };
        self.start + Duration::from_secs_f64((self.sent + skipped) as f64 / rate)
    }

    /// How long to wait if no message is due.
    pub(crate) fn wait(&self, now: Instant) -> Duration {
        self.due_at(0, now).saturating_duration_since(now).max(self.pace)
    }

    /// To be called when messages were sent.
    pub(crate) fn sent(&mut self, count: u64) {
        self.sent += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_PACE: Duration = Duration::ZERO;

    #[test]
    fn messages_are_due_at_the_rate() {
        let start = Instant::now();
        let mut schedule = Schedule::new(Rate::PerSec(4.0), NO_PACE, start);
        let after = |millis| start + Duration::from_millis(millis);
        assert_eq!(schedule.due(start), 1);
        schedule.sent(1);
        assert_eq!((schedule.due(start), schedule.wait(start)), (0, Duration::from_millis(250)));
        assert_eq!((schedule.due(after(240)), schedule.wait(after(240))), (0, Duration::from_millis(10)));
        assert_eq!(schedule.due(after(260)), 1);
        schedule.sent(1);
        assert_eq!(schedule.wait(after(260)), Duration::from_millis(240), "errors do not accumulate");
    }

    #[test]
    fn messages_that_became_due_together_keep_their_own_times() {
        let start = Instant::now();
        let mut schedule = Schedule::new(Rate::PerSec(10_000.0), Duration::from_micros(500), start);
        schedule.sent(1);
        let now = start + Duration::from_micros(350);
        assert_eq!(schedule.due(now), 3);
        assert_eq!([0, 1, 2].map(|i| schedule.due_at(i, now) - start), [100, 200, 300].map(Duration::from_micros));
        schedule.sent(3);
        assert_eq!(schedule.wait(now), Duration::from_micros(500), "longer than until the next message is due");
    }

    #[test]
    fn a_long_pause_is_not_followed_by_a_burst() {
        let start = Instant::now();
        let mut schedule = Schedule::new(Rate::PerSec(100.0), NO_PACE, start);
        let later = start + Duration::from_secs(60);
        assert_eq!(schedule.due(later), 1);
        schedule.sent(1);
        assert_eq!((schedule.due(later), schedule.wait(later)), (0, Duration::from_millis(10)));
    }

    #[test]
    fn at_full_speed_messages_are_always_due() {
        let start = Instant::now();
        let mut schedule = Schedule::new(Rate::Max, NO_PACE, start);
        schedule.sent(1000);
        let now = start + Duration::from_secs(9);
        assert_eq!((schedule.due(now), schedule.due_at(5, now)), (u64::MAX, now));
    }
}
