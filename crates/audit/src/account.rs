//! The account: everything that the lines say, as intervals.

mod conclusions;

use std::collections::{BTreeMap, BTreeSet};

use journal::{Entry, Line, Range};
use message::RunId;
use rangemap::RangeInclusiveSet;

use crate::group::Group;
use crate::instance::Instance;
use crate::intervals::{overlaps, total_length};
use crate::run::{ByPartition, Run, TopicPartition};

/// Everything that the lines say. Lines may be added in any order.
#[derive(Debug, Default)]
pub struct Account {
    /// Whether the evidence is everything that was written.
    is_complete: bool,
    /// The processes that wrote the lines.
    instances: BTreeMap<String, Instance>,
    /// The clusters whose topics the lines are about.
    clusters: BTreeSet<String>,
    runs: BTreeMap<RunId, Run>,
    /// Acknowledged offsets.
    acknowledged: ByPartition,
    groups: BTreeMap<String, Group>,
    /// Offsets that the broker deleted before the group received them.
    deleted: ByPartition,
    /// How many lines or ranges hold impossible offsets or pseq.
    impossible: u64,
    /// How many lines came again with another content.
    contradictions: u64,
    /// How many lines account for messages in a way that this version does not know.
    not_understood: u64,
    /// How many messages have the offset of another message, in the producers' lines or in the replicas' lines.
    offset_conflicts: u64,
}

impl Account {
    /// An account of complete evidence: every line of every producer and replica is going to be added. A message that no line shows
    /// as received was then received by nobody, and is missing.
    ///
    /// With [`Account::default`], the log of a whole replica, or the last lines of a killed one, may not be part of the evidence.
    #[must_use]
    pub fn complete() -> Self {
        Self { is_complete: true, ..Self::default() }
    }

    /// Adds a line. A line that was added before is ignored.
    pub fn add(&mut self, line: &Line) {
        let instance = line.instance.as_str();
        let known = match self.instances.get_mut(instance) {
            Some(known) => known,
            None => self.instances.entry(instance.to_owned()).or_default(),
        };
        if !known.record(line.seq) {
            // Log shippers deliver lines at least once.
            if !self.agrees_with(line) {
                self.contradictions += 1;
            }
            return;
        }
        match &line.entry {
            Entry::Starting(entry) => {
                if let Some(run) = entry.run {
                    self.run(run, instance);
                }
                if let Some(group) = &entry.group_id {
                    let group = self.groups.entry(group.clone()).or_default();
                    group.topics.insert(entry.topic.clone());
                    group.replicas.entry(instance.to_owned()).or_default();
                }
            }
            Entry::TopicFound(entry) => self.clusters.extend(entry.cluster_id.clone()),
            Entry::Delivered(entry) => {
                let range = Range::one(entry.partition, entry.offset, Some((entry.run, entry.pseq)));
                self.acknowledge(instance, entry.run, &entry.topic, &range);
            }
            Entry::DeliveredSummary(entry) => {
                entry.ranges.iter().for_each(|range| self.acknowledge(instance, entry.run, &entry.topic, range));
            }
            Entry::NotDelivered(entry) => self.run(entry.run, instance).not_delivered(entry),
            Entry::RunClosed(entry) => self.run(entry.run, instance).closed = Some(entry.clone()),
            Entry::Received(entry) => {
                let range = Range::one(entry.partition, entry.offset, entry.run.zip(entry.pseq));
                self.receive(instance, &entry.group_id, &entry.topic, &range);
            }
            Entry::ReceivedSummary(entry) => {
                entry.ranges.iter().for_each(|range| self.receive(instance, &entry.group_id, &entry.topic, range));
                self.count_bad(instance, &entry.group_id, entry.bad.values().sum());
            }
            // A sample shows a message that a summary already accounts for.
            Entry::BadMessage(entry) if !entry.sample => {
                let range = Range::one(entry.partition, entry.offset, entry.run.zip(entry.pseq));
                self.receive(instance, &entry.group_id, &entry.topic, &range);
                self.count_bad(instance, &entry.group_id, 1);
            }
            Entry::Stopped(entry) => {
                known.stated_count = entry.count;
            }
            Entry::Other if line.account => self.not_understood += 1,
            Entry::Assigned(_) | Entry::Revoked(_) | Entry::Lost(_) | Entry::PositionReset(_) => {}
            Entry::BadMessage(_) | Entry::Other => {}
        }
    }

