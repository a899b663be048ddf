//! The time at which a line was written.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};
use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize, Serializer};

/// The length of `2026-11-22T10:00:00.123Z`.
const LENGTH: usize = 24;

/// The field `timestamp` of a line: UTC, with milliseconds.
///
/// The text is kept as it was read and interpreted by [`millis`](Self::millis) only, because most readers of lines do not need
/// the time. A time in another form is read as unknown and never makes a line unreadable.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Timestamp(Option<[u8; LENGTH]>);

impl Timestamp {
    /// The timestamp in `text`, which is unknown unless `text` looks like one in a line of the services.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        Self(text.as_bytes().try_into().ok())
    }

    /// Milliseconds since 1970-01-01 UTC, or `None` if the line has no time in the form that the services write.
    #[must_use]
    pub fn millis(&self) -> Option<i64> {
        let text = std::str::from_utf8(self.0.as_ref()?).ok()?;
        let time = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.3fZ").ok()?;
        Some(time.and_utc().timestamp_millis())
    }

    fn text(&self) -> &str {
        self.0.as_ref().and_then(|text| std::str::from_utf8(text).ok()).unwrap_or("unknown")
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text())
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

/// Writes the current time in the form of the field `timestamp`.
///
/// Only the milliseconds differ between most lines, so the rest of the text is kept for as long as the second lasts.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    second: Option<u64>,
    text: String,
}

/// The length of `.123Z`.
const FRACTION_BYTES: usize = 5;

impl Clock {
    /// Returns the time until the seconds, and the milliseconds.
    fn read(&mut self, now: SystemTime) -> (&str, u32) {
        let since_epoch = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        if self.second != Some(since_epoch.as_secs()) {
            self.second = Some(since_epoch.as_secs());
            self.text = DateTime::<Utc>::from(UNIX_EPOCH + since_epoch).to_rfc3339_opts(SecondsFormat::Millis, true);
            self.text.truncate(self.text.len() - FRACTION_BYTES);
        }
        (&self.text, since_epoch.subsec_millis())
    }

    /// Appends the current time to `line`.
    pub(crate) fn write(&mut self, line: &mut Vec<u8>) {
        let (text, millis) = self.read(SystemTime::now());
        line.extend_from_slice(text.as_bytes());
        let digit = |value: u32| b'0' + (value % 10) as u8;
        line.extend_from_slice(&[b'.', digit(millis / 100), digit(millis / 10), digit(millis), b'Z']);
    }
}

struct Visitor;

impl<'de> de::Visitor<'de> for Visitor {
    type Value = Timestamp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time")
    }

    fn visit_str<E>(self, text: &str) -> Result<Timestamp, E> {
        Ok(Timestamp::from_text(text))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Timestamp, E> {
        Ok(Timestamp::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Timestamp, E> {
        Ok(Timestamp::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Timestamp, E> {
        Ok(Timestamp::default())
    }

    fn visit_bool<E>(self, _: bool) -> Result<Timestamp, E> {
        Ok(Timestamp::default())
    }

    fn visit_unit<E>(self) -> Result<Timestamp, E> {
        Ok(Timestamp::default())
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut sequence: A) -> Result<Timestamp, A::Error> {
        while sequence.next_element::<de::IgnoredAny>()?.is_some() {}
        Ok(Timestamp::default())
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Timestamp, A::Error> {
        while map.next_entry::<de::IgnoredAny, de::IgnoredAny>()?.is_some() {}
        Ok(Timestamp::default())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_form_that_the_services_write_is_understood() {
        let millis = |text: &str| Timestamp::from_text(text).millis();
        assert_eq!(millis("1970-01-01T00:00:01.002Z"), Some(1002));
        assert_eq!(millis("2026-11-22T10:00:00.123Z"), Some(1_795_341_600_123));
        assert_eq!(millis("1969-12-31T23:59:59.999Z"), Some(-1));
    }

    #[test]
    fn the_clock_writes_what_chrono_writes_also_when_the_second_changes() {
        let mut clock = Clock::default();
        for millis in [0, 1, 999, 1000, 1_795_341_600_123, 1_795_341_600_999, 1_795_341_601_000, 253_402_300_800_007] {
            let now = UNIX_EPOCH + Duration::from_millis(millis);
            let (text, fraction) = clock.read(now);
            let written = format!("{text}.{fraction:03}Z");
            assert_eq!(written, DateTime::<Utc>::from(now).to_rfc3339_opts(SecondsFormat::Millis, true));
        }
        let mut line = Vec::new();
        clock.write(&mut line);
        let read = Timestamp::from_text(std::str::from_utf8(&line).unwrap()).millis().unwrap();
        assert!(Utc::now().timestamp_millis() - read < 60_000);
    }

    #[test]
    fn a_time_in_another_form_is_unknown_and_the_line_can_be_read() {
        for other in ["", "yesterday", "2026-11-22T10:00:00Z", "2026-13-22T10:00:00.123Z", "2026-11-22T10:00:00.1é"] {
            assert_eq!(Timestamp::from_text(other).millis(), None, "{other}");
        }
        for other in ["null", "12", "-1", "1.5", "true", r#"["a",{"b":1}]"#, r#"{"a":[1]}"#] {
            assert_eq!(serde_json::from_str::<Timestamp>(other).unwrap(), Timestamp::default(), "{other}");
        }
    }
}
