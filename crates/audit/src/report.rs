//! The report: counts, offenders, doubts and a verdict.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use journal::Line;
use message::RunId;

use crate::doubt::Doubt;
use crate::group::Replica;
use crate::messages::Messages;
use crate::offender::{Class, NAMED_MAX, Offender, Offenders};
use crate::reader::Lines;

/// What the evidence proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Every acknowledged message was received, and repeats are within the limit.
    Proven,
    /// A message was lost, produced twice or is a phantom, or there are more repeats than permitted.
    Violated,
    /// No violation was found, but the evidence is not sufficient for a proof.
    Insufficient,
}

impl Verdict {
    /// The exit code of `audit`.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Proven => 0,
            Self::Violated => 1,
            Self::Insufficient => 3,
        }
    }
}

/// What one run of a producer sent.
#[derive(Debug, Clone)]
pub struct RunReport {
    /// The run.
    pub run: RunId,
    /// The instances that wrote its lines.
    pub instances: BTreeSet<String>,
    /// Messages that librdkafka accepted. For a run that is not closed, only those that its lines account for.
    pub sent: u64,
    /// Messages that the broker acknowledged.
    pub acknowledged: u64,
    /// Messages that are not on the broker.
    pub rejected: u64,
    /// Messages whose outcome the producer could not know.
    pub unknown: u64,
    /// Whether the line `run closed` is there. A killed run has none.
    pub is_closed: bool,
    pub(crate) produced_twice: Offenders,
}

impl RunReport {
    /// Whether this run shows a violation: the broker acknowledged one of its messages at two offsets.
    pub(crate) fn is_violated(&self) -> bool {
        self.produced_twice.count > 0
    }
}

/// What one consumer group received.
#[derive(Debug, Clone)]
pub struct GroupReport {
    /// The group.
    pub group_id: String,
    /// Its replicas, by instance.
    pub replicas: BTreeMap<String, Replica>,
    /// Received messages, repeats included.
    pub received: u64,
    /// Received messages, each counted once.
    pub distinct: u64,
    /// Received messages that could not be decoded.
    pub bad: u64,
    /// Received messages that have no key of this project: another producer wrote them.
    pub foreign: u64,
    /// Received messages that no line acknowledges: the producer was killed before it logged the acknowledgement, or did not get
    /// one.
    pub unknown: u64,
    /// Acknowledged messages that the group has not reached yet.
    pub in_flight: u64,
    /// Acknowledged messages that no line shows as received, and that a line that is not here may show.
    pub not_shown: u64,
    /// Acknowledged messages that the group was not owed: it began behind them, by `auto.offset.reset=latest`.
    pub not_owed: u64,
    /// Acknowledged messages that the broker had deleted when the group began, by `auto.offset.reset=earliest`.
    pub expired_before: u64,
    /// Acknowledged messages from before the evidence begins; see [`Options::is_from_here`](crate::Options::is_from_here).
    pub not_judged: u64,
    /// In the order of [`Class::ALL`].
    pub(crate) offenders: [Offenders; 6],
}

impl GroupReport {
    /// How many messages break a guarantee in this way.
    #[must_use]
    pub fn count(&self, class: Class) -> u64 {
        self.offenders[class as usize].count
    }

    /// Acknowledged messages that were not received and are no violation, with the reason.
    fn excused(&self) -> impl Iterator<Item = (u64, &'static str)> {
        let excused = [
            (self.not_owed, "acknowledged before the group began to read by auto.offset.reset=latest: not owed"),
            (self.expired_before, "deleted by the broker before the group began to read"),
            (self.not_judged, "from before the evidence begins: not judged"),
        ];
        excused.into_iter().filter(|(count, _)| *count > 0)
    }

    /// Whether this group shows a violation, if it may have at most `max_repeats` repeats.
    #[must_use]
    pub fn is_violated(&self, max_repeats: u64) -> bool {
        Class::ALL.into_iter().any(|class| self.is_violated_by(class, max_repeats))
    }

