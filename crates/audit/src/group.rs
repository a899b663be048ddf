//! What the replicas' lines say about one consumer group.

use std::collections::BTreeMap;

use journal::Range;
use message::RunId;
use rangemap::RangeInclusiveSet;

use crate::offender::{Class, Offender, Offenders};
use crate::run::{Place, Seen, pseq_of};

/// What one replica received.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Replica {
    /// Messages.
    pub received: u64,
    /// Of these, such as the group received before or after as well.
    pub repeated: u64,
    /// Of these, such as could not be read.
    pub bad: u64,
}

/// The account of one group.
#[derive(Debug, Default)]
pub(crate) struct Group {
    pub(crate) replicas: BTreeMap<String, Replica>,
    pub(crate) offsets: BTreeMap<Place, RangeInclusiveSet<i64>>,
    pub(crate) pseq: BTreeMap<(RunId, Place), RangeInclusiveSet<i64>>,
    /// Offsets of messages without a key of ours.
    foreign_offsets: BTreeMap<Place, RangeInclusiveSet<i64>>,
    pub(crate) foreign: u64,
    pub(crate) repeated: Offenders,
    pub(crate) produced_twice: Offenders,
}

impl Group {
    /// Enters received messages; tells how many of them stand at the offset of another message that was received.
    pub(crate) fn receive(&mut self, instance: &str, topic: &str, range: &Range) -> u64 {
        let [first, last] = range.offset;
        let place = (topic.to_owned(), range.partition);
        let replica = self.replicas.entry(instance.to_owned()).or_default();
        replica.received += range.count();
        let offsets = self.offsets.entry(place.clone()).or_default();
        // Foreign messages are known by their offsets.
        let (known, first_number) = match (range.run, pseq_of(range)) {
            (Some(run), Some((pseq, _))) => (self.pseq.entry((run, place)).or_default(), pseq),
            _ => {
                self.foreign += range.count();
                (self.foreign_offsets.entry(place).or_default(), first)
            }
        };
        let seen = Seen::of(range, first_number, offsets, known);
        offsets.insert(first..=last);
        known.insert(first_number..=first_number + (last - first));
        for (first, last) in seen.again {
            replica.repeated += first.abs_diff(last) + 1;
            self.repeated.push(first, last, |offset| Offender::at(Class::Repeated, topic, range.partition, offset));
        }
        if let Some(run) = range.run {
            for (first, last) in seen.twice {
                self.produced_twice.push(first, last, |pseq| {
                    Offender::keyed(Class::ProducedTwice, topic, range.partition, run, pseq.unsigned_abs())
                });
            }
        }
        seen.at_anothers_offset
    }
}
