//! The time stamp of a message, from one reading of the wall clock.

use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Local};

/// Reads the clock, and returns the time in the two forms that a message needs.
///
/// Formatting a local time costs more than everything else that a message takes. The text changes only once a second, so it is
/// formatted only when the second changes.
#[derive(Debug, Default)]
pub(crate) struct Stamp {
    second: Option<u64>,
    text: String,
}

impl Stamp {
    /// Returns the current time as local `YYYY-MM-DD HH:MM:SS` if that text has changed since the last call, and as milliseconds since
    /// the Unix epoch.
    pub(crate) fn now(&mut self) -> (Option<&str>, i64) {
        let now = SystemTime::now();
        let since_epoch = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let has_changed = self.second != Some(since_epoch.as_secs());
        if has_changed {
            self.second = Some(since_epoch.as_secs());
            self.text = DateTime::<Local>::from(now).format("%Y-%m-%d %H:%M:%S").to_string();
        }
        (has_changed.then_some(&self.text), i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_returned_when_it_changes() {
        let mut stamp = Stamp::default();
        let (text, first) = stamp.now();
        assert_eq!(text.unwrap().len(), "2026-11-22 10:00:00".len());
        let (text, second) = stamp.now();
        assert_eq!(text.is_some(), first / 1000 != second / 1000);
    }
}
