//! How long doubts and violations have lasted.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;

use journal::{Entry, Line};

use super::SETTLED;
use crate::doubt::{Doubt, Subject};
use crate::instance::Instance;
use crate::messages::{Messages, Side};
use crate::offender::Class;
use crate::report::GroupReport;
use crate::run::TopicPartition;

#[derive(Debug, Default)]
pub(super) struct Ages {
    /// For each partition the highest acknowledged offset, with the times at which it was reached, at most one a second.
    acknowledged: BTreeMap<TopicPartition, VecDeque<(Instant, i64)>>,
    /// For each group, the topics that it reads.
    topics: BTreeMap<String, BTreeSet<String>>,
    /// For each group, the highest received offset of each partition.
    received: BTreeMap<String, BTreeMap<TopicPartition, i64>>,
    /// The lines of each process, and since when its first missing line has been missing.
    instances: BTreeMap<String, (Instance, Option<(u64, Instant)>)>,
    /// Since when there has been another doubt, by its text without digits.
    doubts: BTreeMap<String, (Instant, Instant)>,
    /// Since when a group has had a violation of a class.
    violations: BTreeMap<(String, Class), Instant>,
}

impl Ages {
    pub(super) fn add(&mut self, line: &Line, now: Instant) {
        self.add_number(line, now);
        match &line.entry {
            Entry::Starting(entry) => {
                if let Some(group) = &entry.group_id {
                    self.add_topic(group, &entry.topic);
                }
            }
            Entry::Assigned(entry) => self.add_topic(&entry.group_id, &entry.topic),
            entry => {
                if let Some(messages) = Messages::of(entry) {
                    self.add_messages(&messages, now);
                }
            }
        }
    }

    /// Notes that the group reads the topic. Each line of a replica may be the first one to say so, because those before may be missing.
    fn add_topic(&mut self, group: &str, topic: &str) {
        if !self.topics.get(group).is_some_and(|topics| topics.contains(topic)) {
            self.topics.entry(group.to_owned()).or_default().insert(topic.to_owned());
        }
    }

    fn add_messages(&mut self, messages: &Messages<'_>, now: Instant) {
        if let Side::Received { group } = messages.side {
            self.add_topic(group, messages.topic);
        }
        for range in messages.ranges() {
            let (partition, last) = (TopicPartition::new(messages.topic, range.partition), range.offset[1]);
            match messages.side {
                Side::Received { group } => {
                    let received = match self.received.get_mut(group) {
                        Some(known) => known,
                        None => self.received.entry(group.to_owned()).or_default(),
                    };
                    let highest = received.entry(partition).or_insert(last);
                    *highest = last.max(*highest);
                }
                Side::Acknowledged { .. } => acknowledge(self.acknowledged.entry(partition).or_default(), last, now),
            }
        }
    }

    fn add_number(&mut self, line: &Line, now: Instant) {
        let (instance, missing_since) = self.instances.entry(line.instance.clone()).or_default();
        instance.record(line.seq);
        *missing_since = instance
            .first_missing()
            .map(|first| missing_since.filter(|(known, _)| *known == first).unwrap_or((first, now)));
    }

    /// Whether a doubt has lasted so long that no line on its way explains it.
    pub(super) fn is_settled(&mut self, doubt: &Doubt, now: Instant) -> bool {
        match &doubt.subject {
            Subject::MissingLines { instance } => {
                let since = self.instances.get(instance).and_then(|(_, missing_since)| *missing_since);
                return since.is_some_and(|(_, since)| now.duration_since(since) >= SETTLED);
            }
            Subject::InFlight { group } => return self.is_behind(group, now),
            Subject::Other => {}
        }
        let kind: String = doubt.to_string().chars().filter(|c| !c.is_ascii_digit()).collect();
        let (since, last) = self.doubts.entry(kind).or_insert((now, now));
        // It was not there when the state was shown before.
        if now.duration_since(*last) > SETTLED / 4 {
            *since = now;
        }
        *last = now;
        now.duration_since(*since) >= SETTLED
    }

    /// Whether messages are in flight to `group` that were acknowledged long ago.
    fn is_behind(&self, group: &str, now: Instant) -> bool {
        let Some(topics) = self.topics.get(group) else { return true };
        let received =
            |partition| self.received.get(group).and_then(|received| received.get(partition)).copied().unwrap_or(-1);
        let of_group = self.acknowledged.iter().filter(|(partition, _)| topics.contains(&partition.topic));
        of_group.into_iter().any(|(partition, history)| {
            let old = history.iter().rev().find(|(since, _)| now.duration_since(*since) >= SETTLED);
            old.is_some_and(|(_, offset)| *offset > received(partition))
        })
    }

    /// Whether the group has had a violation for long; and those that it has not had for long. Repeats are left out: no line on its way
    /// explains them.
    pub(super) fn violations(&mut self, group: &GroupReport, max_repeats: u64, now: Instant) -> (bool, Vec<String>) {
        let (mut is_settled, mut pending) = (false, Vec::new());
        for class in Class::ALL.into_iter().filter(|class| *class != Class::Repeated) {
            let key = (group.group_id.clone(), class);
            if !group.is_violated_by(class, max_repeats) {
                self.violations.remove(&key);
                continue;
            }
            if now.duration_since(*self.violations.entry(key).or_insert(now)) >= SETTLED {
                is_settled = true;
            } else {
                pending.push(format!("group {}: {} {}", group.group_id, group.count(class), class.name()));
            }
        }
        (is_settled, pending)
    }
}

/// Notes that `offset` is acknowledged. The history has an entry each second at most; the newest absorbs what comes within a second of
/// the one before it, and moves on with it, so that a message is called old up to a second late and never early.
fn acknowledge(history: &mut VecDeque<(Instant, i64)>, offset: i64, now: Instant) {
    if history.back().is_some_and(|(_, highest)| *highest >= offset) {
        return;
    }
    let length = history.len();
    if length >= 2 && now.duration_since(history[length - 2].0).as_millis() < 1000 {
        history[length - 1] = (now, offset);
    } else {
        history.push_back((now, offset));
    }
    while history.len() > 2 && now.duration_since(history[1].0) >= SETTLED {
        history.pop_front();
    }
}
