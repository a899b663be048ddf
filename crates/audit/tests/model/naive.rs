//! The rules of the audit in their simplest form: one entry per message, no intervals, no attention to speed.

use std::collections::{BTreeMap, BTreeSet};

use audit::Verdict;
use journal::{Entry, Line, Outcome, Range, RunClosed};
use message::RunId;

type Place = (String, i32, i64);
type Key = (RunId, String, i32, u64);

/// What is counted of a group.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) received: u64,
    pub(crate) distinct: u64,
    pub(crate) missing: u64,
    pub(crate) not_shown: u64,
    pub(crate) repeated: u64,
    pub(crate) produced_twice: u64,
    pub(crate) phantom: u64,
    pub(crate) in_flight: u64,
    pub(crate) foreign: u64,
    pub(crate) unknown: u64,
}

/// What the model concludes.
#[derive(Debug, Default)]
pub(crate) struct Judgement {
    pub(crate) groups: BTreeMap<String, Counts>,
    /// Missing messages of all groups.
    pub(crate) missing: BTreeSet<Place>,
    is_doubtful: bool,
    acknowledged_twice: bool,
}

impl Judgement {
    pub(crate) fn verdict(&self, max_repeats: u64) -> Verdict {
        let is_violated = self.acknowledged_twice
            || self
                .groups
                .values()
                .any(|group| group.missing + group.produced_twice + group.phantom > 0 || group.repeated > max_repeats);
        match (is_violated, self.is_doubtful) {
            (true, _) => Verdict::Violated,
            (false, true) => Verdict::Insufficient,
            (false, false) => Verdict::Proven,
        }
    }
}

/// A process: the numbers of its lines, and what its last line states.
#[derive(Debug, Default)]
struct Process {
    lines: BTreeSet<u64>,
    stated: Option<u64>,
    received: u64,
}

impl Process {
    fn has_gap(&self) -> bool {
        self.lines.last().is_some_and(|last| self.lines.len() as u64 != last + 1)
    }
}

#[derive(Debug, Default)]
struct Run {
    acknowledged: Vec<(Place, Key)>,
    outcomes: BTreeMap<Key, Vec<Outcome>>,
    closed: Option<RunClosed>,
}

#[derive(Debug, Default)]
struct Group {
    topics: BTreeSet<String>,
    replicas: BTreeSet<String>,
    received: Vec<(Place, Option<Key>)>,
}

