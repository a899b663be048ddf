//! Decides whether a message gets a line of its own or is left to a summary.

use std::time::{Duration, Instant};

/// Up to this many messages per window get a line each.
const LINES_PER_WINDOW: u64 = 1000;
const WINDOW: Duration = Duration::from_secs(1);

/// How messages are accounted for in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// One line per message up to 1,000 messages per second, one summary per second above.
    Auto,
    /// Always one line per message.
    Each,
    /// Always one summary per second.
    Summary,
}

/// Decides message by message, in windows of one second.
///
/// With [`Detail::Auto`], a window with too many messages is followed by a window that has a summary only, and a calm window is
/// followed by one with single lines. A steady rate is therefore always logged in the same form.
#[derive(Debug)]
pub(crate) struct LinePolicy {
    detail: Detail,
    window_start: Instant,
    count: u64,
    /// Whether the previous window had too many messages for single lines.
    was_busy: bool,
}

impl LinePolicy {
    /// Starts the first window. The expected rate, if known, stands in for a previous window.
    pub(crate) fn new(detail: Detail, expected_per_sec: Option<f64>, now: Instant) -> Self {
        let was_busy = expected_per_sec.is_some_and(|rate| rate > LINES_PER_WINDOW as f64);
        Self { detail, window_start: now, count: 0, was_busy }
    }

    /// Counts a message and returns whether it gets a line of its own.
    pub(crate) fn wants_line(&mut self) -> bool {
        self.count += 1;
        match self.detail {
            Detail::Each => true,
            Detail::Summary => false,
            Detail::Auto => !self.was_busy && self.count <= LINES_PER_WINDOW,
        }
    }

    /// Ends the window and returns its length, unless its second is not over yet.
    pub(crate) fn end_window(&mut self, now: Instant) -> Option<Duration> {
        let length = self.elapsed(now);
        (length >= WINDOW).then(|| {
            // By rate, not by count: the loop may end a window late.
            self.was_busy = self.count as f64 / length.as_secs_f64() > LINES_PER_WINDOW as f64;
            self.window_start = now;
            self.count = 0;
            length
        })
    }

    /// How long the window has lasted.
    pub(crate) fn elapsed(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.window_start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_for(policy: &mut LinePolicy, messages: u64) -> u64 {
        (0..messages).filter(|_| policy.wants_line()).count() as u64
    }

    #[test]
    fn a_busy_second_is_summarised_and_a_calm_one_is_logged_line_by_line() {
        let start = Instant::now();
        let mut policy = LinePolicy::new(Detail::Auto, None, start);
        assert_eq!(lines_for(&mut policy, 5000), LINES_PER_WINDOW);
        assert_eq!(policy.end_window(start + WINDOW / 2), None);
        assert!(policy.end_window(start + WINDOW).is_some());
        assert_eq!(lines_for(&mut policy, 5000), 0, "the previous window was busy");
        policy.end_window(start + WINDOW * 2);
        assert_eq!(lines_for(&mut policy, 10), 0);
        policy.end_window(start + WINDOW * 3);
        assert_eq!(lines_for(&mut policy, 10), 10);
    }

    #[test]
    fn a_rate_known_to_be_high_is_summarised_from_the_first_message() {
        let now = Instant::now();
        assert_eq!(lines_for(&mut LinePolicy::new(Detail::Auto, Some(f64::INFINITY), now), 5000), 0);
        assert_eq!(lines_for(&mut LinePolicy::new(Detail::Auto, Some(1000.0), now), 10), 10);
    }

    #[test]
    fn each_and_summary_ignore_the_rate() {
        let mut each = LinePolicy::new(Detail::Each, Some(f64::INFINITY), Instant::now());
        assert_eq!(lines_for(&mut each, 5000), 5000);
        let mut summary = LinePolicy::new(Detail::Summary, Some(1.0), Instant::now());
        assert_eq!(lines_for(&mut summary, 1), 0);
    }
}
