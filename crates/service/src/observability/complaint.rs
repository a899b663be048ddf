//! Decides when to log a state that lasts: at its beginning, then every ten seconds, and once when it is over.

use std::time::{Duration, Instant};

const INTERVAL: Duration = Duration::from_secs(10);

/// One kind of complaint.
#[derive(Debug, Default)]
pub struct Complaint {
    /// Since when there is reason to complain.
    since: Option<Instant>,
    logged_at: Option<Instant>,
    /// Whether it was logged since `since`.
    is_told: bool,
}

impl Complaint {
    /// Notes that there is reason to complain. Returns whether to log it now, which is only asked for if it `may_be_logged`.
    pub fn note(&mut self, now: Instant, may_be_logged: bool) -> bool {
        self.since.get_or_insert(now);
        let is_due = may_be_logged && self.logged_at.is_none_or(|at| now.saturating_duration_since(at) >= INTERVAL);
        if is_due {
            self.logged_at = Some(now);
            self.is_told = true;
        }
        is_due
    }

    /// Notes that there is no reason to complain. Returns for how long there was one, if that was logged and its end is not yet.
    pub fn end(&mut self, now: Instant) -> Option<Duration> {
        let lasted = now.saturating_duration_since(self.since.take()?);
        std::mem::take(&mut self.is_told).then_some(lasted)
    }

    /// Whether there was reason to complain when this was last noted.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.since.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_is_logged_every_ten_seconds_and_once_when_it_is_over() {
        let start = Instant::now();
        let mut complaint = Complaint::default();
        assert_eq!(complaint.end(start), None, "there was none");
        assert!(complaint.note(start, true) && complaint.is_open());
        assert!(!complaint.note(start + INTERVAL / 2, true));
        assert!(complaint.note(start + INTERVAL, true));
        assert_eq!(complaint.end(start + INTERVAL), Some(INTERVAL));
        assert!(complaint.end(start + INTERVAL).is_none() && !complaint.is_open());
        assert!(!complaint.note(start + INTERVAL * 3 / 2, true), "the last line is less than ten seconds old");
        assert_eq!(complaint.end(start + INTERVAL * 3 / 2), None, "an end without a beginning is not logged");
        assert!(complaint.note(start + INTERVAL * 2, true));
    }

    #[test]
    fn what_may_not_be_logged_at_first_is_logged_later_and_its_end_tells_the_whole_time() {
        let start = Instant::now();
        let mut complaint = Complaint::default();
        assert!(!complaint.note(start, false) && complaint.is_open());
        assert!(complaint.note(start + INTERVAL / 5, true));
        assert_eq!(complaint.end(start + INTERVAL / 2), Some(INTERVAL / 2));
    }
}