    /// Whether its messages of this class are a violation, if this group may have at most `max_repeats` repeats.
    pub(crate) fn is_violated_by(&self, class: Class, max_repeats: u64) -> bool {
        class.effect().is_violation(self.count(class), max_repeats)
    }
}

/// What the evidence shows about all runs and groups.
#[derive(Debug, Clone)]
pub struct Report {
    /// Runs, oldest first.
    pub runs: Vec<RunReport>,
    /// Groups, by name.
    pub groups: Vec<GroupReport>,
    /// Reasons why the evidence is not sufficient.
    pub doubts: Vec<Doubt>,
    /// The lines that were read. [`Account::report`](crate::Account::report) leaves them at 0 for the caller to fill in.
    pub lines: Lines,
}

impl Report {
    /// The verdict, if each group may have at most `max_repeats` repeats.
    #[must_use]
    pub fn verdict(&self, max_repeats: u64) -> Verdict {
        if self.runs.iter().any(RunReport::is_violated)
            || self.groups.iter().any(|group| group.is_violated(max_repeats))
        {
            Verdict::Violated
        } else if self.doubts.is_empty() {
            Verdict::Proven
        } else {
            Verdict::Insufficient
        }
    }

    /// Whether there are offenders, whose details a second pass over the lines can add; see [`Report::add_details`].
    #[must_use]
    pub fn has_offenders(&self) -> bool {
        self.offenders().next().is_some()
    }

    /// Adds what `line` says about the offenders: number, key and instance.
    ///
    /// The account keeps intervals only, and the offenders are known only at the end, so the details come from a second pass
    /// over the lines.
    pub fn add_details(&mut self, line: &Line) {
        let Some(messages) = Messages::of(&line.entry) else { return };
        let in_groups = self.groups.iter_mut().flat_map(|group| &mut group.offenders);
        let in_runs = self.runs.iter_mut().map(|run| &mut run.produced_twice);
        let named = in_groups.chain(in_runs).flat_map(|offenders| &mut offenders.named);
        named.for_each(|offender| offender.add_details(&line.instance, &messages));
    }

    /// The named offenders: the first of each class.
    pub fn offenders(&self) -> impl Iterator<Item = &Offender> {
        let in_groups = self.groups.iter().flat_map(|group| &group.offenders);
        in_groups.chain(self.runs.iter().map(|run| &run.produced_twice)).flat_map(|offenders| &offenders.named)
    }
}

impl fmt::Display for Report {
    /// Writes everything but the verdict, which depends on how many repeats are permitted.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for run in &self.runs {
            let RunReport { run: id, sent, acknowledged, rejected, unknown, is_closed, .. } = run;
            let end = if *is_closed { "closed" } else { "not closed: killed or still running" };
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
                "  total  received {received}  distinct {distinct}  bad {bad}  foreign {foreign}  unknown {unknown}"
            )?;
            let classes = Class::ALL.map(|class| format!("{} {}", class.name(), group.count(class)));
            writeln!(f, "  {}  in flight {in_flight}", classes.join("  "))?;
            for (count, what) in group.excused() {
                writeln!(f, "  {count} {what}")?;
            }
        }
        for offender in self.offenders() {
            writeln!(f, "  {offender}")?;
        }
        let of_runs = self.runs.iter().map(|run| &run.produced_twice);
        let mut classes = self.groups.iter().flat_map(|group| &group.offenders).chain(of_runs);
        if classes.any(|offenders| offenders.count > NAMED_MAX as u64) {
            writeln!(f, "  (only the first {NAMED_MAX} of each kind are listed)")?;
        }
        for doubt in &self.doubts {
            writeln!(f, "insufficient evidence: {doubt}")?;
        }
        let Lines { read, skipped, damaged } = self.lines;
        write!(f, "lines: {read} read, {skipped} of other programs skipped, {damaged} damaged")
    }
}

fn list(instances: &BTreeSet<String>) -> String {
    instances.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Proven => "PROVEN: every acknowledged message was received, with no more repeats than permitted",
            Self::Violated => "VIOLATED: see the counts and the messages listed above",
            Self::Insufficient => "INSUFFICIENT EVIDENCE: no violation was found, but see the reasons above",
        })
    }
}
