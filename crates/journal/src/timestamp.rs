//! The time at which a line was written.

use std::fmt;

use chrono::NaiveDateTime;
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
    use super::*;

    #[test]
    fn the_form_that_the_services_write_is_understood() {
        let millis = |text: &str| Timestamp::from_text(text).millis();
        assert_eq!(millis("1970-01-01T00:00:01.002Z"), Some(1002));
        assert_eq!(millis("2026-11-22T10:00:00.123Z"), Some(1_795_341_600_123));
        assert_eq!(millis("1969-12-31T23:59:59.999Z"), Some(-1));
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
