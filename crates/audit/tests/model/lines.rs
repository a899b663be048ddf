//! The lines of a history, as the processes write them.

use std::collections::BTreeMap;

use journal::{
    Assigned, Beginnings, DeliveredSummary, Ended, Entry, LatencyMillis, Line, PositionReset, Range, ReceivedSummary,
    Starting, Stopped,
};
use message::RunId;

use crate::history::{Begin, End, PARTITIONS, Placed, Read};

pub(crate) fn topic_partition(log: usize) -> (String, i32) {
    (format!("topic-{}", log / PARTITIONS), (log % PARTITIONS) as i32)
}

/// Writes the lines of the processes, each with its numbers.
#[derive(Default)]
pub(crate) struct Writer {
    pub(crate) lines: Vec<Line>,
    next: BTreeMap<String, u64>,
}

impl Writer {
    pub(crate) fn write(&mut self, instance: &str, entry: Entry) {
        let next = self.next.entry(instance.to_owned()).or_default();
        let account = !matches!(entry, Entry::Other);
        self.lines.push(Line {
            entry,
            instance: instance.to_owned(),
            seq: *next,
            timestamp: journal::Timestamp::default(),
            account,
        });
        *next += 1;
    }

    pub(crate) fn start(&mut self, instance: &str, topic: &str, run: Option<RunId>, group: Option<String>) {
        let (service, version, topic) = (String::new(), String::new(), topic.to_owned());
        self.write(
            instance,
            Entry::Starting(Starting { service, version, topic, run, group_id: group, settings: Default::default() }),
        );
    }

    pub(crate) fn begin(&mut self, name: &str, group: usize, topic: &str, partition: i32, begin: Begin, first: i64) {
        let mut beginnings = Beginnings::default();
        match begin {
            Begin::Committed(below) => beginnings.committed.push((partition, first - below)),
            Begin::Earliest(below) => beginnings.earliest.push((partition, first - below)),
            Begin::Latest(below) => beginnings.latest.push((partition, first - below)),
            Begin::Unknown => beginnings.unknown.push(partition),
            Begin::NotWritten => return,
        }
        let (topic, group_id) = (topic.to_owned(), group_id(group));
        let (partitions, owned) = (vec![partition], Vec::new());
        self.write(name, Entry::Assigned(Assigned { topic, group_id, partitions, owned, begin: beginnings }));
    }

    pub(crate) fn end(
        &mut self,
        name: &str,
        group: usize,
        topic: &str,
        partition: i32,
        end: End,
        position: Option<i64>,
    ) {
        let (topic, group_id) = (topic.to_owned(), group_id(group));
        let positions = |further| position.map(|position| (partition, position + further)).into_iter().collect();
        let ended = |further| Ended {
            topic,
            group_id,
            partitions: vec![partition],
            owned: Vec::new(),
            positions: positions(further),
            not_committed: Vec::new(),
        };
        match end {
            End::Revoked => self.write(name, Entry::Revoked(ended(0))),
            End::Lost => self.write(name, Entry::Lost(ended(0))),
            End::Overstated(further) => self.write(name, Entry::Revoked(ended(further))),
            End::NotWritten => {}
        }
    }

    /// Writes the lines of a session that reads `messages`, the first of which would be at `first`. Returns how many it received.
    pub(crate) fn write_session(
        &mut self,
        name: &str,
        read: &Read,
        log: usize,
        first: i64,
        messages: &[Placed],
    ) -> u64 {
        let (topic, partition) = topic_partition(log);
        self.begin(name, read.group, &topic, partition, read.begin, first);
        let mut reset = |from, to, log_start| {
            let (topic, group_id) = (topic.clone(), group_id(read.group));
            self.write(name, Entry::PositionReset(PositionReset { topic, group_id, partition, from, to, log_start }));
        };
        if let (Begin::Unknown, [first, ..]) = (read.begin, messages) {
            reset(None, first.offset, Some(first.offset - first.offset % 2));
        }
        let mut messages = messages.to_vec();
        if let Some(further) = read.deleted
            && messages.len() > 2
        {
            let deleted = messages.remove(messages.len() / 2);
            let next = messages[messages.len() / 2];
            reset(Some(deleted.offset), next.offset, (further >= 0).then_some(next.offset - further));
        }
        write_reads(self, name, read.group, log, &messages);
        let position = messages.last().map(|last| last.offset + 1);
        let begun = (!matches!(read.begin, Begin::Unknown)).then_some(first);
        self.end(name, read.group, &topic, partition, read.end, position.or(begun));
        messages.len() as u64
    }

    pub(crate) fn stop(&mut self, instance: &str, count: u64) {
        let (reason, not_committed) = (String::new(), Vec::new());
        let stopped = Stopped { exit_code: 0, reason, count: Some(count), not_delivered: None, not_committed };
        self.write(instance, Entry::Stopped(stopped));
    }
}

pub(crate) fn run_id(run: usize) -> RunId {
    format!("0198f0c2a1b27c3d8e4f5a6b7c8d9e{run:02x}").parse().expect("a run id")
}

pub(crate) fn group_id(group: usize) -> String {
    format!("group-{group}")
}

pub(crate) fn replica_name(group: usize, replica: usize) -> String {
    format!("replica-{group}-{replica}")
}

pub(crate) fn delivered(topic: &str, run: RunId, range: Range) -> Entry {
    Entry::DeliveredSummary(DeliveredSummary {
        count: range.count(),
        rate_per_sec: 0.0,
        latency_ms: LatencyMillis::default(),
        outstanding: 0,
        topic: topic.to_owned(),
        run,
        ranges: vec![range],
    })
}

pub(crate) fn received(group: usize, topic: &str, range: Range) -> Entry {
    Entry::ReceivedSummary(ReceivedSummary {
        count: range.count(),
        rate_per_sec: 0.0,
        latency_ms: LatencyMillis::default(),
        bad: BTreeMap::new(),
        topic: topic.to_owned(),
        group_id: group_id(group),
        ranges: vec![range],
    })
}

/// Writes consecutive messages as one range where offsets and pseq continue, as the services do.
fn write_reads(writer: &mut Writer, name: &str, group: usize, log: usize, messages: &[Placed]) {
    let (topic, partition) = topic_partition(log);
    let mut open: Option<Range> = None;
    for message in messages {
        let next = Range::one(partition, message.offset, message.key.map(|(run, pseq)| (run_id(run), pseq)));
        match &mut open {
            Some(range) if continues(range, &next) => {
                range.offset[1] = next.offset[1];
                if let (Some(pseq), Some([_, last])) = (&mut range.pseq, next.pseq) {
                    pseq[1] = last;
                }
            }
            _ => {
                if let Some(range) = open.replace(next) {
                    writer.write(name, received(group, &topic, range));
                }
            }
        }
    }
    if let Some(range) = open {
        writer.write(name, received(group, &topic, range));
    }
}

fn continues(range: &Range, next: &Range) -> bool {
    let pseq = match (range.pseq, next.pseq) {
        (None, None) => true,
        (Some([_, last]), Some([first, _])) => range.run == next.run && last + 1 == first,
        _ => false,
    };
    pseq && range.offset[1] + 1 == next.offset[0]
}
