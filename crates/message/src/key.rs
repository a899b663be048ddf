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

/// No producer comes that far; below, numbers may be added to without a thought.
pub const PSEQ_MAX: u64 = i64::MAX as u64 / 2 - 1;

/// `<run>-<pseq>`: the identity of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Which run wrote it.
    pub run: RunId,
    /// As which of its messages to that partition, from 1 to [`PSEQ_MAX`] without gaps, so that whoever owns a partition sees
    /// a gap.
    pub pseq: u64,
}

/// Writes the keys of one run.
#[derive(Debug)]
pub struct KeyWriter {
    /// `<run>-`, and the last pseq behind it.
    bytes: Vec<u8>,
}

/// Length of `<run>-`.
const PREFIX_BYTES: usize = RUN_HEX_DIGITS + 1;

impl KeyWriter {
    /// For the keys of `run`.
    #[must_use]
    pub fn new(run: RunId) -> Self {
        Self { bytes: format!("{run}-").into_bytes() }
    }

    /// The bytes of the key with `pseq`.
    pub fn write(&mut self, pseq: u64) -> &[u8] {
        self.bytes.truncate(PREFIX_BYTES);
        // Writing to a Vec cannot fail.
        write!(self.bytes, "{pseq}").unwrap_or_default();
        &self.bytes
    }
}

/// Reads keys.
///
/// Neighbours are of the same run as a rule, so the last run is remembered as it is spelt: parsing it again for each
/// message would cost as much as parsing the message's value.
#[derive(Debug, Default)]
pub struct KeyReader {
    last: Option<([u8; PREFIX_BYTES], RunId)>,
}

impl KeyReader {
    /// Reads a key. `None` for a foreign one: a message of another producer, no error.
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
        // One number has one spelling; `+1` and `01` are somebody else's.
        if !digits.first().is_some_and(|digit| (b'1'..=b'9').contains(digit)) {
            return None;
        }
        let pseq = std::str::from_utf8(digits).ok()?.parse().ok()?;
        (pseq <= PSEQ_MAX).then_some(Key { run, pseq })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "0192f0c1a2b37c4d8e9f001122334455";

    #[test]
    fn a_key_reads_back_as_it_was_written() {
        let mut reader = KeyReader::default();
        for run in [RunId::new(), RunId::new()] {
            let mut writer = KeyWriter::new(run);
            for pseq in [PSEQ_MAX, 1, 9, 10] {
                assert_eq!(reader.read(writer.write(pseq)), Some(Key { run, pseq }));
            }
        }
    }

    #[test]
    fn a_key_of_another_form_is_foreign() {
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
    fn later_runs_sort_after_earlier_ones() {
        let runs: Vec<RunId> = (0..100).map(|_| RunId::new()).collect();
        assert!(runs.is_sorted());
    }
}
