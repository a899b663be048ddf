//! The wall clock, read once a message.

use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Local};

/// Gives the time of a message in both forms it needs: text for the value, milliseconds for the record.
///
/// Formatting a local time costs more than all the rest of a message, and the text changes once a second: it is kept.
#[derive(Debug, Default)]
pub struct Stamp {
    second: Option<u64>,
    text: String,
}

impl Stamp {
    /// Now: `YYYY-MM-DD HH:MM:SS` in local time, and milliseconds since 1970.
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
    fn both_forms_are_the_same_second() {
        let mut stamp = Stamp::default();
        let (text, millis) = stamp.now();
        let parsed = chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").unwrap();
        let local = parsed.and_local_timezone(Local).earliest().unwrap();
        assert_eq!(local.timestamp(), millis / 1000);
        assert_eq!(text.len(), "2026-11-22 10:00:00".len());
    }
}
