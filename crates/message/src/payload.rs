//! The value of a message: `{"num": 17, "ts": "2026-11-22 10:00:00"}`.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde_json::error::Category;

/// The longest value that is parsed. The values of our producer have about 50 bytes.
pub const PAYLOAD_MAX_BYTES: usize = 64 * 1024;

/// The value of a message. Further fields of the JSON object are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Payload<'a> {
    /// The number of the message in its run, from 0.
    pub num: u64,
    /// The producer's local time when it created the message, `YYYY-MM-DD HH:MM:SS`.
    #[serde(borrow)]
    pub ts: Cow<'a, str>,
}

/// Why a value cannot be decoded as a [`Payload`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bad {
    /// The record has no value (a tombstone).
    Null,
    /// The value is longer than [`PAYLOAD_MAX_BYTES`].
    TooLarge,
    /// The value is not valid UTF-8.
    InvalidUtf8,
    /// The value is UTF-8, but not JSON. This includes the empty value.
    NotJson,
    /// The value is JSON, but not an object with exactly one unsigned integer `num` and exactly one string `ts`.
    WrongType,
}

impl Bad {
    /// All kinds.
    pub const ALL: [Self; 5] = [Self::Null, Self::TooLarge, Self::InvalidUtf8, Self::NotJson, Self::WrongType];

