//! What the account proves: builds the report.

use std::collections::{BTreeMap, BTreeSet};

use message::RunId;
use rangemap::RangeInclusiveSet;

use super::Account;
use crate::account::findings::Findings;
use crate::doubt::{Doubts, Subject};
use crate::group::{Group, Member};
use crate::instance::Instance;
use crate::intervals::{difference, gaps, length, overlaps, size, total_length};
use crate::offender::{Class, Offender, Offenders};
use crate::placement::Place;
use crate::reader::Lines;
use crate::report::{GroupReport, Report, RunReport};
use crate::run::{Run, TopicPartition};

impl Account {
    /// Draws the conclusions from all lines that were added.
    #[must_use]
    pub fn report(&self) -> Report {
        let mut doubts = self.doubts();
        let runs = self.runs.iter().map(|(id, run)| report_run(*id, run, self.is_cut(run), &mut doubts)).collect();
        let groups: Vec<GroupReport> =
            self.groups.iter().map(|(id, group)| self.report_group(id, group, &mut doubts)).collect();
        if !self.acknowledged.is_empty()
            && !groups.is_empty()
            && !self.groups.values().zip(&groups).any(|(group, report)| self.is_owed(group, report))
        {
            doubts.push("no group was owed an acknowledged message, so there is nothing to prove".to_owned());
        }
        Report { runs, groups, doubts: doubts.0, lines: Lines::default() }
    }

    /// Whether the group should have received any of the acknowledged messages.
    fn is_owed(&self, group: &Group, report: &GroupReport) -> bool {
        let acknowledged = self.acknowledged.iter().filter(|(partition, _)| group.topics.contains(&partition.topic));
        let acknowledged: u64 = acknowledged.map(|(_, offsets)| size(offsets)).sum();
        acknowledged > report.not_owed + report.expired_before + report.not_judged
    }

    /// The doubts that concern no single run or group.
    fn doubts(&self) -> Doubts {
        let mut doubts = Doubts::default();
        if self.runs.is_empty() {
            doubts.push("no line of a producer was given".to_owned());
        }
        if self.groups.is_empty() {
            doubts.push("no line of a consumer was given".to_owned());
        }
        for (name, instance) in self.instances.iter().filter(|(_, instance)| !instance.is_out_of_scope) {
            let is_begun = self.options.is_from_here && instance.is_cut();
            let missing: Vec<(u64, u64)> = instance.missing_lines().into_iter().skip(usize::from(is_begun)).collect();
            if let [(first, last), rest @ ..] = missing.as_slice() {
                let count: u64 = missing.iter().map(|(first, last)| last - first + 1).sum();
                let more = if rest.is_empty() { "" } else { ", ..." };
                let subject = Subject::MissingLines { instance: name.clone() };
                doubts.push_about(subject, format!(
                    "lines of instance {name} are missing: {count} (seq {first} to {last}{more}); give the audit all of its log, from \
                     `service starting` on"
                ));
            }
        }
        if self.acknowledged.is_empty() {
            doubts.push("no message was acknowledged, so there is nothing to prove".to_owned());
        }
        if self.is_of_several_clusters() {
            let clusters = self.clusters.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            doubts.push(format!("the lines are about several clusters ({clusters}); give the audit those of one"));
        }
        let mut unread: BTreeMap<&str, u64> = BTreeMap::new();
        for (TopicPartition { topic, .. }, acknowledged) in &self.acknowledged {
            if self.options.group.is_none()
                && !self.groups.is_empty()
                && !self.groups.values().any(|group| group.topics.contains(topic))
            {
                *unread.entry(topic).or_default() += size(acknowledged);
            }
        }
        for (topic, count) in unread {
            doubts.push(format!(
                "{count} messages of topic {topic} were acknowledged, but no group here reads that topic"
            ));
        }
        if self.contradictions > 0 {
            doubts.push(format!("{} lines came again with the same number and another content", self.contradictions));
        }
        if self.not_understood > 0 {
            doubts.push(format!(
                "{} lines account for messages in a way that this version of the audit does not know",
                self.not_understood
            ));
        }
        if self.impossible > 0 {
            doubts.push(format!("{} lines hold impossible offsets or pseq", self.impossible));
        }
        if self.offset_conflicts > 0 {
            doubts.push(format!(
                "{} messages have the offset of another message: the broker lost acknowledged messages, or the topic was \
                 deleted and created again",
                self.offset_conflicts
            ));
        }
        doubts
    }

