//! What is going on: a small state that follows the lines of all services, the state of the broker, and the user's commands.
//!
//! The page shows it, the stories wait for it, and the verdict takes from it which repeats are permitted. Its size depends on the
//! number of partitions, groups and replicas, and not on the number of messages.

mod frame;
mod group;
mod permits;
mod producer;
mod replica;
mod timeline;
mod topic;
mod traffic;

use std::time::{Duration, Instant};

use journal::{Entry, Line};
use serde::Serialize;

pub(crate) use self::frame::{Frames, Sections};
pub(crate) use self::group::Group;
pub(crate) use self::producer::Producer;
pub(crate) use self::replica::{Replica, ReplicaState, Reset};
pub(crate) use self::timeline::{Kind, Timeline};
pub(crate) use self::topic::Topic;
pub(crate) use self::traffic::Traffic;
use crate::evidence::PartitionState;

/// After a freeze or an outage has ended, how long sessions may still be lost because of it. A replica notices after at most the session
/// timeout of 4 s that the group has continued without it, and the group then takes as long to form again.
const AFTERMATH: Duration = Duration::from_secs(30);

/// Longer than anybody leaves the broker down.
const OUTAGE_MAX: Duration = Duration::from_secs(7 * 86_400);

/// The state of the whole demonstration.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) topic: Topic,
    pub(crate) producer: Producer,
    pub(crate) groups: Vec<Group>,
    /// All that run, and those that ended last.
    pub(crate) replicas: Vec<Replica>,
    pub(crate) broker: Broker,
    pub(crate) timeline: Timeline,
    pub(crate) traffic: Traffic,
    /// Where the demonstration stands, in one sentence.
    pub(crate) phase: &'static str,
}

/// The broker, or the cluster.
#[derive(Debug, Serialize)]
pub(crate) struct Broker {
    pub(crate) is_up: bool,
    /// Whether it is the embedded one, which can be taken away.
    pub(crate) is_own: bool,
    /// Its address, for clients of the user's own.
    pub(crate) address: String,
}

impl Model {
    pub(crate) fn new(topic: &str, partitions: usize, broker: Broker, producer: Producer) -> Self {
        Self {
            topic: Topic::new(topic, partitions),
            producer,
            groups: Vec::new(),
            replicas: Vec::new(),
            broker,
            timeline: Timeline::default(),
            traffic: Traffic::default(),
            phase: "running",
        }
    }

    pub(crate) fn add_group(&mut self, name: &str) {
        if self.group(name).is_none() {
            self.groups.push(Group::new(name, self.topic.partitions()));
        }
    }

    pub(crate) fn group(&self, name: &str) -> Option<&Group> {
        self.groups.iter().find(|group| group.name == name)
    }

    pub(crate) fn add_replica(&mut self, mut replica: Replica, now: Instant) {
        self.add_group(&replica.group);
        if !self.broker.is_up {
            replica.disturbed_until = Some(now + OUTAGE_MAX);
        }
        self.replicas.push(replica);
        self.forget_ended_replicas();
    }

    pub(crate) fn replica(&self, name: &str) -> Option<&Replica> {
        self.replicas.iter().find(|replica| replica.name == name)
    }

    pub(crate) fn replica_mut(&mut self, name: &str) -> Option<&mut Replica> {
        self.replicas.iter_mut().find(|replica| replica.name == name)
    }

    /// The replicas of a group whose processes run, frozen ones included.
    pub(crate) fn live_replicas<'a>(&'a self, group: &'a str) -> impl Iterator<Item = &'a Replica> {
        self.replicas.iter().filter(move |replica| replica.group == group && replica.state.is_alive())
    }

    /// Keeps the ended replicas that the page shows.
    fn forget_ended_replicas(&mut self) {
        const SHOWN_MAX: usize = 4;
        while self.replicas.iter().filter(|replica| !replica.state.is_alive()).count() > SHOWN_MAX {
            let Some(oldest) = self.replicas.iter().position(|replica| !replica.state.is_alive()) else { return };
            self.replicas.remove(oldest);
        }
    }

