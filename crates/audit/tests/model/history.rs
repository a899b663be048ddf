//! Random histories: what is in the logs of some partitions, what the producers and the replicas say about it, and what of their lines
//! reached the evidence.

use std::collections::{BTreeMap, BTreeSet};

use audit::Options;
use journal::{Entry, LastOfPartition, Line, NotDelivered, Outcome, Range, RunClosed};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::Index;

use crate::lines::{Writer, delivered, group_id, received, replica_name, run_id, topic_partition};

/// Runs, groups, replicas per group, topics and partitions per topic.
const RUNS: usize = 2;
const GROUPS: usize = 2;
const REPLICAS: usize = 2;
const TOPICS: usize = 2;
pub(crate) const PARTITIONS: usize = 2;

/// One place in the log of a partition, or one message that never got there.
#[derive(Debug, Clone, Copy)]
enum Slot {
    /// A message of a run, with what the producer says about it.
    Written { run: usize, said: Said },
    /// The previous message of that run to the partition, written once more.
    WrittenTwice { run: usize, said: Said },
    /// A message of a run that is not in the log.
    NotWritten { run: usize, said: Said },
    /// A message of another producer.
    Foreign,
    /// An offset without a message, such as the marker of a transaction.
    Empty,
}

/// What the producer's lines say about a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Acknowledged,
    Rejected,
    Unknown,
    Nothing,
}

/// A session: a replica reads messages of a partition, from one place to another.
#[derive(Debug, Clone)]
pub(crate) struct Read {
    pub(crate) group: usize,
    pub(crate) replica: usize,
    pub(crate) log: Index,
    pub(crate) from: Index,
    pub(crate) count: usize,
    pub(crate) begin: Begin,
    pub(crate) end: End,
    /// In the middle of the session, a message is deleted before it is read, and the log begins that far from the next one.
    pub(crate) deleted: Option<i64>,
}

/// How a session begins.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Begin {
    /// At the committed offset, so far below the first message that the session reads.
    Committed(i64),
    Earliest(i64),
    Latest(i64),
    /// At its first message.
    Unknown,
    /// No line says so.
    NotWritten,
}

/// How a session ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum End {
    Revoked,
    Lost,
    /// The lines say that it went that much further than to its last message.
    Overstated(i64),
    /// No line says so.
    NotWritten,
}

/// What happens to the lines on their way into the evidence.
#[derive(Debug, Clone)]
struct Damage {
    lost: Vec<Index>,
    doubled: Vec<Index>,
    moved: Vec<(Index, Index)>,
}

/// A history, and the evidence of it.
#[derive(Debug, Clone)]
pub(crate) struct History {
    logs: Vec<Vec<Slot>>,
    reads: Vec<Read>,
    stopped: Vec<bool>,
    damage: Damage,
    /// The lines in the evidence.
    pub(crate) lines: Vec<Line>,
    /// What is said about the evidence.
    pub(crate) options: Options,
}

fn said() -> impl Strategy<Value = Said> {
    prop_oneof![
        8 => Just(Said::Acknowledged),
        1 => Just(Said::Rejected),
        1 => Just(Said::Unknown),
        1 => Just(Said::Nothing),
    ]
}

fn slot() -> impl Strategy<Value = Slot> {
    let run = 0..RUNS;
    prop_oneof![
        20 => (run.clone(), said()).prop_map(|(run, said)| Slot::Written { run, said }),
        1 => (run.clone(), said()).prop_map(|(run, said)| Slot::WrittenTwice { run, said }),
        1 => (run, prop_oneof![Just(Said::Rejected), Just(Said::Unknown), Just(Said::Nothing)])
            .prop_map(|(run, said)| Slot::NotWritten { run, said }),
        1 => Just(Slot::Foreign),
        1 => Just(Slot::Empty),
    ]
}