    fn report_group(&self, id: &str, group: &Group, doubts: &mut Doubts) -> GroupReport {
        let mut findings = Findings::default();
        let is_certain = self.is_certain(group);
        let empty = RangeInclusiveSet::new();
        for (partition, place, first, last) in self.not_received(group) {
            let deleted = self.deleted.get(partition).filter(|_| !matches!(place, Place::Beyond)).unwrap_or(&empty);
            findings.deleted += total_length(&overlaps(deleted, first, last));
            for (first, last) in gaps(deleted, first, last) {
                findings.add(partition, place, (first, last), is_certain, self.options.is_from_here);
            }
        }
        for (run, partition, first, last) in self.displaced(group) {
            if is_certain {
                findings.missing.push(first, last, |pseq| Offender::with_key(Class::Missing, partition, run, pseq));
            } else {
                findings.displaced += length(first, last);
            }
        }
        findings.doubts(id, doubts);
        let (phantom, unknown) = self.unacknowledged(id, group, doubts);
        for (name, member) in &group.members {
            self.check_replica(name, member, doubts);
        }
        let not_shown = findings.obscured.count + findings.between.count + findings.before.count + findings.displaced;
        let Findings { missing, skipped, expired, in_flight, not_owed, expired_before, not_judged, .. } = findings;
        let offenders = if self.is_of_several_clusters() {
            // Equal offsets of two clusters are not the same message, so nothing that follows from offsets is certain.
            Default::default()
        } else {
            [missing, skipped, expired, group.repeated.clone(), group.produced_twice.clone(), phantom]
        };
        let replicas = || group.members.iter().map(|(name, member)| (name.clone(), member.counts));
        GroupReport {
            group_id: id.to_owned(),
            replicas: replicas().collect(),
            received: replicas().map(|(_, replica)| replica.received).sum(),
            distinct: group.offsets.values().map(size).sum(),
            bad: replicas().map(|(_, replica)| replica.bad).sum(),
            foreign: group.foreign,
            unknown,
            in_flight,
            not_shown,
            not_owed,
            expired_before,
            not_judged,
            offenders: offenders.map(|offenders| offenders.of_group(id)),
        }
    }

    /// Whether a message that no line shows as received was not received by the group: all lines that could show it are here.
    fn is_certain(&self, group: &Group) -> bool {
        // A process of which only a few lines are left may have been a replica of the group.
        let has_role = |name: &String| {
            self.runs.values().any(|run| run.instances.contains(name))
                || self.groups.values().any(|group| group.members.contains_key(name))
        };
        let is_in_part =
            |instance: &Instance| !instance.is_out_of_scope && (instance.has_gap() || instance.has_unusable_line);
        self.options.is_complete
            && !self.is_of_several_clusters()
            && !group.members.keys().any(|name| self.lacks_lines(name))
            && self.instances.iter().all(|(name, instance)| !is_in_part(instance) || has_role(name))
    }

    fn is_of_several_clusters(&self) -> bool {
        self.clusters.len() > 1
    }

    /// Compares what a replica's lines state about themselves.
    fn check_replica(&self, name: &str, member: &Member, doubts: &mut Doubts) {
        let Some(instance) = self.instances.get(name).filter(|instance| !instance.is_cut()) else { return };
        let shown = member.counts.received;
        if let Some(stated) = instance.stated_count.filter(|stated| *stated != shown) {
            doubts.push(format!(
                "replica {name} stated {stated} processed messages when it stopped, but its lines show {shown}"
            ));
        }
        if let Some((partition, _)) = member.sessions.iter().find(|(_, sessions)| sessions.begins_in_the_middle()) {
            doubts.push(format!(
                "replica {name} received messages from {partition}, but none of its lines says where it began to read"
            ));
        }
    }

