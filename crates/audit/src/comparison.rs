//! How newly reported messages compare with those that are already recorded.

use journal::Range;
use rangemap::RangeInclusiveSet;

use crate::intervals::{gaps, length, overlaps, total_length};

/// How a range of messages compares with the messages already recorded for the same partition.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    /// Offsets of messages that are already recorded at the same offset: the same record was reported again.
    pub(crate) repeated: Vec<(i64, i64)>,
    /// pseq of messages that are already recorded at a different offset: the producer wrote the message twice. A redelivery
    /// has the same offset.
    pub(crate) produced_twice: Vec<(i64, i64)>,
    /// How many messages have an offset that is already recorded for another message: the log was truncated, or the topic was
    /// deleted and created again.
    pub(crate) offset_conflicts: u64,
}

impl Comparison {
    /// Compares `range`, whose first message has the number `first`, with the recorded `offsets` of the partition and the
    /// recorded `numbers` of the same run.
    pub(crate) fn new(
        range: &Range,
        first: i64,
        offsets: &RangeInclusiveSet<i64>,
        numbers: &RangeInclusiveSet<i64>,
    ) -> Self {
        let mut comparison = Self::default();
        let [start, end] = range.offset;
        for (from, to) in overlaps(offsets, start, end) {
            let (first_number, last_number) = (first + (from - start), first + (to - start));
            let same = overlaps(numbers, first_number, last_number);
            comparison.offset_conflicts += length(first_number, last_number) - total_length(&same);
            let at_offset = |number: i64| start + (number - first);
            comparison.repeated.extend(same.iter().map(|(from, to)| (at_offset(*from), at_offset(*to))));
        }
        for (from, to) in gaps(offsets, start, end) {
            comparison.produced_twice.extend(overlaps(numbers, first + (from - start), first + (to - start)));
        }
        comparison
    }
}

/// First and last pseq of `range`; `None` for foreign messages and for numbers that no producer reaches.
pub(crate) fn pseq_of(range: &Range) -> Option<(i64, i64)> {
    pseq_interval(range.pseq?)
}

/// `pseq` as an interval; `None` if the numbers are out of order or too large.
pub(crate) fn pseq_interval([first, last]: [u64; 2]) -> Option<(i64, i64)> {
    let (first, last) = (i64::try_from(first).ok()?, i64::try_from(last).ok()?);
    (first <= last).then_some((first, last))
}
