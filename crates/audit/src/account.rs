//! The account: what all lines say together.

use std::collections::{BTreeMap, BTreeSet};

use journal::{Entry, Line, Range};
use message::RunId;
use rangemap::RangeInclusiveSet;

use crate::group::Group;
use crate::offender::{Class, Offender, Offenders};
use crate::report::{GroupReport, Report, RunReport};
use crate::run::{Place, Run, count_of, gaps, overlaps};

/// What all lines say together. Lines may come in any order.
#[derive(Debug, Default)]
pub struct Account {
    /// Instances that said something, and those that said that they start.
    heard: BTreeSet<String>,
    started: BTreeSet<String>,
    runs: BTreeMap<RunId, Run>,
    /// Acknowledged offsets.
    acknowledged: BTreeMap<Place, RangeInclusiveSet<i64>>,
    groups: BTreeMap<String, Group>,
    /// Gone from the broker before the group came to them.
    forgotten: BTreeMap<Place, RangeInclusiveSet<i64>>,
    /// Lines whose numbers can't be.
    impossible: u64,
    /// Messages at the offset of another one, by the lines of the producers and by those of the replicas.
    at_anothers_offset: u64,
    /// Instances that stopped by themselves, and what a replica says it processed.
    stopped: BTreeMap<String, Option<u64>>,
}

impl Account {
    /// Enters a line.
    pub fn add(&mut self, line: &Line) {
        let instance = line.instance.as_str();
        self.heard.insert(instance.to_owned());
        match &line.entry {
            Entry::Starting(it) => {
                self.started.insert(instance.to_owned());
                if let Some(run) = it.run {
                    self.run(run, instance);
                }
                if let Some(group) = &it.group_id {
                    self.groups.entry(group.clone()).or_default().replicas.entry(instance.to_owned()).or_default();
                }
            }
            Entry::Delivered(it) => {
                let range = Range::one(it.partition, it.offset, Some((it.run, it.pseq)));
                self.acknowledge(instance, it.run, &it.topic, &range);
            }
            Entry::DeliveredSummary(it) => {
                it.ranges.iter().for_each(|range| self.acknowledge(instance, it.run, &it.topic, range));
            }
            Entry::NotDelivered(it) => self.run(it.run, instance).not_delivered(it),
            Entry::RunClosed(it) => self.run(it.run, instance).closed = Some(it.clone()),
            Entry::Received(it) => {
                let range = Range::one(it.partition, it.offset, it.run.zip(it.pseq));
                self.receive(instance, &it.group_id, &it.topic, &range);
            }
            Entry::ReceivedSummary(it) => {
                it.ranges.iter().for_each(|range| self.receive(instance, &it.group_id, &it.topic, range));
                let bad = it.bad.values().sum();
                self.bad(instance, &it.group_id, bad);
            }
            // A sample only shows what a summary accounts for.
            Entry::BadMessage(it) if !it.sample => {
                let range = Range::one(it.partition, it.offset, it.run.zip(it.pseq));
                self.receive(instance, &it.group_id, &it.topic, &range);
                self.bad(instance, &it.group_id, 1);
            }
            Entry::Stopped(it) => {
                self.stopped.insert(instance.to_owned(), it.count);
            }
            Entry::BadMessage(_) | Entry::Other => {}
        }
    }

    fn run(&mut self, run: RunId, instance: &str) -> &mut Run {
        let run = self.runs.entry(run).or_default();
        run.instances.insert(instance.to_owned());
        run
    }

    fn acknowledge(&mut self, instance: &str, run: RunId, topic: &str, range: &Range) {
        let [first, last] = range.offset;
        if !range.is_valid() {
            self.impossible += 1;
            return;
        }
        self.run(run, instance);
        let offsets = self.acknowledged.entry((topic.to_owned(), range.partition)).or_default();
        if let Some(it) = self.runs.get_mut(&run) {
            self.at_anothers_offset += it.acknowledge(run, topic, range, offsets);
        }
        offsets.insert(first..=last);
    }

    fn receive(&mut self, instance: &str, group: &str, topic: &str, range: &Range) {
        if range.is_valid() {
            self.at_anothers_offset += self.groups.entry(group.to_owned()).or_default().receive(instance, topic, range);
        } else {
            self.impossible += 1;
        }
    }

    fn bad(&mut self, instance: &str, group: &str, count: u64) {
        let group = self.groups.entry(group.to_owned()).or_default();
        group.replicas.entry(instance.to_owned()).or_default().bad += count;
    }

