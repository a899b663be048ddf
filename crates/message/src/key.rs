//! The key of a message: which run of which producer wrote it, and as which of its messages to that partition.

use std::fmt;
use std::io::Write as _;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

const RUN_HEX_DIGITS: usize = 32;

/// One life of a producer process: a `UUIDv7` (RFC 9562), as 32 lower-case hex digits.
///
/// Made at process start, so it needs no durable state, and ordered by start time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunId(Uuid);

/// The text is not 32 lower-case hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a run id: 32 lower-case hex digits are")]
pub struct NotARunId;

impl RunId {
    /// The id of the run that starts now.
    #[must_use]
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }

    fn parse(hex: &[u8]) -> Option<Self> {
        let lower_case = |digit: &u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
        if hex.len() != RUN_HEX_DIGITS || !hex.iter().all(lower_case) {
            return None;
        }
        Uuid::try_parse_ascii(hex).ok().map(Self)
    }
}

impl Default for RunId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for RunId {
    type Err = NotARunId;

    fn from_str(text: &str) -> Result<Self, NotARunId> {
        Self::parse(text.as_bytes()).ok_or(NotARunId)
    }
}

impl TryFrom<String> for RunId {
    type Error = NotARunId;

    fn try_from(text: String) -> Result<Self, NotARunId> {
        text.parse()
    }
}

impl From<RunId> for String {
    fn from(run: RunId) -> Self {
        run.to_string()
    }
}

/// `<run>-<pseq>`: the identity of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Which run wrote it.
    pub run: RunId,
    /// As which of its messages to that partition, from 1 without gaps, so that whoever owns a partition sees a gap.
    pub pseq: u64,
}

impl Key {
    /// Writes the key's bytes over `buffer`.
    pub fn encode(self, buffer: &mut Vec<u8>) {
        buffer.clear();
        // Writing to a Vec cannot fail.
        write!(buffer, "{}-{}", self.run, self.pseq).unwrap_or_default();
    }

    /// Reads a key. `None` for a foreign one: a message of another producer, no error.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (run, rest) = bytes.split_at_checked(RUN_HEX_DIGITS)?;
        let digits = rest.strip_prefix(b"-")?;
        // One number has one spelling; `+1` and `01` are somebody else's.
        if !digits.first().is_some_and(|digit| (b'1'..=b'9').contains(digit)) {
            return None;
        }
        let pseq = std::str::from_utf8(digits).ok()?.parse().ok()?;
        Some(Self { run: RunId::parse(run)?, pseq })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "0192f0c1a2b37c4d8e9f001122334455";

    #[test]
    fn a_key_reads_back_as_it_was_written() {
        let mut buffer = b"rubbish".to_vec();
        for pseq in [1, 9, 10, u64::MAX] {
            let key = Key { run: RunId::new(), pseq };
            key.encode(&mut buffer);
            assert_eq!(Key::decode(&buffer), Some(key));
        }
    }

    #[test]
    fn a_key_of_another_form_is_foreign() {
        assert!(Key::decode(format!("{RUN}-1").as_bytes()).is_some());
        for foreign in [
            String::new(),
            "user-17".into(),
            RUN.into(),
            format!("{RUN}-"),
            format!("{RUN}-0"),
            format!("{RUN}-01"),
            format!("{RUN}-+1"),
            format!("{RUN}-1 "),
            format!("{RUN}_1"),
            format!("{}-1", RUN.to_uppercase()),
            format!("{RUN}-18446744073709551616"),
        ] {
            assert_eq!(Key::decode(foreign.as_bytes()), None, "{foreign}");
        }
        assert_eq!(Key::decode(b"\xff\xfe"), None);
    }

    #[test]
    fn later_runs_sort_after_earlier_ones() {
        let runs: Vec<RunId> = (0..100).map(|_| RunId::new()).collect();
        assert!(runs.is_sorted());
    }
}
