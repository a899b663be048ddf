//! The rules of the audit in their simplest form: one entry per message, no intervals, no attention to speed.

use std::collections::{BTreeMap, BTreeSet};

use audit::{Class, Options, Verdict};
use journal::{Entry, Line, Outcome, Range, RunClosed};
use message::RunId;

use crate::sessions::{Log, Reached, Sessions};

type Place = (String, i32, i64);
type Key = (RunId, String, i32, u64);

/// What is counted of a group.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) received: u64,
    pub(crate) distinct: u64,
    pub(crate) missing: u64,
    pub(crate) skipped: u64,
    pub(crate) expired: u64,
    pub(crate) not_shown: u64,
    pub(crate) not_owed: u64,
    pub(crate) expired_before: u64,
    pub(crate) not_judged: u64,
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
    /// Messages that some group should have received and did not.
    pub(crate) not_received: BTreeSet<(Place, Class)>,
    is_doubtful: bool,
    acknowledged_twice: bool,
}

impl Judgement {
    pub(crate) fn verdict(&self, max_repeats: u64) -> Verdict {
        let is_violated = self.acknowledged_twice
            || self.groups.values().any(|group| violations(group) > 0 || group.repeated > max_repeats);
        match (is_violated, self.is_doubtful) {
            (true, _) => Verdict::Violated,
            (false, true) => Verdict::Insufficient,
            (false, false) => Verdict::Proven,
        }
    }
}

fn violations(group: &Counts) -> u64 {
    group.missing + group.skipped + group.expired + group.produced_twice + group.phantom
}

/// A process: the numbers of its lines, and what its last line states.
#[derive(Debug, Default)]
struct Process {
    lines: BTreeSet<u64>,
    stated: Option<u64>,
    received: u64,
}

impl Process {
    /// Whether lines are missing, apart from the first ones if the evidence may begin in the middle.
    fn has_gap(&self, options: &Options) -> bool {
        let first = if options.is_from_here { self.lines.first().copied().unwrap_or(0) } else { 0 };
        self.lines.last().is_some_and(|last| self.lines.len() as u64 != last - first + 1)
    }

    /// Whether lines are missing, whatever the options.
    fn is_in_part(&self) -> bool {
        self.has_gap(&Options::default())
    }

    fn is_cut(&self) -> bool {
        !self.lines.contains(&0)
    }
}

#[derive(Debug, Default)]
struct Run {
    instances: BTreeSet<String>,
    acknowledged: Vec<(Place, Key)>,
    outcomes: BTreeMap<Key, Vec<Outcome>>,
    /// The lines `run closed`.
    closing: Vec<RunClosed>,
}

#[derive(Debug, Default)]
struct Group {
    topics: BTreeSet<String>,
    replicas: BTreeSet<String>,
    /// The lines about each partition, by replica.
    logs: BTreeMap<(String, String, i32), Log>,
    received: Vec<(Place, Option<Key>)>,
}

