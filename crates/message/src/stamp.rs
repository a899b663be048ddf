//! The time stamp of a message, from one reading of the wall clock.

use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Local};

/// Reads the clock once per message, and returns the time in the two forms that a message needs.
///
/// Formatting a local time costs more than everything else that a message takes. The text changes only once a second, so it is
/// kept and formatted again only when the second changes.
#[derive(Debug, Default)]
pub struct Stamp {
    second: Option<u64>,
    text: String,
}

impl Stamp {
    /// Returns the current time as local `YYYY-MM-DD HH:MM:SS` for the value, and as milliseconds since the Unix epoch for the
    /// timestamp of the record.
    pub fn now(&mut self) -> (&str, i64) {
        let now = SystemTime::now();
        let since_epoch = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        if self.second != Some(since_epoch.as_secs()) {
            self.second = Some(since_epoch.as_secs());
            self.text = DateTime::<Local>::from(now).format("%Y-%m-%d %H:%M:%S").to_string();
        }
        (&self.text, i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_milliseconds_are_the_same_second() {
        let mut stamp = Stamp::default();
        let (text, millis) = stamp.now();
        let parsed = chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").unwrap();
        let local = parsed.and_local_timezone(Local).earliest().unwrap();
        assert_eq!(local.timestamp(), millis / 1000);
        assert_eq!(text.len(), "2026-11-22 10:00:00".len());
    }
}
