//! The account: everything that the lines say, as intervals.

mod conclusions;
mod findings;

use std::collections::{BTreeMap, BTreeSet};

use journal::{Entry, Line, Range};
use message::RunId;

use crate::group::Group;
use crate::instance::Instance;
use crate::intervals::{difference, length, overlaps, size, total_length};
use crate::messages::{Messages, Side};
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
        if let Some(messages) = &Messages::of(&line.entry) {
            // A sample shows a message that a summary already accounts for.
            if !messages.is_sample() {
                self.add_messages(instance, seq, messages);
            }
            return;
        }
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
            Entry::Stopped(entry) => {
                known.stated_count = entry.count;
            }
            Entry::Other if line.account => {
                known.has_unusable_line = true;
                self.not_understood += 1;
            }
            // An event, or messages, which were added above.
            Entry::Other
            | Entry::Delivered(_)
            | Entry::DeliveredSummary(_)
            | Entry::Received(_)
            | Entry::ReceivedSummary(_)
            | Entry::BadMessage(_) => {}
        }
    }

    /// Whether a line that was read before says nothing that is not in the account. Only the claims about offsets are compared,
    /// because the account does not keep the lines.
    fn agrees_with(&self, line: &Line) -> bool {
        let (instance, seq) = (line.instance.as_str(), line.seq);
        if !is_in_scope(&self.options, &line.entry) {
            return true;
        }
        if let Some(messages) = &Messages::of(&line.entry) {
            return messages.is_sample() || self.has_offsets(messages);
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
            Entry::RunClosed(entry) => self.runs.get(&entry.run).is_some_and(|run| run.is_closed_by(entry)),
            _ => true,
        }
    }

    /// Whether the offsets of all these messages are in the account.
    fn has_offsets(&self, messages: &Messages<'_>) -> bool {
        let offsets = match messages.side {
            Side::Acknowledged { .. } => Some(&self.acknowledged),
            Side::Received { group } => self.groups.get(group).map(|group| &group.offsets),
        };
        messages.ranges().iter().all(|range| {
            let partition = TopicPartition::new(messages.topic, range.partition);
            let recorded = offsets.and_then(|offsets| offsets.get(&partition));
            // An impossible pseq does not matter here, because only the offsets are compared.
            let has_valid_offsets = Range { run: None, pseq: None, ..*range }.is_valid();
            let [first, last] = range.offset;
            has_valid_offsets
                && recorded.is_some_and(|recorded| total_length(&overlaps(recorded, first, last)) == range.count())
        })
    }

    fn run(&mut self, run: RunId, instance: &str) -> &mut Run {
        let run = self.runs.entry(run).or_default();
        run.instances.insert(instance.to_owned());
        run
    }

    fn add_messages(&mut self, instance: &str, seq: u64, messages: &Messages<'_>) {
        let topic = messages.topic;
        match messages.side {
            Side::Acknowledged { run } => {
                messages.ranges().iter().for_each(|range| self.acknowledge(instance, run, topic, range));
            }
            Side::Received { group } => {
                messages.ranges().iter().for_each(|range| self.receive(instance, seq, group, topic, range));
                if let Some(bad) = messages.bad() {
                    let counts = &mut self.group(group).member(instance).counts;
                    counts.bad = counts.bad.saturating_add(bad);
                }
            }
        }
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
        if !run.instances.contains(instance) {
            run.instances.insert(instance.to_owned());
        }
        self.offset_conflicts += run.acknowledge(run_id, &partition, range, offsets);
        let [first, last] = range.offset;
        offsets.insert(first..=last);
    }

    fn group(&mut self, group: &str) -> &mut Group {
        self.groups.entry(group.to_owned()).or_default()
    }

    fn receive(&mut self, instance: &str, seq: u64, group: &str, topic: &str, range: &Range) {
        if range.is_valid() {
            let group = match self.groups.get_mut(group) {
                Some(known) => known,
                None => self.groups.entry(group.to_owned()).or_default(),
            };
            self.offset_conflicts += group.receive(instance, seq, topic, range);
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
