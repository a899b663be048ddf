//! Ranges of consecutive messages. They make a summary line as exact as the single lines it replaces.

use message::{PSEQ_MAX, RunId};
use serde::{Deserialize, Serialize};

/// Consecutive messages of one partition: the offset rises by one from message to message, and so does the pseq unless the messages
/// are foreign.
///
/// Deserialising fails if the numbers are impossible, so that a damaged line is never taken as evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawRange")]
pub struct Range {
    /// Partition.
    pub partition: i32,
    /// First and last offset.
    pub offset: [i64; 2],
    /// Run; absent for foreign messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// First and last pseq; absent for foreign messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pseq: Option<[u64; 2]>,
}

#[derive(Deserialize)]
struct RawRange {
    partition: i32,
    offset: [i64; 2],
    run: Option<RunId>,
    pseq: Option<[u64; 2]>,
}

impl TryFrom<RawRange> for Range {
    type Error = &'static str;

    fn try_from(raw: RawRange) -> Result<Self, Self::Error> {
        let RawRange { partition, offset, run, pseq } = raw;
        let range = Self { partition, offset, run, pseq };
        if range.is_valid() { Ok(range) } else { Err("impossible offsets or pseq") }
    }
}

impl Range {
    /// The range of a single message. `key` is its run and pseq, `None` for a foreign message.
    #[must_use]
    pub fn one(partition: i32, offset: i64, key: Option<(RunId, u64)>) -> Self {
        Self { partition, offset: [offset; 2], run: key.map(|(run, _)| run), pseq: key.map(|(_, pseq)| [pseq; 2]) }
    }

    /// Whether these can be messages of a partition: offsets start at 0 and pseq at 1, both cover equally many messages, and both
    /// are small enough that arithmetic on them cannot overflow.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        let [first, last] = self.offset;
        let offset = self.partition >= 0 && 0 <= first && first <= last && last < i64::MAX / 2;
        let pseq = self
            .pseq
            .is_none_or(|[from, to]| 0 < from && from <= to && to - from == first.abs_diff(last) && to <= PSEQ_MAX);
        offset && pseq
    }

    /// Number of messages.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.offset[0].abs_diff(self.offset[1]) + 1
    }

    /// Appends `next` if it continues where this range ends; returns whether it did.
    fn extend(&mut self, next: &Self) -> bool {
        let pseq_continues = match (self.pseq, next.pseq) {
            (None, None) => true,
            (Some([_, last]), Some([first, _])) => self.run == next.run && last.checked_add(1) == Some(first),
            _ => false,
        };
        if !pseq_continues || self.offset[1].checked_add(1) != Some(next.offset[0]) {
            return false;
        }
        self.offset[1] = next.offset[1];
        if let (Some(pseq), Some([_, last])) = (&mut self.pseq, next.pseq) {
            pseq[1] = last;
        }
        true
    }
}

/// Collects messages into as few ranges as the order of their arrival allows.
#[derive(Debug, Default)]
pub(crate) struct Ranges {
    /// The range that is still growing, for each partition, sorted: messages of several partitions arrive interleaved.
    open: Vec<Range>,
    /// Where the last message was added. Messages arrive in long stretches of one partition.
    last: usize,
    closed: Vec<Range>,
}

impl Ranges {
    /// Adds a message.
    pub(crate) fn push(&mut self, message: Range) {
        if self.open.get(self.last).is_none_or(|range| range.partition != message.partition) {
            match self.open.binary_search_by_key(&message.partition, |range| range.partition) {
                Ok(index) => self.last = index,
                Err(index) => {
                    self.last = index;
                    self.open.insert(index, message);
                    return;
                }
            }
        }
        let range = &mut self.open[self.last];
        if !range.extend(&message) {
            self.closed.push(std::mem::replace(range, message));
        }
    }

    /// Number of ranges.
    pub(crate) fn len(&self) -> usize {
        self.open.len() + self.closed.len()
    }

    /// For each partition, the offset after the last message that was added.
    pub(crate) fn next_offsets(&self) -> impl Iterator<Item = (i32, i64)> {
        self.open.iter().map(|range| (range.partition, range.offset[1] + 1))
    }

    /// Returns all ranges, in order of arrival within each partition, and starts over.
    pub(crate) fn take(&mut self) -> Vec<Range> {
        let mut ranges = std::mem::take(&mut self.closed);
        ranges.append(&mut self.open);
        ranges
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consecutive_messages_form_one_range_per_partition() {
        let run = RunId::new();
        let mut ranges = Ranges::default();
        for i in 0..100 {
            for partition in 0..2 {
                ranges.push(Range::one(partition, 50 + i, Some((run, 1 + i as u64))));
            }
        }
        let expected = |partition| Range { partition, offset: [50, 149], run: Some(run), pseq: Some([1, 100]) };
        assert_eq!(ranges.next_offsets().collect::<Vec<_>>(), [(0, 150), (1, 150)]);
        assert_eq!(ranges.take(), [expected(0), expected(1)]);
        assert_eq!(ranges.len(), 0);
    }

    #[test]
    fn impossible_numbers_are_refused() {
        let read = |text: &str| serde_json::from_str::<Range>(text).is_ok();
        let run = RunId::new();
        assert!(read(&format!(r#"{{"partition":0,"offset":[3,4],"run":"{run}","pseq":[1,2]}}"#)));
        for (offset, pseq) in [("[4,3]", "[1,2]"), ("[-1,0]", "[1,2]"), ("[3,4]", "[1,9]"), ("[3,4]", "[0,1]")] {
            assert!(!read(&format!(r#"{{"partition":0,"offset":{offset},"run":"{run}","pseq":{pseq}}}"#)));
        }
        assert!(!read(&format!(r#"{{"partition":0,"offset":[0,{}]}}"#, i64::MAX)));
    }

    #[test]
    fn every_gap_starts_a_new_range_and_no_message_is_dropped() {
        let (one, other) = (RunId::new(), RunId::new());
        let messages = [
            Range::one(0, 1, Some((one, 1))),
            Range::one(0, 2, Some((one, 2))),
            Range::one(0, 4, Some((one, 3))), // an offset is missing
            Range::one(0, 5, Some((one, 5))), // a pseq is missing
            Range::one(0, 6, Some((other, 6))),
            Range::one(0, 7, None),
            Range::one(0, 8, None),
            Range::one(0, 8, None), // the same offset again
            Range::one(0, 3, None), // a lower offset
        ];
        let mut ranges = Ranges::default();
        messages.into_iter().for_each(|message| ranges.push(message));
        assert_eq!(ranges.len(), 7);
        assert_eq!(ranges.take().iter().map(Range::count).sum::<u64>(), messages.len() as u64);
    }
}