    /// Follows one line of a service.
    pub(crate) fn add_line(&mut self, service: &str, line: &Line, now: Instant) {
        match &line.entry {
            Entry::Delivered(entry) => {
                self.acknowledge(entry.partition, [entry.offset, entry.offset], Some(entry.num));
                self.producer.last_latency_ms = Some(entry.latency_ms);
            }
            Entry::DeliveredSummary(entry) => {
                entry.ranges.iter().for_each(|range| self.acknowledge(range.partition, range.offset, None));
                self.producer.last_latency_ms = Some(entry.latency_ms.p50);
            }
            Entry::Received(entry) => {
                self.receive(service, entry.partition, [entry.offset, entry.offset], Some(entry.num), now);
            }
            Entry::ReceivedSummary(entry) => {
                let ranges = entry.ranges.iter();
                ranges.for_each(|range| self.receive(service, range.partition, range.offset, None, now));
            }
            Entry::BadMessage(entry) => {
                if !entry.sample {
                    self.receive(service, entry.partition, [entry.offset, entry.offset], None, now);
                }
                let payload = entry.payload.as_deref().unwrap_or("no payload");
                let text = format!("{service} skipped a message that it cannot decode ({}): {payload}", entry.kind);
                self.timeline.add(Kind::Bad, service, text);
            }
            Entry::Assigned(entry) => self.assign(service, &entry.partitions, &entry.owned, now),
            Entry::Revoked(entry) => self.end_sessions(service, &entry.partitions, &entry.owned, Kind::Revoked, now),
            Entry::Lost(entry) => self.end_sessions(service, &entry.partitions, &entry.owned, Kind::Lost, now),
            Entry::Stopped(entry) => {
                if let Some(replica) = self.replica_mut(service) {
                    replica.has_uncommitted_end = !entry.not_committed.is_empty();
                }
            }
            _ => {}
        }
    }

    fn acknowledge(&mut self, partition: i32, [first, last]: [i64; 2], num: Option<u64>) {
        self.topic.extend(partition, last + 1);
        let count = u64::try_from(last - first + 1).unwrap_or(0);
        self.producer.acknowledged += count;
        self.traffic.send(partition, last, num, count);
    }

    fn receive(&mut self, service: &str, partition: i32, range: [i64; 2], num: Option<u64>, now: Instant) {
        self.topic.extend(partition, range[1] + 1);
        let Some(replica) = self.replicas.iter_mut().find(|replica| replica.name == service) else { return };
        let count = u64::try_from(range[1] - range[0] + 1).unwrap_or(0);
        replica.received += count;
        replica.received_at = Some(now);
        let is_disturbed = replica.is_disturbed(now);
        let Some(group) = self.groups.iter_mut().find(|group| group.name == replica.group) else { return };
        let repeated = group.receive(service, partition, range, is_disturbed);
        replica.repeated += repeated;
        self.traffic.receive(service, partition, range[1], num, count, repeated > 0);
    }

    fn assign(&mut self, service: &str, partitions: &[i32], owned: &[i32], now: Instant) {
        let Some(replica) = self.replicas.iter_mut().find(|replica| replica.name == service) else { return };
        replica.owned = owned.to_vec();
        replica.has_joined = true;
        if replica.state == ReplicaState::Starting {
            replica.state = ReplicaState::Running;
        }
        let group_name = replica.group.clone();
        let Some(group) = self.groups.iter_mut().find(|group| group.name == group_name) else { return };
        for partition in partitions {
            let is_permitted = match group.owner(*partition).filter(|previous| *previous != service) {
                // The previous owner has not given the partition up: the group has continued without it.
                Some(previous) => {
                    let previous = self.replicas.iter().find(|replica| replica.name == previous);
                    previous.is_none_or(|previous| previous.is_disturbed(now))
                }
                // It has, with a commit. The embedded broker, unlike Kafka, refuses commits while the group rebalances.
                None => true,
            };
            if is_permitted {
                group.permit_uncommitted(*partition);
            }
            group.set_owner(*partition, service);
        }
        let text = match (partitions, owned) {
            ([], []) => format!("{service} is a member without a partition"),
            ([], owned) => format!("{service} keeps {}", list(owned)),
            (new, owned) if new.len() == owned.len() => format!("{service} gets {}", list(new)),
            (new, owned) => format!("{service} gets {}, and owns {}", list(new), list(owned)),
        };
        self.timeline.add(Kind::Assigned, service, text);
    }

