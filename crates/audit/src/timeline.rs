//! What happened when: processes, sessions, messages by time and latencies. The verdict does not depend on it, because it rests on
//! clocks; a report shows it.

mod buckets;
mod latencies;
mod processes;
mod sessions;
mod time;

use std::collections::BTreeMap;

use journal::{Entry, Line, Range};
use serde::Serialize;

pub use self::buckets::Bucket;
use self::buckets::Buckets;
use self::latencies::Latencies;
pub use self::latencies::{LatencyReport, SingleLatencies, SummaryLatencies};
use self::processes::Processes;
pub use self::processes::{ProcessReport, StopReport};
use self::sessions::SessionLog;
pub use self::sessions::{RebalanceReport, ResetReport, SessionReport};
pub use self::time::Time;
use crate::instance::Instance;

/// For how many groups latencies are kept.
const GROUPS_MAX: usize = 32;

/// Collects what lines say about time. Lines may be added in any order; memory is bounded, however many there are.
#[derive(Debug, Default)]
pub struct Timeline {
    /// Which lines were added, because log shippers deliver some of them twice.
    instances: BTreeMap<String, Instance>,
    processes: Processes,
    sessions: SessionLog,
    buckets: Buckets,
    acknowledged: Latencies,
    received: BTreeMap<String, Latencies>,
    /// How many lines have no time.
    undated: u64,
    not_kept: u64,
}

/// What happened when.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TimelineReport {
    /// The processes, producers first, in the order of their first lines.
    pub processes: Vec<ProcessReport>,
    /// The sessions, by group, topic, partition and time.
    pub sessions: Vec<SessionReport>,
    /// The changes of owners, by time.
    pub rebalances: Vec<RebalanceReport>,
    /// Positions that were reset, by time.
    pub resets: Vec<ResetReport>,
    /// The length of a bucket.
    pub bucket_seconds: u64,
    /// Messages by time. Buckets without messages are left out.
    pub buckets: Vec<Bucket>,
    /// Latencies of acknowledgements, then of what each group received.
    pub latencies: Vec<LatencyReport>,
    /// How many lines have no time that could be read. They count for the verdict, and are not shown here.
    pub lines_without_time: u64,
    /// How many lines are more than a second older than the line before them: the clock of their process was set back.
    pub clock_steps_back: u64,
    /// How many lines are not shown here because there are too many processes, sessions or groups.
    pub lines_not_shown: u64,
}

impl Timeline {
    /// Adds a line. A line that was added before is ignored.
    pub fn add(&mut self, line: &Line) {
        let known = match self.instances.get_mut(&line.instance) {
            Some(known) => known,
            None => self.instances.entry(line.instance.clone()).or_default(),
        };
        if !known.record(line.seq) {
            return;
        }
        let Some(time) = line.timestamp.millis() else {
            self.undated += 1;
            return;
        };
        self.processes.add(line, Time(time));
        self.add_session(line, Time(time));
        match &line.entry {
            Entry::Delivered(entry) => {
                self.acknowledged.push(entry.latency_ms);
                self.buckets.add(time, 1, 0, None);
            }
            Entry::DeliveredSummary(entry) => {
                let messages = messages(&entry.ranges);
                self.acknowledged.push_summary(messages, &entry.latency_ms);
                self.buckets.add(time, messages, 0, None);
            }
            Entry::Received(entry) => {
                self.buckets.add(time, 0, 1, entry.latency_ms);
                if let (Some(millis), Some(latencies)) = (entry.latency_ms, self.received(&entry.group_id)) {
                    latencies.push(millis);
                }
            }
            Entry::ReceivedSummary(entry) => {
                let messages = messages(&entry.ranges);
                self.buckets.add(time, 0, messages, Some(entry.latency_ms.max));
                if let Some(latencies) = self.received(&entry.group_id) {
                    latencies.push_summary(messages, &entry.latency_ms);
                }
            }
            Entry::BadMessage(entry) if !entry.sample => self.buckets.add(time, 0, 1, None),
            _ => {}
        }
    }

    fn add_session(&mut self, line: &Line, time: Time) {
        let Line { instance, seq, .. } = line;
        match &line.entry {
            Entry::Assigned(entry) => self.sessions.assigned(instance, *seq, time, entry),
            Entry::Revoked(entry) => self.sessions.ended(instance, *seq, time, "revoked", entry),
            Entry::Lost(entry) => self.sessions.ended(instance, *seq, time, "lost", entry),
            Entry::PositionReset(entry) => self.sessions.reset(instance, time, entry),
            _ => {}
        }
    }

    fn received(&mut self, group: &str) -> Option<&mut Latencies> {
        if !self.received.contains_key(group) {
            if self.received.len() == GROUPS_MAX {
                self.not_kept += 1;
                return None;
            }
            self.received.insert(group.to_owned(), Latencies::default());
        }
        self.received.get_mut(group)
    }

    /// What happened when, by all lines that were added.
    #[must_use]
    pub fn report(&self) -> TimelineReport {
        let processes = self.processes.report();
        let acknowledged = self.acknowledged.report("acknowledged", None);
        let received = self.received.iter().map(|(group, of_group)| of_group.report("received", Some(group.clone())));
        let latencies = std::iter::once(acknowledged).chain(received);
        let mut resets = self.sessions.resets.clone();
        resets.sort_by_key(|reset| reset.time);
        TimelineReport {
            sessions: self.sessions.report(&processes),
            rebalances: self.sessions.rebalances(),
            resets,
            processes,
            bucket_seconds: self.buckets.width.unsigned_abs() / 1000,
            buckets: self.buckets.report(),
            latencies: latencies.filter(|of| of.single.is_some() || of.summaries.is_some()).collect(),
            lines_without_time: self.undated,
            clock_steps_back: self.processes.steps_back,
            lines_not_shown: self.not_kept + self.processes.not_kept + self.sessions.not_kept,
        }
    }
}

/// How many messages the ranges hold. A line may state another `count`.
fn messages(ranges: &[Range]) -> u64 {
    ranges.iter().fold(0, |sum, range| sum.saturating_add(range.count()))
}
