//! One line a message, or one a second: who decides.

use std::time::{Duration, Instant};

use kafka_config::LogMessages;

/// Up to so many messages in a second, each has a line of its own.
const EACH_PER_WINDOW: u64 = 1000;
const WINDOW: Duration = Duration::from_secs(1);

/// A summary is written early when it holds so many ranges, so that a line stays below the 16 KiB at which container
/// runtimes cut.
pub const SUMMARY_RANGES_MAX: usize = 80;

/// Decides message by message, in windows of a second.
///
/// In `auto`, a window that had too many messages for lines is followed by one with a summary only; lines come back
/// after a calm window. So a steady rate has one form.
#[derive(Debug)]
pub struct Detail {
    mode: LogMessages,
    since: Instant,
    count: u64,
    was_busy: bool,
}

impl Detail {
    /// Starts the first window.
    #[must_use]
    pub fn new(mode: LogMessages, now: Instant) -> Self {
        Self { mode, since: now, count: 0, was_busy: false }
    }

    /// Counts a message and tells whether it gets a line of its own.
    pub fn wants_line(&mut self) -> bool {
        self.count += 1;
        match self.mode {
            LogMessages::Each => true,
            LogMessages::Summary => false,
            LogMessages::Auto => !self.was_busy && self.count <= EACH_PER_WINDOW,
        }
    }

    /// Ends the window if its second is over; gives its length then.
    pub fn end_window(&mut self, now: Instant) -> Option<Duration> {
        let length = now.saturating_duration_since(self.since);
        (length >= WINDOW).then(|| {
            // A window that the loop ended late is judged by its rate.
            self.was_busy = self.count as f64 / length.as_secs_f64() > EACH_PER_WINDOW as f64;
            self.since = now;
            self.count = 0;
            length
        })
    }

    /// How long the window has lasted.
    #[must_use]
    pub fn elapsed(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(detail: &mut Detail, messages: u64) -> u64 {
        (0..messages).filter(|_| detail.wants_line()).count() as u64
    }

    #[test]
    fn a_busy_second_is_summed_up_and_a_calm_one_is_told_line_by_line() {
        let start = Instant::now();
        let mut detail = Detail::new(LogMessages::Auto, start);
        assert_eq!(lines_of(&mut detail, 5000), EACH_PER_WINDOW);
        assert_eq!(detail.end_window(start + WINDOW / 2), None);
        assert!(detail.end_window(start + WINDOW).is_some());
        assert_eq!(lines_of(&mut detail, 5000), 0, "the rate is known by now");
        detail.end_window(start + WINDOW * 2);
        assert_eq!(lines_of(&mut detail, 10), 0);
        detail.end_window(start + WINDOW * 3);
        assert_eq!(lines_of(&mut detail, 10), 10);
    }

    #[test]
    fn a_setting_is_obeyed() {
        let mut each = Detail::new(LogMessages::Each, Instant::now());
        assert_eq!(lines_of(&mut each, 5000), 5000);
        let mut summary = Detail::new(LogMessages::Summary, Instant::now());
        assert_eq!(lines_of(&mut summary, 1), 0);
    }
}
