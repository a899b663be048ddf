//! What the account proves: builds the report.

use std::collections::BTreeMap;

use message::RunId;
use rangemap::RangeInclusiveSet;

use super::{Account, in_flight};
use crate::group::Group;
use crate::instance::Instance;
use crate::intervals::{difference, gaps, length, overlaps, size, total_length};
use crate::offender::{Class, Offender, Offenders};
use crate::reader::Lines;
use crate::report::{GroupReport, Report, RunReport};
use crate::run::{Run, TopicPartition};

impl Account {
    /// Draws the conclusions from all lines that were added.
    #[must_use]
    pub fn report(&self) -> Report {
        let mut doubts = self.doubts();
        let runs = self.runs.iter().map(|(id, run)| report_run(*id, run, &mut doubts)).collect();
        let groups = self.groups.iter().map(|(id, group)| self.report_group(id, group, &mut doubts)).collect();
        Report { runs, groups, doubts, lines: Lines::default() }
    }

    /// The doubts that concern no single run or group.
    fn doubts(&self) -> Vec<String> {
        let mut doubts = Vec::new();
        if self.runs.is_empty() {
            doubts.push("no line of a producer was given".to_owned());
        }
        if self.groups.is_empty() {
            doubts.push("no line of a consumer was given".to_owned());
        }
        for (name, instance) in &self.instances {
            let missing = instance.missing_lines();
            if let [(first, last), rest @ ..] = missing.as_slice() {
                let count: u64 = missing.iter().map(|(first, last)| last - first + 1).sum();
                let more = if rest.is_empty() { "" } else { ", ..." };
                doubts.push(format!(
                    "lines of instance {name} are missing: {count} (seq {first} to {last}{more}); give the audit all of its log, from \
                     `service starting` on"
                ));
            }
        }
        if self.acknowledged.is_empty() {
            doubts.push("no message was acknowledged, so there is nothing to prove".to_owned());
        }
        if self.clusters.len() > 1 {
            let clusters = self.clusters.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            doubts.push(format!("the lines are about several clusters ({clusters}); give the audit those of one"));
        }
        let mut unread: BTreeMap<&str, u64> = BTreeMap::new();
        for (TopicPartition { topic, .. }, acknowledged) in &self.acknowledged {
            if !self.groups.is_empty() && !self.groups.values().any(|group| group.topics.contains(topic)) {
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

    fn report_group(&self, id: &str, group: &Group, doubts: &mut Vec<String>) -> GroupReport {
        let mut missing = Offenders::default();
        let (mut in_flight_count, mut deleted_count) = (0, 0);
        let empty = RangeInclusiveSet::new();
        let owed = self.acknowledged.iter().filter(|(partition, _)| group.topics.contains(&partition.topic));
        for (partition, acknowledged) in owed {
            let received = group.offsets.get(partition);
            in_flight_count += in_flight(acknowledged, received);
            let deleted = self.deleted.get(partition).unwrap_or(&empty);
            for (first, last) in skipped(acknowledged, received.unwrap_or(&empty)) {
                deleted_count += total_length(&overlaps(deleted, first, last));
                for (first, last) in gaps(deleted, first, last) {
                    missing.push(first, last, |offset| Offender::at_offset(Class::Missing, partition, offset));
                }
            }
        }
        // So far these are messages that no line shows as received, so lines that are not here may show them. The displaced messages,
        // which are added below, rest on lines that are here.
        let not_shown = match self.doubtful_replica(group) {
            Some(why) if missing.count > 0 => {
                let count = missing.count;
                doubts.push(format!(
                    "group {id}: {count} acknowledged messages are not in the lines of its replicas, but {why}"
                ));
                std::mem::take(&mut missing).count
            }
            _ => 0,
        };
        for (run, partition, first, last) in self.displaced(group) {
            missing.push(first, last, |pseq| Offender::with_key(Class::Missing, partition, run, pseq));
        }
        if in_flight_count > 0 {
            doubts.push(format!("group {id}: {in_flight_count} acknowledged messages are still in flight"));
        }
        if deleted_count > 0 {
            doubts.push(format!("group {id}: the broker deleted {deleted_count} messages before the group read them"));
        }
        let (phantom, unknown) = self.unacknowledged(id, group, doubts);
        for (instance, replica) in &group.replicas {
            let shown = replica.received;
            if let Some(Instance { stated_count: Some(stated), .. }) = self.instances.get(instance)
                && *stated != shown
            {
                doubts.push(format!(
                    "replica {instance} stated {stated} processed messages when it stopped, but its lines show {shown}"
                ));
            }
        }
        GroupReport {
            group_id: id.to_owned(),
            replicas: group.replicas.clone(),
            received: group.replicas.values().map(|replica| replica.received).sum(),
            distinct: group.offsets.values().map(size).sum(),
            bad: group.replicas.values().map(|replica| replica.bad).sum(),
            foreign: group.foreign,
            unknown,
            in_flight: in_flight_count,
            not_shown,
            offenders: [missing, group.repeated.clone(), group.produced_twice.clone(), phantom],
        }
    }

    /// Why lines of this group's replicas may be missing, if they may.
    ///
    /// The log of a whole replica may not have been given, which leaves no trace. So only complete evidence shows that a message was
    /// received by nobody.
    fn doubtful_replica(&self, group: &Group) -> Option<String> {
        let has_gap = |name: &&String| self.instances.get(*name).is_some_and(Instance::has_gap);
        if let Some(name) = group.replicas.keys().find(has_gap) {
            return Some(format!("lines of replica {name} are missing"));
        }
        (!self.is_complete).then(|| {
            "the lines of another replica, or the last lines of a killed one, may not be here; pass --complete if they are".to_owned()
        })
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
    fn unacknowledged(&self, id: &str, group: &Group, doubts: &mut Vec<String>) -> (Offenders, u64) {
        let (mut phantom, mut unknown) = (Offenders::default(), 0);
        for ((run_id, partition), received) in &group.pseq {
            let Some(run) = self.runs.get(run_id) else {
                doubts.push(format!(
                    "group {id} received messages of run {run_id}, but no line of that run's producer was given"
                ));
                continue;
            };
            let judgement = run.judge(partition, received);
            unknown += judgement.unknown;
            for (first, last) in judgement.phantom {
                phantom.push(first, last, |pseq| Offender::with_key(Class::Phantom, partition, *run_id, pseq));
            }
            if judgement.unexplained > 0 {
                doubts.push(format!(
                    "run {run_id} was closed, but its lines do not account for {} messages that were received",
                    judgement.unexplained
                ));
            }
        }
        (phantom, unknown)
    }
}

fn report_run(id: RunId, run: &Run, doubts: &mut Vec<String>) -> RunReport {
    let Run { acknowledged, rejected, unknown, .. } = *run;
    if let Some(closed) = &run.closed
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
        sent: run.closed.as_ref().map_or(acknowledged + rejected + unknown, |closed| closed.accepted),
        acknowledged,
        rejected,
        unknown,
        is_closed: run.closed.is_some(),
        produced_twice: run.produced_twice.clone(),
    }
}

/// Acknowledged offsets that were not received and that lie below the last received offset.
fn skipped(acknowledged: &RangeInclusiveSet<i64>, received: &RangeInclusiveSet<i64>) -> Vec<(i64, i64)> {
    let Some(last_received) = received.last().map(|range| *range.end()) else { return Vec::new() };
    let below = acknowledged.iter().filter(|range| *range.start() <= last_received);
    below.flat_map(|range| gaps(received, *range.start(), last_received.min(*range.end()))).collect()
}
