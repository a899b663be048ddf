//! Decides when to log a state that lasts: at its beginning, then every ten seconds, and once when it is over.

use std::time::{Duration, Instant};

const INTERVAL: Duration = Duration::from_secs(10);

/// One kind of complaint.
#[derive(Debug, Default)]
pub struct Complaint {
    logged_at: Option<Instant>,
    is_open: bool,
}

impl Complaint {
    /// To be called while there is reason to complain. Returns whether to log it now.
    pub fn is_due(&mut self, now: Instant) -> bool {
        let is_due = self.logged_at.is_none_or(|at| now.saturating_duration_since(at) >= INTERVAL);
        if is_due {
            self.logged_at = Some(now);
            self.is_open = true;
        }
        is_due
    }

    /// To be called while there is no reason to complain. Returns whether to log now that it is over.
    pub fn is_over(&mut self) -> bool {
        std::mem::take(&mut self.is_open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_is_logged_every_ten_seconds_and_once_when_it_is_over() {
        let start = Instant::now();
        let mut complaint = Complaint::default();
        assert!(!complaint.is_over(), "there was none");
        assert!(complaint.is_due(start));
        assert!(!complaint.is_due(start + INTERVAL / 2));
        assert!(complaint.is_due(start + INTERVAL));
        assert!(complaint.is_over());
        assert!(!complaint.is_over());
        assert!(!complaint.is_due(start + INTERVAL * 3 / 2), "the last line is less than ten seconds old");
        assert!(!complaint.is_over(), "an end without a beginning is not logged");
        assert!(complaint.is_due(start + INTERVAL * 2));
    }
}
