//! What the producer's lines say about one run.

use std::collections::{BTreeMap, BTreeSet};

use journal::{NotDelivered, Outcome, Range, RunClosed};
use message::RunId;
use rangemap::RangeInclusiveSet;

use crate::offender::{Class, Offender, Offenders};

/// Topic and partition.
pub(crate) type Place = (String, i32);

/// The account of one run.
#[derive(Debug, Default)]
pub(crate) struct Run {
    pub(crate) instances: BTreeSet<String>,
    pub(crate) acknowledged: u64,
    pub(crate) rejected: u64,
    pub(crate) unknown: u64,
    pub(crate) acknowledged_pseq: BTreeMap<Place, RangeInclusiveSet<i64>>,
    rejected_pseq: BTreeMap<Place, RangeInclusiveSet<i64>>,
    unknown_pseq: BTreeMap<Place, RangeInclusiveSet<i64>>,
    pub(crate) closed: Option<RunClosed>,
    pub(crate) produced_twice: Offenders,
}

impl Run {
    /// Enters acknowledged messages; `known` are the offsets of other acknowledged messages. Tells how many of ours stand
    /// at the offset of another one.
    pub(crate) fn acknowledge(
        &mut self,
        run: RunId,
        topic: &str,
        range: &Range,
        known: &RangeInclusiveSet<i64>,
    ) -> u64 {
        self.acknowledged += range.count();
        let Some((first, last)) = pseq_of(range) else { return 0 };
        let set = self.acknowledged_pseq.entry((topic.to_owned(), range.partition)).or_default();
        let seen = Seen::of(range, first, known, set);
        for (from, to) in seen.twice {
            self.produced_twice.push(from, to, |pseq| {
                Offender::keyed(Class::ProducedTwice, topic, range.partition, run, pseq.unsigned_abs())
            });
        }
        set.insert(first..=last);
        seen.at_anothers_offset
    }

    pub(crate) fn not_delivered(&mut self, entry: &NotDelivered) {
        let (count, sets) = match entry.outcome {
            Outcome::Rejected => (&mut self.rejected, &mut self.rejected_pseq),
            Outcome::Unknown => (&mut self.unknown, &mut self.unknown_pseq),
        };
        *count += entry.count;
        let set = sets.entry((entry.topic.clone(), entry.partition)).or_default();
        for [first, last] in &entry.pseq {
            if let (Ok(first), Ok(last)) = (i64::try_from(*first), i64::try_from(*last))
                && first <= last
            {
                set.insert(first..=last);
            }
        }
    }

    /// What was received of this run at `place` and is not acknowledged: phantoms, numbers of unknown outcome, and those
    /// for which the run's lines have no explanation.
    pub(crate) fn judge(&self, place: &Place, received: &RangeInclusiveSet<i64>) -> Judgement {
        let mut judgement = Judgement::default();
        let empty = RangeInclusiveSet::new();
        let acknowledged = self.acknowledged_pseq.get(place).unwrap_or(&empty);
        let rejected = self.rejected_pseq.get(place).unwrap_or(&empty);
        let unknown = self.unknown_pseq.get(place).unwrap_or(&empty);
        let end = self.closed.as_ref().map(|closed| {
            let last = closed.partitions.iter().find(|last| last.partition == place.1).map_or(0, |last| last.last_pseq);
            i64::try_from(last).unwrap_or(i64::MAX)
        });
        for range in received.iter() {
            let mut rest = RangeInclusiveSet::new();
            rest.extend(acknowledged.gaps(range));
            for rest in rest.iter() {
                let mut unexplained = RangeInclusiveSet::new();
                unexplained.insert(rest.clone());
                for (first, last) in overlaps(rejected, *rest.start(), *rest.end()) {
                    judgement.phantom.push((first, last));
                    unexplained.remove(first..=last);
                }
                for (first, last) in overlaps(unknown, *rest.start(), *rest.end()) {
                    judgement.unknown += first.abs_diff(last) + 1;
                    unexplained.remove(first..=last);
                }
                for left in unexplained.iter() {
                    let (first, last) = (*left.start(), *left.end());
                    match end {
                        // The run was killed: the acknowledgement may not have reached its log.
                        None => judgement.unknown += first.abs_diff(last) + 1,
                        Some(end) => {
                            if last > end {
                                judgement.phantom.push((first.max(end + 1), last));
                            }
                            judgement.unexplained += (last.min(end) - first + 1).max(0).unsigned_abs();
                        }
                    }
                }
            }
        }
        judgement
    }
}

/// What a range of messages is, compared with those that are known.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Known, at the same offset: their offsets.
    pub(crate) again: Vec<(i64, i64)>,
    /// Known, at another offset: their pseq. The same message twice brings the same offset.
    pub(crate) twice: Vec<(i64, i64)>,
    /// Not known, but their offsets are: how many. The log has been cut back, or made anew.
    pub(crate) at_anothers_offset: u64,
}

impl Seen {
    /// `first` is the number that `range` begins with, `pseq` those that are known of the same run.
    pub(crate) fn of(
        range: &Range,
        first: i64,
        offsets: &RangeInclusiveSet<i64>,
        pseq: &RangeInclusiveSet<i64>,
    ) -> Self {
        let mut seen = Self::default();
        let (start, end) = (range.offset[0], range.offset[1]);
        for (from, to) in overlaps(offsets, start, end) {
            let (first_pseq, last_pseq) = (first + (from - start), first + (to - start));
            let same = overlaps(pseq, first_pseq, last_pseq);
            seen.at_anothers_offset += first_pseq.abs_diff(last_pseq) + 1 - count_of(&same);
            seen.again.extend(same.iter().map(|(from, to)| (start + (from - first), start + (to - first))));
        }
        for gap in offsets.gaps(&(start..=end)) {
            seen.twice.extend(overlaps(pseq, first + (gap.start() - start), first + (gap.end() - start)));
        }
        seen
    }
}

/// How many numbers there are in `ranges`.
pub(crate) fn count_of(ranges: &[(i64, i64)]) -> u64 {
    ranges.iter().map(|(first, last)| first.abs_diff(*last) + 1).sum()
}

/// The parts of `first..=last` that are not in `set`.
pub(crate) fn gaps(set: &RangeInclusiveSet<i64>, first: i64, last: i64) -> Vec<(i64, i64)> {
    set.gaps(&(first..=last)).map(|gap| (*gap.start(), *gap.end())).collect()
}

/// See [`Run::judge`].
#[derive(Debug, Default)]
pub(crate) struct Judgement {
    pub(crate) phantom: Vec<(i64, i64)>,
    pub(crate) unknown: u64,
    pub(crate) unexplained: u64,
}

/// First and last pseq; `None` for foreign messages and for numbers that no producer reaches.
pub(crate) fn pseq_of(range: &Range) -> Option<(i64, i64)> {
    let [first, last] = range.pseq?;
    let (first, last) = (i64::try_from(first).ok()?, i64::try_from(last).ok()?);
    (first <= last).then_some((first, last))
}

/// The parts of `first..=last` that are in `set`.
pub(crate) fn overlaps(set: &RangeInclusiveSet<i64>, first: i64, last: i64) -> Vec<(i64, i64)> {
    let wanted = first..=last;
    set.overlapping(&wanted).map(|known| (first.max(*known.start()), last.min(*known.end()))).collect()
}
