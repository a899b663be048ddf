//! What the replicas' lines say about one consumer group.

use std::collections::{BTreeMap, BTreeSet};

use journal::Range;
use message::RunId;
use rangemap::RangeInclusiveSet;

use crate::comparison::{Comparison, pseq_of};
use crate::intervals::length;
use crate::offender::{Class, Offender, Offenders};
use crate::run::{ByPartition, TopicPartition};
use crate::session::{Event, Sessions};

/// What one replica received.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Replica {
    /// How many messages it received.
    pub received: u64,
    /// How many of them the group also received another time, before or after.
    pub repeated: u64,
    /// How many of them could not be decoded.
    pub bad: u64,
}

/// The account of one replica.
#[derive(Debug, Default)]
pub(crate) struct Member {
    pub(crate) counts: Replica,
    pub(crate) sessions: BTreeMap<TopicPartition, Sessions>,
}

/// The account of one group.
#[derive(Debug, Default)]
pub(crate) struct Group {
    /// The topics that the group reads.
    pub(crate) topics: BTreeSet<String>,
    pub(crate) members: BTreeMap<String, Member>,
    /// Received offsets.
    pub(crate) offsets: ByPartition,
    /// Received pseq of each run.
    pub(crate) pseq: BTreeMap<(RunId, TopicPartition), RangeInclusiveSet<i64>>,
    /// Received offsets of foreign messages, which have no key of this project and so no pseq.
    foreign_offsets: ByPartition,
    /// How many foreign messages were received.
    pub(crate) foreign: u64,
    pub(crate) repeated: Offenders,
    pub(crate) produced_twice: Offenders,
}

impl Group {
    /// The account of the replica whose process is `instance`.
    pub(crate) fn member(&mut self, instance: &str) -> &mut Member {
        self.members.entry(instance.to_owned()).or_default()
    }

    /// Records events of sessions in the line with the number `seq`.
    pub(crate) fn add_events(
        &mut self,
        instance: &str,
        seq: u64,
        topic: &str,
        events: impl Iterator<Item = (i32, Event)>,
    ) {
        self.topics.insert(topic.to_owned());
        let sessions = &mut self.member(instance).sessions;
        for (partition, event) in events {
            sessions.entry(TopicPartition::new(topic, partition)).or_default().add(seq, event);
        }
    }

    /// Whether [`add_events`](Self::add_events) recorded the same events for the line with the number `seq`.
    pub(crate) fn has_events(
        &self,
        instance: &str,
        seq: u64,
        topic: &str,
        mut events: impl Iterator<Item = (i32, Event)>,
    ) -> bool {
        let sessions = self.members.get(instance).map(|member| &member.sessions);
        events.all(|(partition, event)| {
            let sessions = sessions.and_then(|sessions| sessions.get(&TopicPartition::new(topic, partition)));
            sessions.is_some_and(|sessions| sessions.contains(seq, event))
        })
    }

    /// Records messages that the line with the number `seq` says were received.
    ///
    /// Returns how many of them have the offset of another received message.
    pub(crate) fn receive(&mut self, instance: &str, seq: u64, topic: &str, range: &Range) -> u64 {
        let partition = TopicPartition::new(topic, range.partition);
        if !self.topics.contains(topic) {
            self.topics.insert(topic.to_owned());
        }
        let member = match self.members.get_mut(instance) {
            Some(member) => member,
            None => self.members.entry(instance.to_owned()).or_default(),
        };
        let sessions = match member.sessions.get_mut(&partition) {
            Some(sessions) => sessions,
            None => member.sessions.entry(partition.clone()).or_default(),
        };
        sessions.receive(seq, range.offset[0], range.offset[1]);
        let replica = &mut member.counts;
        replica.received += range.count();
        let offsets = self.offsets.entry(partition.clone()).or_default();
        let [first_offset, last_offset] = range.offset;
        let (recorded, first_number) = match (range.run, pseq_of(range)) {
            (Some(run), Some((first, _))) => (self.pseq.entry((run, partition.clone())).or_default(), first),
            // Only its offset identifies a foreign message.
            _ => {
                self.foreign += range.count();
                (self.foreign_offsets.entry(partition.clone()).or_default(), first_offset)
            }
        };
        let comparison = Comparison::new(range, first_number, offsets, recorded);
        offsets.insert(first_offset..=last_offset);
        recorded.insert(first_number..=first_number + (last_offset - first_offset));
        for (first, last) in comparison.repeated {
            replica.repeated += length(first, last);
            self.repeated.push(first, last, |offset| Offender::at_offset(Class::Repeated, &partition, offset));
        }
        if let Some(run) = range.run {
            for (first, last) in comparison.produced_twice {
                self.produced_twice
                    .push(first, last, |pseq| Offender::with_key(Class::ProducedTwice, &partition, run, pseq));
            }
        }
        comparison.offset_conflicts
    }
}