    /// Whether a line that was read before says nothing that is not in the account. Only the claims about offsets are compared,
    /// because the account does not keep the lines.
    fn agrees_with(&self, line: &Line) -> bool {
        let contains = |offsets: Option<&ByPartition>, topic: &str, range: &Range| {
            let recorded = offsets.and_then(|offsets| offsets.get(&TopicPartition::new(topic, range.partition)));
            range.is_valid()
                && recorded.is_some_and(|recorded| total_length(&overlaps_of(recorded, range)) == range.count())
        };
        let received = |group: &str| self.groups.get(group).map(|group| &group.offsets);
        match &line.entry {
            Entry::Delivered(entry) => {
                contains(Some(&self.acknowledged), &entry.topic, &Range::one(entry.partition, entry.offset, None))
            }
            Entry::DeliveredSummary(entry) => {
                entry.ranges.iter().all(|range| contains(Some(&self.acknowledged), &entry.topic, range))
            }
            Entry::Received(entry) => {
                let range = Range::one(entry.partition, entry.offset, None);
                contains(received(&entry.group_id), &entry.topic, &range)
            }
            Entry::ReceivedSummary(entry) => {
                entry.ranges.iter().all(|range| contains(received(&entry.group_id), &entry.topic, range))
            }
            Entry::BadMessage(entry) if !entry.sample => {
                let range = Range::one(entry.partition, entry.offset, None);
                contains(received(&entry.group_id), &entry.topic, &range)
            }
            Entry::RunClosed(entry) => self.runs.get(&entry.run).is_some_and(|run| run.closed.as_ref() == Some(entry)),
            _ => true,
        }
    }

    fn run(&mut self, run: RunId, instance: &str) -> &mut Run {
        let run = self.runs.entry(run).or_default();
        run.instances.insert(instance.to_owned());
        run
    }

    fn acknowledge(&mut self, instance: &str, run_id: RunId, topic: &str, range: &Range) {
        if !range.is_valid() {
            self.impossible += 1;
            return;
        }
        let partition = TopicPartition::new(topic, range.partition);
        let offsets = self.acknowledged.entry(partition.clone()).or_default();
        let run = self.runs.entry(run_id).or_default();
        run.instances.insert(instance.to_owned());
        self.offset_conflicts += run.acknowledge(run_id, &partition, range, offsets);
        let [first, last] = range.offset;
        offsets.insert(first..=last);
    }

    fn receive(&mut self, instance: &str, group: &str, topic: &str, range: &Range) {
        if range.is_valid() {
            self.offset_conflicts += self.groups.entry(group.to_owned()).or_default().receive(instance, topic, range);
        } else {
            self.impossible += 1;
        }
    }

    fn count_bad(&mut self, instance: &str, group: &str, count: u64) {
        let group = self.groups.entry(group.to_owned()).or_default();
        group.replicas.entry(instance.to_owned()).or_default().bad += count;
    }

    /// Returns how many acknowledged messages are in flight to `group`: it has received neither them nor a later message of
    /// their partition.
    #[must_use]
    pub fn in_flight(&self, group: &str) -> u64 {
        let received = |partition| self.groups.get(group).and_then(|group| group.offsets.get(partition));
        self.acknowledged.iter().map(|(partition, offsets)| in_flight(offsets, received(partition))).sum()
    }

    /// Returns, for each partition from which `group` has received messages, the offset after the last received one.
    pub fn next_offsets(&self, group: &str) -> impl Iterator<Item = (i32, i64)> {
        let offsets = self.groups.get(group).into_iter().flat_map(|group| &group.offsets);
        offsets.filter_map(|(partition, set)| Some((partition.partition, set.last()?.end() + 1)))
    }

    /// Records that the broker has deleted the offsets from `first` to `last`, and that the group had not received them when
    /// that was noticed.
    ///
    /// If the group never receives them, the report does not call them missing: whether the group would have received them can
    /// no longer be observed, so the report calls the evidence insufficient instead.
    pub fn mark_deleted(&mut self, topic: &str, partition: i32, first: i64, last: i64) {
        if first <= last {
            self.deleted.entry(TopicPartition::new(topic, partition)).or_default().insert(first..=last);
        }
    }
}

fn overlaps_of(set: &RangeInclusiveSet<i64>, range: &Range) -> Vec<(i64, i64)> {
    overlaps(set, range.offset[0], range.offset[1])
}

/// How many offsets are acknowledged and above the last received one.
fn in_flight(acknowledged: &RangeInclusiveSet<i64>, received: Option<&RangeInclusiveSet<i64>>) -> u64 {
    let last = received.and_then(RangeInclusiveSet::last).map_or(-1, |range| *range.end());
    total_length(&overlaps(acknowledged, last + 1, i64::MAX))
}