/// Judges the lines.
pub(crate) fn judge(lines: &[Line], options: &Options) -> Judgement {
    let mut processes: BTreeMap<String, Process> = BTreeMap::new();
    let (mut runs, mut groups): (BTreeMap<RunId, Run>, BTreeMap<String, Group>) = Default::default();
    for line in lines {
        let process = processes.entry(line.instance.clone()).or_default();
        if !process.lines.insert(line.seq) {
            continue;
        }
        match &line.entry {
            Entry::Starting(entry) => {
                entry.run.map(|run| runs.entry(run).or_default().instances.insert(line.instance.clone()));
                if let Some(group) = &entry.group_id {
                    let group = groups.entry(group.clone()).or_default();
                    group.topics.insert(entry.topic.clone());
                    group.replicas.insert(line.instance.clone());
                }
            }
            Entry::Assigned(_) | Entry::Revoked(_) | Entry::Lost(_) | Entry::PositionReset(_) => {
                let (group, topic) = match &line.entry {
                    Entry::Assigned(entry) => (&entry.group_id, &entry.topic),
                    Entry::Revoked(entry) | Entry::Lost(entry) => (&entry.group_id, &entry.topic),
                    Entry::PositionReset(entry) => (&entry.group_id, &entry.topic),
                    _ => continue,
                };
                let group = groups.entry(group.clone()).or_default();
                group.topics.insert(topic.clone());
                group.replicas.insert(line.instance.clone());
                for (partition, event) in crate::sessions::events(&line.entry) {
                    let log = group.logs.entry((line.instance.clone(), topic.clone(), partition)).or_default();
                    log.insert((line.seq, 0), event);
                }
            }
            Entry::DeliveredSummary(entry) => {
                runs.entry(entry.run).or_default().instances.insert(line.instance.clone());
                for range in &entry.ranges {
                    for (place, key) in each(&entry.topic, range) {
                        let key = key.expect("the producers write with keys");
                        runs.entry(entry.run).or_default().acknowledged.push((place, key));
                    }
                }
            }
            Entry::NotDelivered(entry) => {
                let run = runs.entry(entry.run).or_default();
                run.instances.insert(line.instance.clone());
                for pseq in entry.pseq.iter().flat_map(|[first, last]| *first..=*last) {
                    let key = (entry.run, entry.topic.clone(), entry.partition, pseq);
                    run.outcomes.entry(key).or_default().push(entry.outcome);
                }
            }
            Entry::RunClosed(entry) => {
                let run = runs.entry(entry.run).or_default();
                run.instances.insert(line.instance.clone());
                run.closing.push(entry.clone());
            }
            Entry::ReceivedSummary(entry) => {
                let group = groups.entry(entry.group_id.clone()).or_default();
                group.topics.insert(entry.topic.clone());
                group.replicas.insert(line.instance.clone());
                for range in &entry.ranges {
                    process.received += range.count();
                    let log =
                        group.logs.entry((line.instance.clone(), entry.topic.clone(), range.partition)).or_default();
                    log.insert((line.seq, range.offset[0]), crate::sessions::Event::Received(range.offset));
                    group.received.extend(each(&entry.topic, range));
                }
            }
            Entry::Stopped(entry) => {
                process.stated = entry.count;
            }
            other => unreachable!("the histories have no {other:?}"),
        }
    }

    let is_cut = |run: &Run| options.is_from_here && run.instances.iter().any(|name| processes[name].is_cut());
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
        || processes.values().any(|process| process.has_gap(options))
        || acknowledged.iter().any(|(topic, ..)| !groups.values().any(|group| group.topics.contains(topic)))
        || runs.values().any(|run| !is_cut(run) && !adds_up(run));
    let has_role = |name: &String| {
        runs.values().any(|run| run.instances.contains(name))
            || groups.values().any(|group| group.replicas.contains(name))
    };
    let has_stranger_in_part = processes.iter().any(|(name, process)| process.is_in_part() && !has_role(name));
    let mut is_anything_owed = false;
    for (id, group) in &groups {
        let replicas: Vec<&Process> = group.replicas.iter().map(|name| &processes[name]).collect();
        let has_gap = |name: &String| processes[name].has_gap(options);
        let is_certain = options.is_complete && !group.replicas.iter().any(has_gap) && !has_stranger_in_part;
        let places: BTreeSet<Place> = group.received.iter().map(|(place, _)| place.clone()).collect();
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
        let of_group = || acknowledged.iter().filter(|place| group.topics.contains(&place.0));
        for place in of_group().filter(|place| !places.contains(*place)) {
            let here =
                group.logs.iter().filter(|((_, topic, partition), _)| (topic, partition) == (&place.0, &place.1));
            let sessions = Sessions::new(here.map(|((replica, ..), log)| (has_gap(replica), log)));
            let class = match sessions.reach(place.2) {
                Reached::PassedOver => Class::Missing,
                Reached::Deleted if is_certain => Class::Expired,
                Reached::Skipped { is_log_later: true } if is_certain => Class::Expired,
                Reached::Skipped { .. } if is_certain => Class::Skipped,
                Reached::Before => {
                    *if options.is_from_here { &mut counts.not_judged } else { &mut counts.not_shown } += 1;
                    continue;
                }
                Reached::BeforeLatest => {
                    counts.not_owed += 1;
                    continue;
                }
                Reached::BeforeEarliest => {
                    counts.expired_before += 1;
                    continue;
                }
                Reached::NotYet => {
                    counts.in_flight += 1;
                    continue;
                }
                Reached::Deleted | Reached::Skipped { .. } | Reached::Obscured => {
                    counts.not_shown += 1;
                    continue;
                }
            };
            judgement.not_received.insert((place.clone(), class));
            *match class {
                Class::Missing => &mut counts.missing,
                Class::Skipped => &mut counts.skipped,
                _ => &mut counts.expired,
            } += 1;
        }
        is_anything_owed |= of_group().count() as u64 > counts.not_owed + counts.expired_before + counts.not_judged;
        for ((replica, ..), log) in &group.logs {
            is_doubtful |= !processes[replica].is_cut() && crate::sessions::begins_in_the_middle(log);
        }
        let keys: BTreeSet<&Key> = group.received.iter().filter_map(|(_, key)| key.as_ref()).collect();
        for key in keys {
            let Some(run) = runs.get(&key.0) else {
                is_doubtful |= !options.is_from_here;
                counts.unknown += u64::from(options.is_from_here);
                continue;
            };
            if run.acknowledged.iter().any(|(_, acknowledged)| acknowledged == key) {
                continue;
            }
            let outcomes = run.outcomes.get(key).cloned().unwrap_or_default();
            if outcomes.contains(&Outcome::Rejected) {
                counts.phantom += 1;
            } else if outcomes.contains(&Outcome::Unknown) || closed(run).is_none() {
                counts.unknown += 1;
            } else if is_beyond_the_end(run, key) {
                counts.phantom += 1;
            } else if is_cut(run) {
                counts.unknown += 1;
            } else {
                is_doubtful = true;
            }
        }
        is_doubtful |= counts.in_flight > 0 || counts.not_shown > 0;
        let is_wrong = |process: &&Process| process.stated.is_some_and(|stated| stated != process.received);
        is_doubtful |= replicas.iter().filter(|process| !process.is_cut()).any(is_wrong);
        judgement.groups.insert(id.clone(), counts);
    }
    is_doubtful |= !is_anything_owed;
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

/// What the run said at its end. All lines that say so have the same totals, and together they name each partition.
fn closed(run: &Run) -> Option<&RunClosed> {
    let named: usize = run.closing.iter().map(|closed| closed.partitions.len()).sum();
    run.closing.first().filter(|closed| named == closed.partition_count.unwrap_or(closed.partitions.len()))
}

/// Whether the lines of a run show what `run closed` states.
fn adds_up(run: &Run) -> bool {
    let count = |outcome| run.outcomes.values().flatten().filter(|known| **known == outcome).count() as u64;
    closed(run).is_none_or(|closed| {
        closed.acknowledged == run.acknowledged.len() as u64
            && closed.rejected == count(Outcome::Rejected)
            && closed.unknown == count(Outcome::Unknown)
    })
}

fn is_beyond_the_end(run: &Run, (_, _, partition, pseq): &Key) -> bool {
    let partitions = run.closing.iter().flat_map(|closed| &closed.partitions);
    let last = partitions.filter(|last| last.partition == *partition).map(|last| last.last_pseq).next();
    *pseq > last.unwrap_or(0)
}