fn read() -> impl Strategy<Value = Read> {
    let below = || prop_oneof![3 => Just(0_i64), 1 => 1..4_i64];
    let begin = prop_oneof![
        6 => below().prop_map(Begin::Committed),
        4 => below().prop_map(Begin::Earliest),
        2 => below().prop_map(Begin::Latest),
        1 => Just(Begin::Unknown),
        1 => Just(Begin::NotWritten),
    ];
    let end = prop_oneof![
        6 => Just(End::Revoked),
        2 => Just(End::Lost),
        1 => (1..3_i64).prop_map(End::Overstated),
        3 => Just(End::NotWritten),
    ];
    let deleted = prop_oneof![6 => Just(None), 1 => (-1..3_i64).prop_map(Some)];
    let place = (any::<Index>(), any::<Index>(), 0..20_usize);
    (0..GROUPS, 0..REPLICAS, place, begin, end, deleted).prop_map(|(group, replica, place, begin, end, deleted)| {
        let (log, from, count) = place;
        Read { group, replica, log, from, count, begin, end, deleted }
    })
}

fn damage() -> impl Strategy<Value = Damage> {
    (vec(any::<Index>(), 0..3), vec(any::<Index>(), 0..3), vec(any::<(Index, Index)>(), 0..8))
        .prop_map(|(lost, doubled, moved)| Damage { lost, doubled, moved })
}

/// Any history.
pub(crate) fn history() -> impl Strategy<Value = History> {
    let logs = vec(vec(slot(), 0..15), TOPICS * PARTITIONS);
    // Each process stops in order or is killed. Its last line may state a wrong count, and that of a run may state an earlier end.
    let rarely = || (0..10_u8).prop_map(|number| number == 0);
    let processes = RUNS + GROUPS * REPLICAS;
    let options = (any::<bool>(), any::<bool>()).prop_map(|(is_complete, is_from_here)| Options {
        is_complete,
        is_from_here,
        ..Options::default()
    });
    let flags = (vec(any::<bool>(), processes), vec(rarely(), processes), vec(rarely(), RUNS), options);
    (logs, vec(read(), 0..12), flags, damage()).prop_map(|(logs, reads, flags, damage)| {
        let (stopped, wrong, understated, options) = flags;
        let mut history = History { logs, reads, stopped, damage, lines: Vec::new(), options };
        let written = history.written(&wrong, &understated);
        history.lines = history.damaged(written);
        history
    })
}

/// A message in a log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placed {
    pub(crate) offset: i64,
    pub(crate) key: Option<(usize, u64)>,
}

/// What a producer says about a message.
#[derive(Debug, Clone, Copy)]
struct Claim {
    run: usize,
    log: usize,
    pseq: u64,
    /// The offset, if the message is in the log.
    offset: Option<i64>,
    said: Said,
}

impl History {
    /// The messages of each log in order, and what the producers say about theirs.
    fn place(&self) -> (Vec<Vec<Placed>>, Vec<Claim>) {
        let (mut logs, mut claims) = (Vec::new(), Vec::new());
        for (log, slots) in self.logs.iter().enumerate() {
            let mut pseq = [0_u64; RUNS];
            let (mut placed, mut offset) = (Vec::new(), 0);
            for slot in slots {
                match *slot {
                    Slot::Written { run, said } => {
                        pseq[run] += 1;
                        placed.push(Placed { offset, key: Some((run, pseq[run])) });
                        claims.push(Claim { run, log, pseq: pseq[run], offset: Some(offset), said });
                        offset += 1;
                    }
                    Slot::WrittenTwice { run, said } if pseq[run] > 0 => {
                        placed.push(Placed { offset, key: Some((run, pseq[run])) });
                        // A report is made once for each message: only an acknowledgement can come a second time.
                        if said == Said::Acknowledged {
                            claims.push(Claim { run, log, pseq: pseq[run], offset: Some(offset), said });
                        }
                        offset += 1;
                    }
                    Slot::NotWritten { run, said } => {
                        pseq[run] += 1;
                        claims.push(Claim { run, log, pseq: pseq[run], offset: None, said });
                    }
                    Slot::Foreign => {
                        placed.push(Placed { offset, key: None });
                        offset += 1;
                    }
                    Slot::Empty | Slot::WrittenTwice { .. } => offset += 1,
                }
            }
            logs.push(placed);
        }
        (logs, claims)
    }

