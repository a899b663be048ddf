//! Sessions: which replica owned which partition, and when.

use std::collections::BTreeMap;

use journal::{Assigned, Ended, PositionReset};
use serde::Serialize;

use super::processes::ProcessReport;
use super::time::Time;

/// How many partitions in lines about sessions are kept.
const PARTITIONS_MAX: usize = 50_000;
/// How many position resets are kept.
const RESETS_MAX: usize = 2_000;

/// The time in which a replica owned a partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionReport {
    /// Topic.
    pub topic: String,
    /// Consumer group.
    pub group_id: String,
    /// Partition.
    pub partition: i32,
    /// The replica.
    pub instance: String,
    /// When it began.
    pub begin: Time,
    /// What determined where it began: `committed`, `earliest`, `latest` or `unknown`.
    pub begin_reason: &'static str,
    /// The offset of the first message that it could receive.
    pub begin_offset: Option<i64>,
    /// When it ended, or when the last line of its replica was written.
    pub end: Time,
    /// `revoked`, `lost`, `stopped` (with its replica), or `not logged`: the replica was killed or is still running.
    pub end_reason: &'static str,
    /// The offset that it would have received next.
    pub end_offset: Option<i64>,
}

/// A change of the owners, as one replica logged it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RebalanceReport {
    /// When.
    pub time: Time,
    /// The replica.
    pub instance: String,
    /// `assigned`, `revoked` or `lost`.
    pub change: &'static str,
    /// How many partitions.
    pub partitions: usize,
}

/// A position that is not the one after the last received message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ResetReport {
    /// When.
    pub time: Time,
    /// The replica.
    pub instance: String,
    /// Topic.
    pub topic: String,
    /// Consumer group.
    pub group_id: String,
    /// Partition.
    pub partition: i32,
    /// The position before, if it was known.
    pub from: Option<i64>,
    /// The offset that was received instead.
    pub to: i64,
    /// The start of the log at that time, if the broker answered.
    pub log_start: Option<i64>,
}

/// A line about sessions.
#[derive(Debug)]
enum Change {
    Assigned(Assigned),
    Ended(&'static str, Ended),
}

/// Collects the lines about sessions, in any order.
#[derive(Debug, Default)]
pub(super) struct SessionLog {
    /// By instance and number of the line, which is their order within a replica.
    changes: BTreeMap<(String, u64), (Time, Change)>,
    partitions: usize,
    pub(super) resets: Vec<ResetReport>,
    /// How many lines were not kept, because there are too many.
    pub(super) not_kept: u64,
}

impl SessionLog {
    pub(super) fn assigned(&mut self, instance: &str, seq: u64, time: Time, entry: &Assigned) {
        self.keep(instance, seq, time, entry.partitions.len(), || Change::Assigned(entry.clone()));
    }

    pub(super) fn ended(&mut self, instance: &str, seq: u64, time: Time, how: &'static str, entry: &Ended) {
        self.keep(instance, seq, time, entry.partitions.len(), || Change::Ended(how, entry.clone()));
    }

    fn keep(&mut self, instance: &str, seq: u64, time: Time, partitions: usize, change: impl FnOnce() -> Change) {
        // A line without partitions counts too, so that the number of lines is bounded.
        self.partitions += partitions + 1;
        if self.partitions > PARTITIONS_MAX {
            self.not_kept += 1;
        } else {
            self.changes.insert((instance.to_owned(), seq), (time, change()));
        }
    }

    pub(super) fn reset(&mut self, instance: &str, time: Time, entry: &PositionReset) {
        let PositionReset { topic, group_id, partition, from, to, log_start } = entry.clone();
        if self.resets.len() < RESETS_MAX {
            let instance = instance.to_owned();
            self.resets.push(ResetReport { time, instance, topic, group_id, partition, from, to, log_start });
        } else {
            self.not_kept += 1;
        }
    }

    /// All changes, in the order of their times.
    pub(super) fn rebalances(&self) -> Vec<RebalanceReport> {
        let mut rebalances: Vec<_> = self
            .changes
            .iter()
            .map(|((instance, _), (time, change))| {
                let (change, partitions) = match change {
                    Change::Assigned(entry) => ("assigned", entry.partitions.len()),
                    Change::Ended(how, entry) => (*how, entry.partitions.len()),
                };
                RebalanceReport { time: *time, instance: instance.clone(), change, partitions }
            })
            .collect();
        rebalances.sort_by_key(|rebalance| rebalance.time);
        rebalances
    }

    /// The sessions, by group, topic, partition and time.
    pub(super) fn report(&self, processes: &[ProcessReport]) -> Vec<SessionReport> {
        let mut sessions = Vec::new();
        // The sessions of the replica whose lines are being read that have not ended.
        let mut open: BTreeMap<(String, String, i32), SessionReport> = BTreeMap::new();
        let mut changes = self.changes.iter().peekable();
        while let Some(((instance, _), (time, change))) = changes.next() {
            match change {
                Change::Assigned(entry) => {
                    for partition in &entry.partitions {
                        let session = begin(instance, *time, entry, *partition);
                        let key = (entry.group_id.clone(), entry.topic.clone(), *partition);
                        if let Some(replaced) = open.insert(key, session) {
                            sessions.push(SessionReport { end: *time, ..replaced });
                        }
                    }
                }
                Change::Ended(how, entry) => {
                    for partition in &entry.partitions {
                        let key = (entry.group_id.clone(), entry.topic.clone(), *partition);
                        if let Some(session) = open.remove(&key) {
                            let end_offset = offset_of(&entry.positions, *partition);
                            sessions.push(SessionReport { end: *time, end_reason: how, end_offset, ..session });
                        }
                    }
                }
            }
            if changes.peek().is_none_or(|((next, _), _)| next != instance) {
                let process = processes.iter().find(|process| process.instance == *instance);
                let (end, end_reason) = process.map_or((*time, "not logged"), |process| match &process.stopped {
                    Some(stop) => (stop.time, "stopped"),
                    None => (process.last, "not logged"),
                });
                let rest = std::mem::take(&mut open).into_values();
                sessions.extend(rest.map(|session| SessionReport { end, end_reason, ..session }));
            }
        }
        sessions.sort_by(|one, other| {
            let key = |session: &SessionReport| (session.partition, session.begin);
            (&one.group_id, &one.topic, key(one)).cmp(&(&other.group_id, &other.topic, key(other)))
        });
        sessions
    }
}

fn begin(instance: &str, time: Time, entry: &Assigned, partition: i32) -> SessionReport {
    let known =
        [("committed", &entry.begin.committed), ("earliest", &entry.begin.earliest), ("latest", &entry.begin.latest)];
    let known = known.into_iter().find_map(|(reason, begin)| Some((reason, offset_of(begin, partition)?)));
    SessionReport {
        topic: entry.topic.clone(),
        group_id: entry.group_id.clone(),
        partition,
        instance: instance.to_owned(),
        begin: time,
        begin_reason: known.map_or("unknown", |(reason, _)| reason),
        begin_offset: known.map(|(_, offset)| offset),
        end: time,
        end_reason: "not logged",
        end_offset: None,
    }
}

fn offset_of(offsets: &[(i32, i64)], partition: i32) -> Option<i64> {
    offsets.iter().find(|(of, _)| *of == partition).map(|(_, offset)| *offset)
}
