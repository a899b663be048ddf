//! The account: everything that the lines say, as intervals.

mod conclusions;
mod findings;

use std::collections::{BTreeMap, BTreeSet};

use journal::{Entry, Line, Range};
use message::RunId;
use rangemap::RangeInclusiveSet;

use crate::group::Group;
use crate::instance::Instance;
use crate::intervals::{difference, length, overlaps, size, total_length};
use crate::options::Options;
use crate::placement::{Place, Placement};
use crate::run::{ByPartition, Run, TopicPartition};
use crate::session::Event;

/// Everything that the lines say. Lines may be added in any order.
#[derive(Debug, Default)]
pub struct Account {
    options: Options,
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
    /// An empty account.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self { options, ..Self::default() }
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
                self.note_unusable_line(instance);
            }
            return;
        }
        if !is_in_scope(&self.options, &line.entry) {
            known.is_out_of_scope = true;
            return;
        }
        let seq = line.seq;
        match &line.entry {
            Entry::Starting(entry) => {
                if let Some(run) = entry.run {
                    self.run(run, instance);
                }
                if let Some(group) = &entry.group_id {
                    let group = self.group(group);
                    group.topics.insert(entry.topic.clone());
                    group.member(instance);
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
            Entry::RunClosed(entry) => self.run(entry.run, instance).close(entry),
            Entry::Assigned(entry) => {
                let events = Event::of_assigned(entry);
                self.group(&entry.group_id).add_events(instance, seq, &entry.topic, events);
            }
            Entry::Revoked(entry) | Entry::Lost(entry) => {
                let events = Event::of_ended(entry);
                self.group(&entry.group_id).add_events(instance, seq, &entry.topic, events);
            }
            Entry::PositionReset(entry) => {
                let event = (entry.partition, Event::of_reset(entry));
                self.group(&entry.group_id).add_events(instance, seq, &entry.topic, [event].into_iter());
            }
            Entry::Received(entry) => {
                let range = Range::one(entry.partition, entry.offset, entry.run.zip(entry.pseq));
                self.receive(instance, seq, &entry.group_id, &entry.topic, &range);
            }
            Entry::ReceivedSummary(entry) => {
                entry.ranges.iter().for_each(|range| self.receive(instance, seq, &entry.group_id, &entry.topic, range));
                let counts = &mut self.group(&entry.group_id).member(instance).counts;
                counts.bad = entry.bad.values().fold(counts.bad, |sum, count| sum.saturating_add(*count));
            }
            // A sample shows a message that a summary already accounts for.
            Entry::BadMessage(entry) if !entry.sample => {
                let range = Range::one(entry.partition, entry.offset, entry.run.zip(entry.pseq));
                self.receive(instance, seq, &entry.group_id, &entry.topic, &range);
                self.group(&entry.group_id).member(instance).counts.bad += 1;
            }
            Entry::Stopped(entry) => {
                known.stated_count = entry.count;
            }
            Entry::Other if line.account => {
                known.has_unusable_line = true;
                self.not_understood += 1;
            }
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
        let (instance, seq) = (line.instance.as_str(), line.seq);
        if !is_in_scope(&self.options, &line.entry) {
            return true;
        }
        match &line.entry {
            Entry::Assigned(entry) => self
                .groups
                .get(&entry.group_id)
                .is_some_and(|group| group.has_events(instance, seq, &entry.topic, Event::of_assigned(entry))),
            Entry::Revoked(entry) | Entry::Lost(entry) => self
                .groups
                .get(&entry.group_id)
                .is_some_and(|group| group.has_events(instance, seq, &entry.topic, Event::of_ended(entry))),
            Entry::PositionReset(entry) => self.groups.get(&entry.group_id).is_some_and(|group| {
                let event = (entry.partition, Event::of_reset(entry));
                group.has_events(instance, seq, &entry.topic, [event].into_iter())
            }),
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
            Entry::RunClosed(entry) => self.runs.get(&entry.run).is_some_and(|run| run.is_closed_by(entry)),
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
            self.note_unusable_line(instance);
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

    fn group(&mut self, group: &str) -> &mut Group {
        self.groups.entry(group.to_owned()).or_default()
    }

    fn receive(&mut self, instance: &str, seq: u64, group: &str, topic: &str, range: &Range) {
        if range.is_valid() {
            let conflicts = self.group(group).receive(instance, seq, topic, range);
            self.offset_conflicts += conflicts;
        } else {
            self.impossible += 1;
            self.note_unusable_line(instance);
        }
    }

    fn note_unusable_line(&mut self, instance: &str) {
        if let Some(known) = self.instances.get_mut(instance) {
            known.has_unusable_line = true;
        }
    }

    /// Returns how many acknowledged messages are in flight to `group`: they lie above all that its sessions have reached.
    #[must_use]
    pub fn in_flight(&self, group: &str) -> u64 {
        let Some(group) = self.groups.get(group) else {
            return self.acknowledged.values().map(size).sum();
        };
        self.not_received(group)
            .filter(|(_, place, ..)| matches!(place, Place::Beyond))
            .map(|(.., first, last)| length(first, last))
            .sum()
    }

    /// The acknowledged messages that the group should have received and did not, by their place among the group's sessions.
    fn not_received<'a>(&'a self, group: &'a Group) -> impl Iterator<Item = (&'a TopicPartition, Place<'a>, i64, i64)> {
        let acknowledged = self.acknowledged.iter().filter(|(partition, _)| group.topics.contains(&partition.topic));
        acknowledged.flat_map(move |(partition, acknowledged)| {
            let not_received = match group.offsets.get(partition) {
                Some(received) => difference(acknowledged, received),
                None => acknowledged.iter().map(|range| (*range.start(), *range.end())).collect(),
            };
            let placement =
                if not_received.is_empty() { Placement::default() } else { self.placement(group, partition) };
            let divided = not_received.into_iter().flat_map(move |(first, last)| placement.divide(first, last));
            divided.map(move |(place, first, last)| (partition, place, first, last))
        })
    }

    fn placement<'a>(&'a self, group: &'a Group, partition: &TopicPartition) -> Placement<'a> {
        let mut placement = Placement::default();
        for (name, member) in &group.members {
            if let Some(sessions) = member.sessions.get(partition) {
                placement.add(name, self.lacks_lines(name), sessions);
            }
        }
        placement
    }

    /// Whether lines of a process are missing that should be here, or say what the account cannot use.
    fn lacks_lines(&self, instance: &str) -> bool {
        self.instances.get(instance).is_some_and(|known| {
            known.has_unusable_line || if self.options.is_from_here { known.has_inner_gap() } else { known.has_gap() }
        })
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

/// Whether the line is about what the audit was asked about. A line that is about no topic is.
fn is_in_scope(options: &Options, entry: &Entry) -> bool {
    let (topic, group) = match entry {
        Entry::Starting(entry) => (&entry.topic, entry.group_id.as_deref()),
        Entry::TopicFound(entry) => (&entry.topic, None),
        Entry::Delivered(entry) => (&entry.topic, None),
        Entry::DeliveredSummary(entry) => (&entry.topic, None),
        Entry::NotDelivered(entry) => (&entry.topic, None),
        Entry::RunClosed(entry) => (&entry.topic, None),
        Entry::Assigned(entry) => (&entry.topic, Some(entry.group_id.as_str())),
        Entry::Revoked(entry) | Entry::Lost(entry) => (&entry.topic, Some(entry.group_id.as_str())),
        Entry::PositionReset(entry) => (&entry.topic, Some(entry.group_id.as_str())),
        Entry::Received(entry) => (&entry.topic, Some(entry.group_id.as_str())),
        Entry::ReceivedSummary(entry) => (&entry.topic, Some(entry.group_id.as_str())),
        Entry::BadMessage(entry) => (&entry.topic, Some(entry.group_id.as_str())),
        Entry::Stopped(_) | Entry::Other => return true,
    };
    options.includes(topic, group)
}