    /// Everything that the processes write. `wrong` are the processes that state a wrong count at their end, `understated` the runs that
    /// state an end before their last message.
    fn written(&self, wrong: &[bool], understated: &[bool]) -> Vec<Line> {
        let mut writer = Writer::default();
        let (logs, claims) = self.place();
        for run in 0..RUNS {
            let producer = format!("producer-{run}");
            writer.start(&producer, "topic-0", Some(run_id(run)), None);
            let mut counts = [0_u64; 3];
            let mut last = BTreeMap::new();
            for Claim { log, pseq, offset, said, .. } in claims.iter().filter(|claim| claim.run == run) {
                let (topic, partition) = topic_partition(*log);
                last.entry(partition).and_modify(|last: &mut u64| *last = (*last).max(*pseq)).or_insert(*pseq);
                let not_delivered = |outcome| {
                    Entry::NotDelivered(NotDelivered {
                        outcome,
                        count: 1,
                        num: Vec::new(),
                        topic: topic.clone(),
                        partition,
                        pseq: vec![[*pseq; 2]],
                        run: run_id(run),
                        error: String::new(),
                    })
                };
                match (said, offset) {
                    (Said::Acknowledged, Some(offset)) => {
                        counts[0] += 1;
                        let range = Range::one(partition, *offset, Some((run_id(run), *pseq)));
                        writer.write(&producer, delivered(&topic, run_id(run), range));
                    }
                    (Said::Rejected, _) => {
                        counts[1] += 1;
                        writer.write(&producer, not_delivered(Outcome::Rejected));
                    }
                    (Said::Unknown, _) => {
                        counts[2] += 1;
                        writer.write(&producer, not_delivered(Outcome::Unknown));
                    }
                    _ => {}
                }
            }
            if self.stopped[run] {
                let [acknowledged, rejected, unknown] = counts;
                let short = u64::from(understated[run]);
                let last = last.into_iter().map(|(partition, last)| (partition, last - short));
                let partitions: Vec<_> =
                    last.map(|(partition, last_pseq)| LastOfPartition { partition, last_pseq }).collect();
                // A run closes in one line, or in one line for each partition.
                let is_split = acknowledged % 2 == 1;
                let parts = if is_split { partitions.chunks(1).collect() } else { vec![partitions.as_slice()] };
                for part in parts {
                    writer.write(
                        &producer,
                        Entry::RunClosed(RunClosed {
                            run: run_id(run),
                            topic: "topic-0".to_owned(),
                            accepted: acknowledged + rejected + unknown,
                            acknowledged: acknowledged + u64::from(wrong[run]),
                            rejected,
                            unknown,
                            partition_count: is_split.then_some(partitions.len()),
                            partitions: part.to_vec(),
                        }),
                    );
                }
                writer.stop(&producer, acknowledged);
            }
        }
        for group in 0..GROUPS {
            for replica in 0..REPLICAS {
                let name = replica_name(group, replica);
                writer.start(&name, &format!("topic-{group}"), None, Some(group_id(group)));
                let mut count = 0;
                for read in self.reads.iter().filter(|read| read.group == group && read.replica == replica) {
                    let log = read.log.index(logs.len());
                    if logs[log].is_empty() {
                        continue;
                    }
                    let from = read.from.index(logs[log].len());
                    let messages = &logs[log][from..logs[log].len().min(from + read.count)];
                    count += writer.write_session(&name, read, log, logs[log][from].offset, messages);
                }
                let process = RUNS + group * REPLICAS + replica;
                if self.stopped[process] {
                    writer.stop(&name, count + u64::from(wrong[process]));
                }
            }
        }
        writer.lines
    }