    fn end_sessions(&mut self, service: &str, partitions: &[i32], owned: &[i32], kind: Kind, now: Instant) {
        let Some(replica) = self.replicas.iter_mut().find(|replica| replica.name == service) else { return };
        replica.owned = owned.to_vec();
        let is_disturbed = replica.is_disturbed(now);
        let Some(group) = self.groups.iter_mut().find(|group| group.name == replica.group) else { return };
        for partition in
            partitions.iter().filter(|partition| group.owner(**partition) == Some(service)).copied().collect::<Vec<_>>()
        {
            group.clear_owner(partition);
            if is_disturbed {
                group.permit_uncommitted(partition);
            }
        }
        if partitions.is_empty() {
            return;
        }
        let what = if kind == Kind::Lost { "has lost" } else { "gives up" };
        self.timeline.add(kind, service, format!("{service} {what} {}", list(partitions)));
    }

    /// A replica's process has ended. Without a last commit, what it processed since then may be repeated.
    pub(crate) fn end_replica(&mut self, service: &str, state: ReplicaState, now: Instant) {
        let Some(replica) = self.replicas.iter_mut().find(|replica| replica.name == service) else { return };
        replica.state = state;
        replica.owned.clear();
        let permits = state == ReplicaState::Killed || replica.is_disturbed(now);
        if let Some(group) = self.groups.iter_mut().find(|group| group.name == replica.group) {
            for partition in group.owned_by(service) {
                group.clear_owner(partition);
                if permits {
                    group.permit_uncommitted(partition);
                }
            }
        }
        self.forget_ended_replicas();
    }

    /// Notes whether a replica is frozen. Returns whether that has changed.
    pub(crate) fn set_frozen(&mut self, service: &str, is_frozen: bool, now: Instant) -> bool {
        let Some(replica) = self.replica_mut(service) else { return false };
        match (replica.state, is_frozen) {
            (ReplicaState::Starting | ReplicaState::Running | ReplicaState::Stopping, true) => {
                replica.state = ReplicaState::Frozen;
                true
            }
            (ReplicaState::Frozen, false) => {
                replica.state = if replica.has_joined { ReplicaState::Running } else { ReplicaState::Starting };
                replica.disturbed_until = Some(now + AFTERMATH);
                true
            }
            _ => false,
        }
    }

    /// Notes whether the broker is reachable.
    pub(crate) fn set_broker(&mut self, is_up: bool, now: Instant) {
        self.broker.is_up = is_up;
        // While it is down, the end of the outage is not known.
        let until = now + if is_up { AFTERMATH } else { OUTAGE_MAX };
        self.replicas.iter_mut().for_each(|replica| replica.disturbed_until = Some(until));
    }

    /// Takes up what the broker says about a group and a partition.
    pub(crate) fn add_state(&mut self, state: &PartitionState) {
        self.topic.extend(state.partition, state.end);
        self.topic.set_oldest(state.partition, state.oldest);
        if let Some(group) = self.groups.iter_mut().find(|group| group.name == state.group) {
            group.commit(state.partition, state.committed);
        }
    }

    /// To be called about once a second: finds out which replicas fall behind.
    pub(crate) fn tick(&mut self, now: Instant) {
        self.topic.remember_ends(now);
        for replica in &mut self.replicas {
            let Some(group) = self.groups.iter().find(|group| group.name == replica.group) else { continue };
            let is_late = |partition: &i32| group.next(*partition) < self.topic.old_end(*partition);
            let is_behind = replica.state.is_alive() && replica.owned.iter().any(is_late);
            if is_behind && !replica.is_behind {
                let text =
                    format!("{} falls behind: it has not received messages that are five seconds old", replica.name);
                self.timeline.add(Kind::Warning, &replica.name, text);
            }
            replica.is_behind = is_behind;
        }
    }
}

/// Partitions as a reader names them: `partition 3`, `partitions 1, 2, 3`, or at most a dozen of many.
fn list(partitions: &[i32]) -> String {
    const SHOWN_MAX: usize = 12;
    let shown: Vec<String> = partitions.iter().take(SHOWN_MAX).map(ToString::to_string).collect();
    let more = partitions.len().saturating_sub(SHOWN_MAX);
    match (partitions.len(), more) {
        (1, _) => format!("partition {}", shown[0]),
        (_, 0) => format!("partitions {}", shown.join(", ")),
        (_, more) => format!("partitions {} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests;
