//! The key of a message, `<run>-<pseq>`: which run sent the message, and its position among the messages of that run to the
//! partition.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};
use uuid::Uuid;

use crate::payload::split_number;

const RUN_HEX_DIGITS: usize = 32;

/// Identifies a run, which is one life of a producer process: a `UUIDv7` (RFC 9562), written as 32 lowercase hex digits.
///
/// A producer generates its id when it starts, so no state has to survive a restart. Ids sort by the time of the start.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct RunId(Uuid);

/// The text that was parsed is not a [`RunId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid run id; expected 32 lowercase hex digits")]
pub struct InvalidRunId;

impl RunId {
    /// Generates the id of a run that starts now.
    #[must_use]
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }

    fn parse(hex: &[u8]) -> Option<Self> {
        let is_lowercase_hex = |digit: &u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
        if hex.len() != RUN_HEX_DIGITS || !hex.iter().all(is_lowercase_hex) {
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
    type Err = InvalidRunId;

    fn from_str(text: &str) -> Result<Self, InvalidRunId> {
        Self::parse(text.as_bytes()).ok_or(InvalidRunId)
    }
}

impl TryFrom<String> for RunId {
    type Error = InvalidRunId;

    fn try_from(text: String) -> Result<Self, InvalidRunId> {
        text.parse()
    }
}

impl Serialize for RunId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.simple().encode_lower(&mut [0; RUN_HEX_DIGITS]))
    }
}

/// The highest pseq of a valid key.
///
/// No producer ever sends that many messages. The limit leaves room for arithmetic on pseqs and offsets without overflow checks.
pub const PSEQ_MAX: u64 = i64::MAX as u64 / 2 - 1;

/// The identity of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// The run that sent the message.
    pub run: RunId,
    /// The position of the message among those that the run sent to its partition, from 1 to [`PSEQ_MAX`].
    ///
    /// The sequence has no gaps, so the replica that owns the partition can see from its own messages alone that one is missing.
    pub pseq: u64,
}

/// Writes the keys of one run.
#[derive(Debug)]
pub struct KeyWriter {
    /// `<run>-`
    prefix: [u8; PREFIX_BYTES],
}

/// The length of `<run>-`.
const PREFIX_BYTES: usize = RUN_HEX_DIGITS + 1;

impl KeyWriter {
    /// Creates a writer for the keys of `run`.
    #[must_use]
    pub fn new(run: RunId) -> Self {
        let mut prefix = [b'-'; PREFIX_BYTES];
        run.0.simple().encode_lower(&mut prefix);
        Self { prefix }
    }

    /// Appends the key with this pseq to `buffer`.
    pub fn append(&self, pseq: u64, buffer: &mut Vec<u8>) {
        buffer.extend_from_slice(&self.prefix);
        buffer.extend_from_slice(itoa::Buffer::new().format(pseq).as_bytes());
    }
}

/// Reads keys, and remembers the run of the last one.
///
/// Consecutive messages mostly come from the same run. Parsing its id for each message would cost as much as parsing the value, so
/// the reader compares the bytes with those of the last key first.
#[derive(Debug, Default)]
pub struct KeyReader {
    last: Option<([u8; PREFIX_BYTES], RunId)>,
}

impl KeyReader {
    /// Reads a key. Returns `None` if it has another form; this is not an error, because other producers may write to the topic.
    pub fn read(&mut self, bytes: &[u8]) -> Option<Key> {
        let (prefix, digits) = bytes.split_first_chunk::<PREFIX_BYTES>()?;
        let run = match self.last {
            Some((last, run)) if last == *prefix => run,
            _ => {
                let (dash, run) = prefix.split_last()?;
                let run = RunId::parse(run).filter(|_| *dash == b'-')?;
                self.last = Some((*prefix, run));
                run
            }
        };
        // A `KeyWriter` writes neither `+1` nor `01`, so such a key comes from another producer.
        let (pseq, rest) = split_number(digits)?;
        (rest.is_empty() && (1..=PSEQ_MAX).contains(&pseq)).then_some(Key { run, pseq })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "0192f0c1a2b37c4d8e9f001122334455";

    #[test]
    fn a_written_key_is_read_back_unchanged() {
        let mut reader = KeyReader::default();
        for run in [RunId::new(), RunId::new()] {
            let writer = KeyWriter::new(run);
            for pseq in [PSEQ_MAX, 1, 9, 10] {
                let mut key = b"before".to_vec();
                writer.append(pseq, &mut key);
                assert_eq!(key, format!("before{run}-{pseq}").as_bytes());
                assert_eq!(reader.read(&key[6..]), Some(Key { run, pseq }));
            }
        }
    }

    #[test]
    fn keys_of_any_other_form_are_foreign() {
        let mut reader = KeyReader::default();
        assert!(reader.read(format!("{RUN}-1").as_bytes()).is_some());
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
            format!("{RUN}-{}", PSEQ_MAX + 1),
            format!("{RUN}-18446744073709551616"),
        ] {
            assert_eq!(reader.read(foreign.as_bytes()), None, "{foreign}");
        }
        assert_eq!(reader.read(b"\xff\xfe"), None);
    }

    #[test]
    fn run_ids_sort_in_the_order_in_which_they_were_generated() {
        let runs: Vec<RunId> = (0..100).map(|_| RunId::new()).collect();
        assert!(runs.is_sorted());
    }
}