    /// Returns the name of this kind in logs and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::TooLarge => "too_large",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::NotJson => "not_json",
            Self::WrongType => "wrong_type",
        }
    }
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl<'a> Payload<'a> {
    /// Decodes the value of a message; `None` is a record without a value.
    ///
    /// # Errors
    /// Returns what is wrong with the value. To show the value itself, escape it with [`crate::excerpt()`].
    pub fn decode(value: Option<&'a [u8]>) -> Result<Self, Bad> {
        let value = value.ok_or(Bad::Null)?;
        if value.len() > PAYLOAD_MAX_BYTES {
            return Err(Bad::TooLarge);
        }
        if let Some(payload) = Self::decode_canonical(value) {
            return Ok(payload);
        }
        let text = std::str::from_utf8(value).map_err(|_| Bad::InvalidUtf8)?;
        let payload = serde_json::from_str(text).map_err(|error| match error.classify() {
            Category::Data => Bad::WrongType,
            Category::Syntax | Category::Eof | Category::Io => Bad::NotJson,
        })?;
        // serde also deserializes the array `[17, "…"]` into this struct.
        if text.trim_start().starts_with('{') { Ok(payload) } else { Err(Bad::WrongType) }
    }

    /// Decodes a value that has exactly the form that [`encode`](crate::encode) writes, in a fraction of the time that parsing JSON takes. Returns
    /// `None` for any other value, which may be valid as well.
    fn decode_canonical(value: &'a [u8]) -> Option<Self> {
        let (num, rest) = split_number(value.strip_prefix(br#"{"num": "#)?)?;
        let ts = rest.strip_prefix(br#", "ts": ""#)?.strip_suffix(br#""}"#)?;
        // Printable ASCII, in which no character is escaped and none ends the string.
        if !ts.iter().all(|byte| matches!(byte, b' ' | b'!' | b'#'..=b'[' | b']'..=b'~')) {
            return None;
        }
        Some(Self { num, ts: Cow::Borrowed(std::str::from_utf8(ts).ok()?) })
    }
}

/// Splits a decimal number off the beginning: `0`, or up to 19 digits of which the first is not 0, so that it fits.
pub(crate) fn split_number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    const DIGITS_MAX: usize = 19;
    let count = bytes.iter().take(DIGITS_MAX + 1).take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = bytes.split_at(count);
    match digits {
        [] => None,
        [b'0', _, ..] => None,
        _ if count > DIGITS_MAX => None,
        _ => Some((digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')), rest)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(value: &[u8]) -> Result<Payload<'_>, Bad> {
        Payload::decode(Some(value))
    }

    #[test]
    fn whitespace_field_order_and_further_fields_are_ignored() {
        for value in [r#"{"num":1,"ts":"x"}"#, "\n{ \"ts\" : \"x\", \"more\": [[1]], \"num\" : 1 }\n"] {
            assert_eq!(decode(value.as_bytes()).unwrap(), Payload { num: 1, ts: "x".into() });
        }
        assert_eq!(decode(br#"{"num":1,"ts":"\u001b"}"#).unwrap().ts, "\u{1b}");
    }

    #[test]
    fn every_bad_value_is_reported_as_the_right_kind() {
        let nested = format!("{}1{}", "[".repeat(1000), "]".repeat(1000));
        let long = format!("{{\"num\": {}, \"ts\": \"\"}}", "9".repeat(1_000_000));
        let wide = format!("{{\"num\": {}, \"ts\": \"\"}}", "9".repeat(1000));
        for (value, kind) in [
            ("", Bad::NotJson),
            ("hello", Bad::NotJson),
            (r#"{"num": 1"#, Bad::NotJson),
            (r#"{"num": 1, "ts": "x"} trailing"#, Bad::NotJson),
            ("{\"num\": 1, \"ts\": \"\u{1b}\"}", Bad::NotJson),
            ("\u{feff}{}", Bad::NotJson),
            ("null", Bad::WrongType),
            ("17", Bad::WrongType),
            (r#"[17, "x"]"#, Bad::WrongType),
            (r#"{"num": 1}"#, Bad::WrongType),
            (r#"{"num": "1", "ts": "x"}"#, Bad::WrongType),
            (r#"{"num": -1, "ts": "x"}"#, Bad::WrongType),
            (r#"{"num": 1.5, "ts": "x"}"#, Bad::WrongType),
            (r#"{"num": 1, "num": 2, "ts": "x"}"#, Bad::WrongType),
            (r#"{"num": 1, "ts": null}"#, Bad::WrongType),
            (nested.as_str(), Bad::WrongType),
            (long.as_str(), Bad::TooLarge),
        ] {
            assert_eq!(decode(value.as_bytes()), Err(kind), "{:.40}", value);
        }
        assert!(matches!(decode(wide.as_bytes()), Err(Bad::WrongType | Bad::NotJson)));
        let deep = format!("{{\"x\": {nested}, \"num\": 1, \"ts\": \"x\"}}");
        assert!(matches!(decode(deep.as_bytes()), Ok(_) | Err(Bad::NotJson)));
        assert_eq!(decode(b"{\"num\": 1, \"ts\": \"\xff\"}"), Err(Bad::InvalidUtf8));
        assert_eq!(Payload::decode(None), Err(Bad::Null));
    }

    #[test]
    fn the_form_that_encode_writes_takes_the_short_way() {
        let encoded = |num, ts| {
            let mut value = Vec::new();
            crate::encode(num, ts, &mut value);
            value
        };
        for num in [0, 1, 10, 9_999_999_999_999_999_999] {
            let value = encoded(num, "2026-11-22 10:00:00");
            let payload = Payload { num, ts: "2026-11-22 10:00:00".into() };
            assert_eq!(Payload::decode_canonical(&value), Some(payload));
        }
        let value = encoded(u64::MAX, "x");
        assert_eq!(Payload::decode_canonical(&value), None, "left to the JSON parser");
        assert_eq!(decode(&value).unwrap().num, u64::MAX);
    }

    proptest! {
        /// Almost canonical values: what the short way accepts, the JSON parser reads in the same way.
        #[test]
        fn the_short_way_never_disagrees_with_the_json_parser(
            num in "[0-9]{0,21}|-1|1.5|[0-9]{1,3}e1",
            ts in r#"[ -~]{0,8}|[\"a]{0,3}|\PC{0,3}"#,
            changed in proptest::option::of((any::<prop::sample::Index>(), any::<u8>())),
        ) {
            let mut value = format!("{{\"num\": {num}, \"ts\": \"{ts}\"}}").into_bytes();
            if let Some((index, byte)) = changed {
                let index = index.index(value.len());
                value[index] = byte;
            }
            if let Some(payload) = Payload::decode_canonical(&value) {
                prop_assert_eq!(serde_json::from_slice::<Payload<'_>>(&value).ok(), Some(payload));
            }
        }
    }
}
