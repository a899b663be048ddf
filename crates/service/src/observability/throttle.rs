//! Limits a repeated log line to one every ten seconds, with a count of the suppressed ones.

use std::time::{Duration, Instant};

const INTERVAL: Duration = Duration::from_secs(10);

/// Remembers when one kind of line was last logged.
#[derive(Debug, Default)]
pub struct Throttle {
    logged_at: Option<Instant>,
    suppressed: u64,
}

impl Throttle {
    /// Decides whether to log the line now. Returns how often it was suppressed since it was last logged, or `None` if it is to be
    /// suppressed now.
    pub fn admit(&mut self, now: Instant) -> Option<u64> {
        if self.logged_at.is_some_and(|at| now.saturating_duration_since(at) < INTERVAL) {
            self.suppressed += 1;
            return None;
        }
        self.logged_at = Some(now);
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_logged_once_in_ten_seconds_with_a_count_of_the_suppressed_ones() {
        let start = Instant::now();
        let mut throttle = Throttle::default();
        assert_eq!(throttle.admit(start), Some(0));
        assert_eq!(throttle.admit(start + INTERVAL / 2), None);
        assert_eq!(throttle.admit(start + INTERVAL * 2 / 3), None);
        assert_eq!(throttle.admit(start + INTERVAL), Some(2));
        assert_eq!(throttle.admit(start + INTERVAL * 2), Some(0));
    }
}