    /// How many acknowledged messages `group` has not yet received, neither they nor a later one of their partition.
    #[must_use]
    pub fn in_flight(&self, group: &str) -> u64 {
        let empty = Group::default();
        let group = self.groups.get(group).unwrap_or(&empty);
        self.acknowledged.iter().map(|(place, offsets)| in_flight(offsets, group.offsets.get(place))).sum()
    }

    /// The next offset that `group` has not received of each partition, where it received any.
    pub fn next_offsets(&self, group: &str) -> impl Iterator<Item = (i32, i64)> {
        let offsets = self.groups.get(group).into_iter().flat_map(|group| &group.offsets);
        offsets.filter_map(|((_, partition), set)| Some((*partition, set.last()?.end() + 1)))
    }

    /// The broker no longer has these offsets, and the group had not received them when that was seen. Those that it did
    /// not receive after all are not called missing: the evidence is gone, and that is said.
    pub fn forgotten(&mut self, topic: &str, partition: i32, first: i64, last: i64) {
        if first <= last {
            self.forgotten.entry((topic.to_owned(), partition)).or_default().insert(first..=last);
        }
    }

    /// What it all comes to.
    #[must_use]
    pub fn report(&self) -> Report {
        let mut doubts = Vec::new();
        if self.runs.is_empty() {
            doubts.push("there are no lines of a producer".to_owned());
        }
        if self.groups.is_empty() {
            doubts.push("there are no lines of a consumer".to_owned());
        }
        for instance in self.heard.difference(&self.started) {
            doubts.push(format!("instance {instance} has no line `service starting`: its first lines are missing"));
        }
        if self.impossible > 0 {
            doubts.push(format!("{} lines hold numbers that can't be", self.impossible));
        }
        if self.at_anothers_offset > 0 {
            doubts.push(format!(
                "{} messages stand at the offset of another one: the broker lost what it had acknowledged, or the topic was \
                 made anew",
                self.at_anothers_offset
            ));
        }
        let runs = self.runs.iter().map(|(id, run)| report_run(*id, run, &mut doubts)).collect();
        let groups = self.groups.iter().map(|(id, group)| self.report_group(id, group, &mut doubts)).collect();
        let cut_short = self.heard.iter().filter(|instance| !self.stopped.contains_key(*instance)).count() as u64;
        Report { runs, groups, doubts, lines: crate::Lines::default(), cut_short }
    }

