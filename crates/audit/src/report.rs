//! What the account comes to: numbers, names and a verdict.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use journal::Line;
use message::RunId;

use crate::group::Replica;
use crate::offender::{NAMED_MAX, Offender, Offenders};
use crate::reader::Lines;

/// What the evidence proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Everything acknowledged was received, and not too often.
    Proven,
    /// Something was lost, repeated too often, written twice or made up.
    Violated,
    /// Nothing wrong was seen, but the evidence does not suffice.
    Insufficient,
}

impl Verdict {
    /// Exit code of the command.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Proven => 0,
            Self::Violated => 1,
            Self::Insufficient => 3,
        }
    }
}

/// One run of a producer.
#[derive(Debug, Clone)]
pub struct RunReport {
    /// Run.
    pub run: RunId,
    /// Who wrote its lines.
    pub instances: BTreeSet<String>,
    /// Accepted by librdkafka; of a killed run only what its lines show.
    pub sent: u64,
    /// On the broker.
    pub acknowledged: u64,
    /// Not on the broker.
    pub rejected: u64,
    /// Nobody knows.
    pub unknown: u64,
    /// Whether it told that it ended.
    pub is_closed: bool,
    pub(crate) produced_twice: Offenders,
}

/// One consumer group.
#[derive(Debug, Clone)]
pub struct GroupReport {
    /// Group.
    pub group_id: String,
    /// Its replicas, by instance.
    pub replicas: BTreeMap<String, Replica>,
    /// Messages received, each time they were.
    pub received: u64,
    /// Different messages received.
    pub distinct: u64,
    /// Of the received, such as could not be read.
    pub bad: u64,
    /// Of the received, such as carry no key of ours.
    pub foreign: u64,
    /// Received, and not acknowledged in the producer's lines: the producer was killed, or did not know.
    pub unknown: u64,
    /// Acknowledged, and the group has not come that far.
    pub in_flight: u64,
    pub(crate) offenders: [Offenders; 4],
}

impl GroupReport {
    /// Acknowledged messages that the group passed over.
    #[must_use]
    pub fn missing(&self) -> u64 {
        self.offenders[0].count
    }

    /// Messages received once too often.
    #[must_use]
    pub fn repeated(&self) -> u64 {
        self.offenders[1].count
    }

    /// Messages that stand at two offsets.
    #[must_use]
    pub fn produced_twice(&self) -> u64 {
        self.offenders[2].count
    }

    /// Messages that should not exist.
    #[must_use]
    pub fn phantom(&self) -> u64 {
        self.offenders[3].count
    }
}

/// The whole report.
#[derive(Debug, Clone)]
pub struct Report {
    /// Runs, oldest first.
    pub runs: Vec<RunReport>,
    /// Groups.
    pub groups: Vec<GroupReport>,
    /// Why the evidence does not suffice.
    pub doubts: Vec<String>,
    /// What was read.
    pub lines: Lines,
    /// Instances that did not say that they stop: each may have been killed in the middle of a line.
    pub(crate) cut_short: u64,
}

impl Report {
    /// The verdict, with so many repeats permitted in each group.
    #[must_use]
    pub fn verdict(&self, max_repeats: u64) -> Verdict {
        let is_violated = |group: &GroupReport| {
            group.missing() > 0 || group.repeated() > max_repeats || group.produced_twice() > 0 || group.phantom() > 0
        };
        if self.groups.iter().any(is_violated) || self.runs.iter().any(|run| run.produced_twice.count > 0) {
            Verdict::Violated
        } else if self.doubts.is_empty() && self.lines.damaged <= self.cut_short {
            Verdict::Proven
        } else {
            Verdict::Insufficient
        }
    }

    /// Whether a second look at the lines would tell more about offenders.
    #[must_use]
    pub fn has_offenders(&self) -> bool {
        self.offenders().next().is_some()
    }

    /// Takes from a line what it says about the offenders: a second look, because they are known only at the end.
    pub fn learn(&mut self, line: &Line) {
        let of_groups = self.groups.iter_mut().flat_map(|group| &mut group.offenders);
        let of_runs = self.runs.iter_mut().map(|run| &mut run.produced_twice);
        of_groups.chain(of_runs).flat_map(|offenders| &mut offenders.named).for_each(|offender| offender.learn(line));
    }

    /// The offenders that are named, the first of each class.
    pub fn offenders(&self) -> impl Iterator<Item = &Offender> {
        let of_groups = self.groups.iter().flat_map(|group| &group.offenders);
        of_groups.chain(self.runs.iter().map(|run| &run.produced_twice)).flat_map(|offenders| &offenders.named)
    }
}

impl fmt::Display for Report {
    /// Everything but the verdict, which depends on how many repeats are permitted.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for run in &self.runs {
            let RunReport { run: id, sent, acknowledged, rejected, unknown, is_closed, .. } = run;
            let end = if *is_closed { "closed" } else { "not closed: killed, or still running" };
            writeln!(f, "run {id} by {} ({end})", list(&run.instances))?;
            let sent_at_least = if *is_closed { "" } else { "at least " };
            writeln!(
                f,
                "  sent {sent_at_least}{sent}  acknowledged {acknowledged}  rejected {rejected}  unknown {unknown}"
            )?;
        }
        for group in &self.groups {
            writeln!(f, "group {}", group.group_id)?;
            for (instance, Replica { received, repeated, bad }) in &group.replicas {
                writeln!(f, "  replica {instance}  received {received}  repeated {repeated}  bad {bad}")?;
            }
            let GroupReport { received, distinct, bad, foreign, unknown, in_flight, .. } = group;
            writeln!(
                f,
                "  in sum  received {received}  different {distinct}  bad {bad}  foreign {foreign}  unknown {unknown}"
            )?;
            writeln!(
                f,
                "  missing {}  repeated {}  produced twice {}  phantom {}  in flight {in_flight}",
                group.missing(),
                group.repeated(),
                group.produced_twice(),
                group.phantom(),
            )?;
        }
        for offender in self.offenders() {
            writeln!(f, "  {offender}")?;
        }
        let all: u64 = self.groups.iter().flat_map(|group| &group.offenders).map(|offenders| offenders.count).sum();
        if all > NAMED_MAX as u64 {
            writeln!(f, "  (the first {NAMED_MAX} of each class are named)")?;
        }
        for doubt in &self.doubts {
            writeln!(f, "not sufficient: {doubt}")?;
        }
        let Lines { read, skipped, damaged } = self.lines;
        if damaged > self.cut_short {
            let ends = self.cut_short;
            writeln!(
                f,
                "not sufficient: {damaged} lines are damaged, and {ends} processes that were killed explain one each"
            )?;
        }
        write!(f, "lines: {read} read, {skipped} of others skipped, {damaged} damaged")
    }
}

fn list(instances: &BTreeSet<String>) -> String {
    instances.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Proven => "PROVEN: every acknowledged message was received, and none too often",
            Self::Violated => "VIOLATED: see above",
            Self::Insufficient => "INSUFFICIENT EVIDENCE: nothing wrong was seen, but see above",
        })
    }
}