    /// The lines of a history in which the producers know the outcome of everything, nothing is written twice, and each group reads
    /// both topics once, shared by its replicas.
    pub(crate) fn clean_lines(&self) -> Vec<Line> {
        let mut writer = Writer::default();
        let logs: Vec<usize> = self.logs.iter().map(Vec::len).collect();
        let range = |log: usize, length: usize| Range {
            partition: topic_partition(log).1,
            offset: [0, length as i64 - 1],
            run: Some(run_id(0)),
            pseq: Some([1, length as u64]),
        };
        writer.start("producer-0", "topic-0", Some(run_id(0)), None);
        // One message at least, so that there is something to prove. Its partition has only this message.
        let lonely = Range::one(PARTITIONS as i32, 1000, Some((run_id(0), 1)));
        writer.write("producer-0", delivered("topic-0", run_id(0), lonely));
        for (log, length) in logs.iter().enumerate().filter(|(_, length)| **length > 0) {
            writer.write("producer-0", delivered(&topic_partition(log).0, run_id(0), range(log, *length)));
        }
        for group in 0..GROUPS {
            for replica in 0..REPLICAS {
                let name = replica_name(group, replica);
                writer.start(&name, "topic-0", None, Some(group_id(group)));
                let mut count = 0;
                // The first replica reads the first half of each partition, and the second one reads the rest.
                for (log, length) in logs.iter().enumerate() {
                    let half = (*length / REPLICAS) as i64;
                    let (first, end) = if replica == 0 { (0, half) } else { (half, *length as i64) };
                    let (topic, partition) = topic_partition(log);
                    let begin = if replica == 0 { Begin::Earliest(0) } else { Begin::Committed(0) };
                    writer.begin(&name, group, &topic, partition, begin, first);
                    if first < end {
                        let pseq = [first as u64 + 1, end as u64];
                        let range =
                            Range { partition, offset: [first, end - 1], run: Some(run_id(0)), pseq: Some(pseq) };
                        writer.write(&name, received(group, &topic, range));
                        count += range.count();
                    }
                    writer.end(&name, group, &topic, partition, End::Revoked, Some(end));
                }
                if replica == 0 {
                    writer.begin(&name, group, "topic-0", lonely.partition, Begin::Latest(0), lonely.offset[0]);
                    writer.write(&name, received(group, "topic-0", lonely));
                    count += 1;
                }
                if self.stopped[RUNS + group * REPLICAS + replica] {
                    writer.stop(&name, count);
                }
            }
        }
        writer.lines
    }

    /// The lines of the clean history after the damage, and whether every line that accounts for messages is still there, apart from
    /// the last lines of killed processes.
    pub(crate) fn damaged_clean_lines(&self) -> (Vec<Line>, bool) {
        let written = self.clean_lines();
        let lines = self.damaged(written.clone());
        let left: BTreeSet<(&str, u64)> = lines.iter().map(|line| (line.instance.as_str(), line.seq)).collect();
        let is_whole = written.iter().all(|line| {
            let is_tail = !left.iter().any(|(instance, seq)| *instance == line.instance && *seq > line.seq);
            left.contains(&(line.instance.as_str(), line.seq)) || is_tail
        });
        (lines, is_whole)
    }

    /// What is left of the lines.
    fn damaged(&self, mut lines: Vec<Line>) -> Vec<Line> {
        for index in &self.damage.lost {
            if !lines.is_empty() {
                lines.remove(index.index(lines.len()));
            }
        }
        for index in &self.damage.doubled {
            if !lines.is_empty() {
                let line = lines[index.index(lines.len())].clone();
                lines.push(line);
            }
        }
        for (one, other) in &self.damage.moved {
            if !lines.is_empty() {
                let (one, other) = (one.index(lines.len()), other.index(lines.len()));
                lines.swap(one, other);
            }
        }
        lines
    }
}