    /// Acknowledged messages that the group did not receive, though it received their offset: with another message at it.
    ///
    /// Which message stands at which offset is not kept. But as long as no offset stands for two, as many messages of a partition
    /// are not received by their numbers as by their offsets. What is more is displaced; the lowest numbers are taken for it.
    fn displaced<'a>(&'a self, group: &Group) -> Vec<(RunId, &'a Place, i64, i64)> {
        let empty = RangeInclusiveSet::new();
        let mut displaced = Vec::new();
        for (place, acknowledged) in &self.acknowledged {
            let received = group.offsets.get(place).unwrap_or(&empty);
            let not_by_offset: u64 =
                acknowledged.iter().map(|range| count_of(&gaps(received, *range.start(), *range.end()))).sum();
            let of_runs = self.runs.iter().filter_map(|(run, it)| Some((*run, it.acknowledged_pseq.get(place)?)));
            let not_by_number: Vec<(RunId, i64, i64)> = of_runs
                .flat_map(|(run, acknowledged)| {
                    let received = group.pseq.get(&(run, place.clone())).unwrap_or(&empty);
                    let left = acknowledged.iter().flat_map(|range| gaps(received, *range.start(), *range.end()));
                    left.map(move |(first, last)| (run, first, last)).collect::<Vec<_>>()
                })
                .collect();
            let total: u64 = not_by_number.iter().map(|(_, first, last)| first.abs_diff(*last) + 1).sum();
            let mut rest = i64::try_from(total.saturating_sub(not_by_offset)).unwrap_or(i64::MAX);
            for (run, first, last) in not_by_number {
                if rest == 0 {
                    break;
                }
                let last = last.min(first + (rest - 1));
                rest -= last - first + 1;
                displaced.push((run, place, first, last));
            }
        }
        displaced
    }

    fn report_group(&self, id: &str, group: &Group, doubts: &mut Vec<String>) -> GroupReport {
        let mut missing = Offenders::default();
        let (mut flying, mut gone) = (0, 0);
        let empty = RangeInclusiveSet::new();
        for ((topic, partition), acknowledged) in &self.acknowledged {
            let received = group.offsets.get(&(topic.clone(), *partition));
            flying += in_flight(acknowledged, received);
            let forgotten = self.forgotten.get(&(topic.clone(), *partition)).unwrap_or(&empty);
            for (first, last) in missing_in(acknowledged, received) {
                gone += count_of(&overlaps(forgotten, first, last));
                for (first, last) in gaps(forgotten, first, last) {
                    missing.push(first, last, |offset| Offender::at(Class::Missing, topic, *partition, offset));
                }
            }
        }
        for (run, (topic, partition), first, last) in self.displaced(group) {
            missing
                .push(first, last, |pseq| Offender::keyed(Class::Missing, topic, *partition, run, pseq.unsigned_abs()));
        }
        if flying > 0 {
            doubts.push(format!("group {id}: {flying} acknowledged messages are still in flight"));
        }
        if gone > 0 {
            doubts.push(format!("group {id}: the broker forgot {gone} messages before the group came to them"));
        }

        let (mut phantom, mut unknown) = (Offenders::default(), 0);
        for ((run, place), received) in &group.pseq {
            let Some(account) = self.runs.get(run) else {
                doubts.push(format!("group {id} received messages of run {run}, of which no producer's line is here"));
                continue;
            };
            let judgement = account.judge(place, received);
            unknown += judgement.unknown;
            for (first, last) in judgement.phantom {
                phantom.push(first, last, |pseq| {
                    Offender::keyed(Class::Phantom, &place.0, place.1, *run, pseq.unsigned_abs())
                });
            }
            if judgement.unexplained > 0 {
                let count = judgement.unexplained;
                doubts
                    .push(format!("run {run} was closed, but its lines leave out {count} messages that were received"));
            }
        }
        for (instance, replica) in &group.replicas {
            match self.stopped.get(instance) {
                Some(Some(count)) if *count != replica.received => doubts.push(format!(
                    "replica {instance} says it processed {count} messages, its lines show {}",
                    replica.received
                )),
                _ => {}
            }
        }
        let offenders = [missing, group.repeated.clone(), group.produced_twice.clone(), phantom];
        GroupReport {
            group_id: id.to_owned(),
            replicas: group.replicas.clone(),
            received: group.replicas.values().map(|replica| replica.received).sum(),
            distinct: group.offsets.values().map(size_of).sum(),
            bad: group.replicas.values().map(|replica| replica.bad).sum(),
            foreign: group.foreign,
            unknown,
            in_flight: flying,
            offenders,
        }
    }
}

fn report_run(id: RunId, run: &Run, doubts: &mut Vec<String>) -> RunReport {
    let accounted = run.acknowledged + run.rejected + run.unknown;
    if let Some(closed) = &run.closed {
        let said = (closed.acknowledged, closed.rejected, closed.unknown);
        let shown = (run.acknowledged, run.rejected, run.unknown);
        if said != shown {
            doubts.push(format!(
                "run {id} was closed with {said:?} acknowledged, rejected and unknown, its lines show {shown:?}"
            ));
        }
    }
    RunReport {
        run: id,
        instances: run.instances.clone(),
        sent: run.closed.as_ref().map_or(accounted, |closed| closed.accepted),
        acknowledged: run.acknowledged,
        rejected: run.rejected,
        unknown: run.unknown,
        is_closed: run.closed.is_some(),
        produced_twice: run.produced_twice.clone(),
    }
}

fn size_of(set: &RangeInclusiveSet<i64>) -> u64 {
    set.iter().map(|range| range.start().abs_diff(*range.end()) + 1).sum()
}

/// Acknowledged above the last received offset.
fn in_flight(acknowledged: &RangeInclusiveSet<i64>, received: Option<&RangeInclusiveSet<i64>>) -> u64 {
    let last = received.and_then(RangeInclusiveSet::last).map_or(-1, |range| *range.end());
    count_of(&overlaps(acknowledged, last + 1, i64::MAX))
}

/// Acknowledged, below the last received offset, and not received.
fn missing_in(acknowledged: &RangeInclusiveSet<i64>, received: Option<&RangeInclusiveSet<i64>>) -> Vec<(i64, i64)> {
    let Some(received) = received else { return Vec::new() };
    let Some(last) = received.last().map(|range| *range.end()) else { return Vec::new() };
    acknowledged
        .iter()
        .filter(|range| *range.start() <= last)
        .flat_map(|range| gaps(received, *range.start(), last.min(*range.end())))
        .collect()
}
