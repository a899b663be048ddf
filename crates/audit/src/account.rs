//! The account: everything that the lines say, as intervals.

mod conclusions;

use std::collections::{BTreeMap, BTreeSet};

use journal::{Entry, Line, Range};
use message::RunId;
use rangemap::RangeInclusiveSet;

use crate::group::Group;
use crate::intervals::{overlaps, total_length};
use crate::run::{ByPartition, Run, TopicPartition};

/// Everything that the lines say. Lines may be added in any order.
#[derive(Debug, Default)]
pub struct Account {
    /// Instances that wrote a line.
    heard: BTreeSet<String>,
    /// Instances whose first line, `service starting`, is here.
    started: BTreeSet<String>,
    /// Instances whose last line, `service stopped`, is here, and the number of messages that the line states.
    stopped: BTreeMap<String, Option<u64>>,
    runs: BTreeMap<RunId, Run>,
    /// Acknowledged offsets.
    acknowledged: ByPartition,
    groups: BTreeMap<String, Group>,
    /// Offsets that the broker deleted before the group received them.
    deleted: ByPartition,
    /// How many lines or ranges hold impossible offsets or pseq.
    impossible: u64,
    /// How many messages have the offset of another message, in the producers' lines or in the replicas' lines.
    offset_conflicts: u64,
}

impl Account {
    /// Adds a line.
    pub fn add(&mut self, line: &Line) {
        let instance = line.instance.as_str();
        self.heard.insert(instance.to_owned());
        match &line.entry {
            Entry::Starting(entry) => {
                self.started.insert(instance.to_owned());
                if let Some(run) = entry.run {
                    self.run(run, instance);
                }
                if let Some(group) = &entry.group_id {
                    self.groups.entry(group.clone()).or_default().replicas.entry(instance.to_owned()).or_default();
                }
            }
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
                self.stopped.insert(instance.to_owned(), entry.count);
            }
            Entry::BadMessage(_) | Entry::Other => {}
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
    pub fn forgotten(&mut self, topic: &str, partition: i32, first: i64, last: i64) {
        if first <= last {
            self.deleted.entry(TopicPartition::new(topic, partition)).or_default().insert(first..=last);
        }
    }
}

/// How many offsets are acknowledged and above the last received one.
fn in_flight(acknowledged: &RangeInclusiveSet<i64>, received: Option<&RangeInclusiveSet<i64>>) -> u64 {
    let last = received.and_then(RangeInclusiveSet::last).map_or(-1, |range| *range.end());
    total_length(&overlaps(acknowledged, last + 1, i64::MAX))
}