/// Judges the lines.
pub(crate) fn judge(lines: &[Line], is_complete: bool) -> Judgement {
    let mut processes: BTreeMap<String, Process> = BTreeMap::new();
    let (mut runs, mut groups): (BTreeMap<RunId, Run>, BTreeMap<String, Group>) = Default::default();
    for line in lines {
        let process = processes.entry(line.instance.clone()).or_default();
        if !process.lines.insert(line.seq) {
            continue;
        }
        match &line.entry {
            Entry::Starting(entry) => {
                entry.run.map(|run| runs.entry(run).or_default());
                if let Some(group) = &entry.group_id {
                    let group = groups.entry(group.clone()).or_default();
                    group.topics.insert(entry.topic.clone());
                    group.replicas.insert(line.instance.clone());
                }
            }
            Entry::DeliveredSummary(entry) => {
                for range in &entry.ranges {
                    for (place, key) in each(&entry.topic, range) {
                        let key = key.expect("the producers write with keys");
                        runs.entry(entry.run).or_default().acknowledged.push((place, key));
                    }
                }
            }
            Entry::NotDelivered(entry) => {
                let run = runs.entry(entry.run).or_default();
                for pseq in entry.pseq.iter().flat_map(|[first, last]| *first..=*last) {
                    let key = (entry.run, entry.topic.clone(), entry.partition, pseq);
                    run.outcomes.entry(key).or_default().push(entry.outcome);
                }
            }
            Entry::RunClosed(entry) => runs.entry(entry.run).or_default().closed = Some(entry.clone()),
            Entry::ReceivedSummary(entry) => {
                let group = groups.entry(entry.group_id.clone()).or_default();
                group.topics.insert(entry.topic.clone());
                group.replicas.insert(line.instance.clone());
                for range in &entry.ranges {
                    process.received += range.count();
                    group.received.extend(each(&entry.topic, range));
                }
            }
            Entry::Stopped(entry) => {
                process.stated = entry.count;
            }
            other => unreachable!("the histories have no {other:?}"),
        }
    }

    let acknowledged: BTreeSet<Place> =
        runs.values().flat_map(|run| &run.acknowledged).map(|(place, _)| place.clone()).collect();
    let mut judgement = Judgement {
        acknowledged_twice: runs
            .values()
            .any(|run| surplus_places(run.acknowledged.iter().map(|(place, key)| (place, key))) > 0),
        ..Judgement::default()
    };
    let mut is_doubtful = runs.is_empty()
        || groups.is_empty()
        || acknowledged.is_empty()
        || processes.values().any(Process::has_gap)
        || acknowledged.iter().any(|(topic, ..)| !groups.values().any(|group| group.topics.contains(topic)))
        || runs.values().any(|run| !adds_up(run));
    for (id, group) in &groups {
        let replicas: Vec<&Process> = group.replicas.iter().map(|name| &processes[name]).collect();
        let may_lack_lines = !is_complete || replicas.iter().any(|process| process.has_gap());
        let places: BTreeSet<Place> = group.received.iter().map(|(place, _)| place.clone()).collect();
        let last_received = |topic: &str, partition: i32| {
            let here = places.iter().filter(|place| place.0 == topic && place.1 == partition);
            here.map(|place| place.2).max()
        };
        let mut counts = Counts {
            received: group.received.len() as u64,
            distinct: places.len() as u64,
            foreign: group.received.iter().filter(|(_, key)| key.is_none()).count() as u64,
            repeated: (group.received.len() - places.len()) as u64,
            produced_twice: surplus_places(
                group.received.iter().filter_map(|(place, key)| Some((place, key.as_ref()?))),
            ),
            ..Counts::default()
        };
        for place in acknowledged.iter().filter(|place| group.topics.contains(&place.0) && !places.contains(*place)) {
            match last_received(&place.0, place.1) {
                Some(last) if place.2 < last && may_lack_lines => counts.not_shown += 1,
                Some(last) if place.2 < last => {
                    counts.missing += 1;
                    judgement.missing.insert(place.clone());
                }
                _ => counts.in_flight += 1,
            }
        }
        let keys: BTreeSet<&Key> = group.received.iter().filter_map(|(_, key)| key.as_ref()).collect();
        for key in keys {
            let Some(run) = runs.get(&key.0) else {
                is_doubtful = true;
                continue;
            };
            if run.acknowledged.iter().any(|(_, acknowledged)| acknowledged == key) {
                continue;
            }
            let outcomes = run.outcomes.get(key).cloned().unwrap_or_default();
            if outcomes.contains(&Outcome::Rejected) {
                counts.phantom += 1;
            } else if outcomes.contains(&Outcome::Unknown) || run.closed.is_none() {
                counts.unknown += 1;
            } else if is_beyond_the_end(run, key) {
                counts.phantom += 1;
            } else {
                is_doubtful = true;
            }
        }
        is_doubtful |= counts.in_flight > 0 || counts.not_shown > 0;
        is_doubtful |= replicas.iter().any(|process| process.stated.is_some_and(|stated| stated != process.received));
        judgement.groups.insert(id.clone(), counts);
    }
    judgement.is_doubtful = is_doubtful;
    judgement
}

/// Each message of a range.
fn each(topic: &str, range: &Range) -> Vec<(Place, Option<Key>)> {
    let [first, last] = range.offset;
    (first..=last)
        .map(|offset| {
            let key = range
                .run
                .zip(range.pseq)
                .map(|(run, [from, _])| (run, topic.to_owned(), range.partition, from + offset.abs_diff(first)));
            ((topic.to_owned(), range.partition, offset), key)
        })
        .collect()
}

/// How many places the messages have beyond one each.
fn surplus_places<'a>(messages: impl Iterator<Item = (&'a Place, &'a Key)>) -> u64 {
    let mut places: BTreeMap<&Key, BTreeSet<&Place>> = BTreeMap::new();
    for (place, key) in messages {
        places.entry(key).or_default().insert(place);
    }
    places.values().map(|places| places.len() as u64 - 1).sum()
}

/// Whether the lines of a run show what `run closed` states.
fn adds_up(run: &Run) -> bool {
    let count = |outcome| run.outcomes.values().flatten().filter(|known| **known == outcome).count() as u64;
    run.closed.as_ref().is_none_or(|closed| {
        closed.acknowledged == run.acknowledged.len() as u64
            && closed.rejected == count(Outcome::Rejected)
            && closed.unknown == count(Outcome::Unknown)
    })
}

fn is_beyond_the_end(run: &Run, (_, _, partition, pseq): &Key) -> bool {
    let partitions = run.closed.iter().flat_map(|closed| &closed.partitions);
    let last = partitions.filter(|last| last.partition == *partition).map(|last| last.last_pseq).next();
    *pseq > last.unwrap_or(0)
}