    /// Acknowledged messages that the group did not receive although it received their offset, with another message at it.
    /// Returns intervals of pseq.
    ///
    /// The account does not keep which message has which offset. But as long as no offset stands for two messages, the pseq
    /// that were not received from a partition are as many as the offsets that were not received. The surplus of pseq is the
    /// number of displaced messages; the lowest pseq are taken for them.
    fn displaced<'a>(&'a self, group: &Group) -> Vec<(RunId, &'a TopicPartition, i64, i64)> {
        let empty = RangeInclusiveSet::new();
        let mut displaced = Vec::new();
        for (partition, acknowledged) in &self.acknowledged {
            if !group.topics.contains(&partition.topic) {
                continue;
            }
            let received = group.offsets.get(partition).unwrap_or(&empty);
            let unreceived_offsets = total_length(&difference(acknowledged, received));
            let acknowledged_pseq =
                self.runs.iter().filter_map(|(id, run)| Some((*id, run.acknowledged_pseq.get(partition)?)));
            let unreceived_pseq: Vec<(RunId, i64, i64)> = acknowledged_pseq
                .flat_map(|(run, acknowledged)| {
                    let received = group.pseq.get(&(run, partition.clone())).unwrap_or(&empty);
                    difference(acknowledged, received).into_iter().map(move |(first, last)| (run, first, last))
                })
                .collect();
            let total: u64 = unreceived_pseq.iter().map(|(_, first, last)| length(*first, *last)).sum();
            let mut surplus = i64::try_from(total.saturating_sub(unreceived_offsets)).unwrap_or(i64::MAX);
            for (run, first, last) in unreceived_pseq {
                if surplus == 0 {
                    break;
                }
                let last = last.min(first + (surplus - 1));
                surplus -= last - first + 1;
                displaced.push((run, partition, first, last));
            }
        }
        displaced
    }

    /// Received messages that no line acknowledges: the phantoms, and how many have an unknown outcome.
    fn unacknowledged(&self, id: &str, group: &Group, doubts: &mut Doubts) -> (Offenders, u64) {
        let (mut phantom, mut unknown) = (Offenders::default(), 0);
        let mut without_producer = BTreeSet::new();
        let mut unexplained: BTreeMap<RunId, u64> = BTreeMap::new();
        for ((run_id, partition), received) in &group.pseq {
            let Some(run) = self.runs.get(run_id) else {
                if self.options.is_from_here {
                    unknown += size(received);
                } else {
                    without_producer.insert(*run_id);
                }
                continue;
            };
            let judgement = run.judge(partition, received);
            unknown += judgement.unknown;
            for (first, last) in judgement.phantom {
                phantom.push(first, last, |pseq| Offender::with_key(Class::Phantom, partition, *run_id, pseq));
            }
            if self.is_cut(run) {
                unknown += judgement.unexplained;
            } else if judgement.unexplained > 0 {
                *unexplained.entry(*run_id).or_default() += judgement.unexplained;
            }
        }
        for run in without_producer {
            doubts.push(format!(
                "group {id} received messages of run {run}, but no line of that run's producer was given"
            ));
        }
        for (run, count) in unexplained {
            doubts.push(format!(
                "run {run} was closed, but its lines do not account for {count} messages that were received"
            ));
        }
        (phantom, unknown)
    }

    /// Whether the evidence may begin in the middle, and begins in the middle of this run.
    fn is_cut(&self, run: &Run) -> bool {
        let is_cut = |name| self.instances.get(name).is_some_and(Instance::is_cut);
        self.options.is_from_here && run.instances.iter().any(is_cut)
    }
}

fn report_run(id: RunId, run: &Run, is_cut: bool, doubts: &mut Doubts) -> RunReport {
    let Run { acknowledged, rejected, unknown, .. } = *run;
    if let Some(closed) = run.closed()
        && !is_cut
        && (closed.acknowledged, closed.rejected, closed.unknown) != (acknowledged, rejected, unknown)
    {
        doubts.push(format!(
            "run {id} was closed with {} acknowledged, {} rejected and {} unknown messages, but its lines show \
             {acknowledged}, {rejected} and {unknown}",
            closed.acknowledged, closed.rejected, closed.unknown
        ));
    }
    RunReport {
        run: id,
        instances: run.instances.clone(),
        sent: run.closed().map_or(acknowledged + rejected + unknown, |closed| closed.accepted),
        acknowledged,
        rejected,
        unknown,
        is_closed: run.closed().is_some(),
        produced_twice: run.produced_twice.clone(),
    }
}
