//! What the producer's lines say about one run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use journal::{NotDelivered, Outcome, Range, RunClosed};
use message::RunId;
use rangemap::RangeInclusiveSet;

use crate::comparison::{Comparison, pseq_interval, pseq_of};
use crate::intervals::{length, overlaps, total_length};
use crate::offender::{Class, Offender, Offenders};

/// A partition of a topic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TopicPartition {
    pub(crate) topic: String,
    pub(crate) partition: i32,
}

impl TopicPartition {
    pub(crate) fn new(topic: &str, partition: i32) -> Self {
        Self { topic: topic.to_owned(), partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.topic, self.partition)
    }
}

/// Intervals of offsets or of pseq, by partition.
pub(crate) type ByPartition = BTreeMap<TopicPartition, RangeInclusiveSet<i64>>;

/// The account of one run.
#[derive(Debug, Default)]
pub(crate) struct Run {
    pub(crate) instances: BTreeSet<String>,
    pub(crate) acknowledged: u64,
    pub(crate) rejected: u64,
    pub(crate) unknown: u64,
    pub(crate) acknowledged_pseq: ByPartition,
    rejected_pseq: ByPartition,
    unknown_pseq: ByPartition,
    closed: Option<Closed>,
    pub(crate) produced_twice: Offenders,
}

/// What the lines `run closed` of one run say together.
#[derive(Debug)]
pub(crate) struct Closed {
    pub(crate) accepted: u64,
    pub(crate) acknowledged: u64,
    pub(crate) rejected: u64,
    pub(crate) unknown: u64,
    /// How many partitions all these lines name together, as each of them states.
    partition_count: usize,
    last_pseqs: BTreeMap<i32, u64>,
}

impl Closed {
    fn new(line: &RunClosed) -> Self {
        Self {
            accepted: line.accepted,
            acknowledged: line.acknowledged,
            rejected: line.rejected,
            unknown: line.unknown,
            partition_count: line.partition_count.unwrap_or(line.partitions.len()),
            last_pseqs: line.partitions.iter().map(|last| (last.partition, last.last_pseq)).collect(),
        }
    }

    /// Whether both state the same totals.
    fn has_totals_of(&self, other: &Self) -> bool {
        let totals = |closed: &Self| {
            (closed.accepted, closed.acknowledged, closed.rejected, closed.unknown, closed.partition_count)
        };
        totals(self) == totals(other)
    }
}

impl Run {
    /// Records acknowledged messages. `offsets` are the acknowledged offsets of the partition that are already recorded, of
    /// all runs.
    ///
    /// Returns how many of the messages have the offset of another message.
    pub(crate) fn acknowledge(
        &mut self,
        run: RunId,
        partition: &TopicPartition,
        range: &Range,
        offsets: &RangeInclusiveSet<i64>,
    ) -> u64 {
        self.acknowledged = self.acknowledged.saturating_add(range.count());
        let Some((first, last)) = pseq_of(range) else { return 0 };
        let recorded = self.acknowledged_pseq.entry(partition.clone()).or_default();
        let comparison = Comparison::new(range, first, offsets, recorded);
        for (first, last) in comparison.produced_twice {
            self.produced_twice
                .push(first, last, |pseq| Offender::with_key(Class::ProducedTwice, partition, run, pseq));
        }
        recorded.insert(first..=last);
        comparison.offset_conflicts
    }

    /// Records a line `run closed`.
    pub(crate) fn close(&mut self, line: &RunClosed) {
        let mut new = Closed::new(line);
        if let Some(closed) = self.closed.take_if(|closed| closed.has_totals_of(&new)) {
            new.last_pseqs.extend(closed.last_pseqs);
        }
        self.closed = Some(new);
    }

    /// What the run stated at its end. `None` if it stated nothing, or if one of its closing lines is missing: then it is judged like a run
    /// that was killed.
    pub(crate) fn closed(&self) -> Option<&Closed> {
        self.closed.as_ref().filter(|closed| closed.last_pseqs.len() >= closed.partition_count)
    }

    /// Whether the account has what this line says.
    pub(crate) fn is_closed_by(&self, line: &RunClosed) -> bool {
        let line = Closed::new(line);
        self.closed.as_ref().is_some_and(|closed| {
            closed.has_totals_of(&line)
                && line.last_pseqs.iter().all(|(partition, last)| closed.last_pseqs.get(partition) == Some(last))
        })
    }

    pub(crate) fn not_delivered(&mut self, entry: &NotDelivered) {
        let (count, by_partition) = match entry.outcome {
            Outcome::Rejected => (&mut self.rejected, &mut self.rejected_pseq),
            Outcome::Unknown => (&mut self.unknown, &mut self.unknown_pseq),
        };
        *count = count.saturating_add(entry.count);
        let recorded = by_partition.entry(TopicPartition::new(&entry.topic, entry.partition)).or_default();
        for (first, last) in entry.pseq.iter().filter_map(|pseq| pseq_interval(*pseq)) {
            recorded.insert(first..=last);
        }
    }

    /// Classifies the messages of this run that a group received from `partition` and that are not acknowledged. `received`
    /// holds the pseq of all received messages.
    pub(crate) fn judge(&self, partition: &TopicPartition, received: &RangeInclusiveSet<i64>) -> Judgement {
        let mut judgement = Judgement::default();
        let empty = RangeInclusiveSet::new();
        let acknowledged = self.acknowledged_pseq.get(partition).unwrap_or(&empty);
        let rejected = self.rejected_pseq.get(partition).unwrap_or(&empty);
        let unknown = self.unknown_pseq.get(partition).unwrap_or(&empty);
        let last_sent = self.closed().map(|closed| {
            let last = closed.last_pseqs.get(&partition.partition).copied().unwrap_or(0);
            i64::try_from(last).unwrap_or(i64::MAX)
        });
        for unacknowledged in received.iter().flat_map(|range| acknowledged.gaps(range)) {
            let (first, last) = (*unacknowledged.start(), *unacknowledged.end());
            let mut unexplained = RangeInclusiveSet::from_iter([unacknowledged]);
            for (first, last) in overlaps(rejected, first, last) {
                judgement.phantom.push((first, last));
                unexplained.remove(first..=last);
            }
            let unknown = overlaps(unknown, first, last);
            judgement.unknown += total_length(&unknown);
            unknown.iter().for_each(|(first, last)| unexplained.remove(*first..=*last));
            for range in unexplained.iter() {
                let (first, last) = (*range.start(), *range.end());
                match last_sent {
                    // The run was killed or still runs: its acknowledgements may not have reached its log.
                    None => judgement.unknown += length(first, last),
                    Some(end) => {
                        if last > end {
                            judgement.phantom.push((first.max(end + 1), last));
                        }
                        judgement.unexplained += (last.min(end) - first + 1).max(0).unsigned_abs();
                    }
                }
            }
        }
        judgement
    }
}

/// Messages of a run that were received but not acknowledged; see [`Run::judge`].
#[derive(Debug, Default)]
pub(crate) struct Judgement {
    /// pseq that the run reported as rejected, or that lie beyond its end.
    pub(crate) phantom: Vec<(i64, i64)>,
    /// How many messages have an outcome that the producer could not know.
    pub(crate) unknown: u64,
    /// How many messages the lines of a closed run do not account for.
    pub(crate) unexplained: u64,
}
