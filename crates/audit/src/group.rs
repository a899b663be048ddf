//! What the replicas' lines say about one consumer group.

use std::collections::BTreeMap;

use journal::Range;
use message::RunId;
use rangemap::RangeInclusiveSet;

use crate::offender::{Class, Offender, Offenders};
use crate::run::{Place, overlaps, pseq_of};

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
    pub(crate) foreign: u64,
    pub(crate) repeated: Offenders,
    pub(crate) produced_twice: Offenders,
}

impl Group {
    /// Enters received messages.
    pub(crate) fn receive(&mut self, instance: &str, topic: &str, range: &Range) {
        let [first, last] = range.offset;
        let place = (topic.to_owned(), range.partition);
        let replica = self.replicas.entry(instance.to_owned()).or_default();
        replica.received += range.count();
        let offsets = self.offsets.entry(place.clone()).or_default();
        for (first, last) in overlaps(offsets, first, last) {
            replica.repeated += first.abs_diff(last) + 1;
            self.repeated.push(first, last, |offset| Offender::at(Class::Repeated, topic, range.partition, offset));
        }
        let new: Vec<_> = offsets.gaps(&(first..=last)).collect();
        offsets.insert(first..=last);

        let (Some(run), Some((first_pseq, _))) = (range.run, pseq_of(range)) else {
            self.foreign += range.count();
            return;
        };
        // Only what is new can be a second copy: an offset that came again brings the same pseq again.
        let known = self.pseq.entry((run, place)).or_default();
        for new in new {
            let (from, to) = (first_pseq + (new.start() - first), first_pseq + (new.end() - first));
            for (from, to) in overlaps(known, from, to) {
                self.produced_twice.push(from, to, |pseq| {
                    Offender::keyed(Class::ProducedTwice, topic, range.partition, run, pseq.unsigned_abs())
                });
            }
            known.insert(from..=to);
        }
    }
}
