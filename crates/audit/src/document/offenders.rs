//! The offenders, with the lines that mention them.

use std::collections::{BTreeMap, BTreeSet};

use journal::{Entry, Line, NotDelivered};
use serde::Serialize;

use crate::messages::Messages;
use crate::offender::Offender;
use crate::report::Report;
use crate::timeline::Time;

/// How many lines are listed for each offender.
const LINES_MAX: usize = 10;

/// A message that breaks a guarantee.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OffenderReport {
    /// How it breaks a guarantee.
    pub class: String,
    /// The consumer group to which it matters, if not the producer's lines alone show it.
    pub group: Option<String>,
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Its offset, if that identifies it.
    pub offset: Option<i64>,
    /// Its run, if known.
    pub run: Option<String>,
    /// Its pseq, if known.
    pub pseq: Option<u64>,
    /// Its number, if a line states it.
    pub num: Option<u64>,
    /// The instances that sent it if it is missing, and those that received it otherwise.
    pub instances: BTreeSet<String>,
    /// The lines that mention it, at most ten.
    pub lines: Vec<SourceLine>,
}

/// A line of the evidence, as a reader can find it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct SourceLine {
    /// When it was written, if that is known.
    pub time: Option<Time>,
    /// The process that wrote it.
    pub instance: String,
    /// Its number.
    pub seq: u64,
    /// What it says: its field `message`.
    pub message: &'static str,
}

/// Collects the lines that mention the offenders of a report.
#[derive(Debug, Default)]
pub struct Mentions {
    /// The offenders of each partition, without details.
    by_partition: BTreeMap<i32, Vec<(Offender, BTreeSet<SourceLine>)>>,
}

impl Mentions {
    /// Prepares for the offenders of `report`, to which no details were added yet.
    #[must_use]
    pub fn new(report: &Report) -> Self {
        let mut mentions = Self::default();
        for offender in report.offenders() {
            let of_partition = mentions.by_partition.entry(offender.partition).or_default();
            of_partition.push((offender.clone(), BTreeSet::new()));
        }
        mentions
    }

    /// Keeps `line` if it mentions an offender, and returns whether it does.
    pub fn add(&mut self, line: &Line) -> bool {
        if let Entry::NotDelivered(entry) = &line.entry {
            return self.add_not_delivered(line, entry);
        }
        let Some(messages) = Messages::of(&line.entry) else { return false };
        let mut is_kept = false;
        for range in messages.ranges() {
            is_kept |= self.keep(line, messages.topic, range.partition, |offender| offender.is_in(range));
        }
        is_kept
    }

    /// A message that was rejected and received nevertheless has no offset in the producer's line.
    fn add_not_delivered(&mut self, line: &Line, entry: &NotDelivered) -> bool {
        self.keep(line, &entry.topic, entry.partition, |offender| {
            offender.key.is_some_and(|(run, pseq)| {
                run == entry.run && entry.pseq.iter().any(|[first, last]| (*first..=*last).contains(&pseq))
            })
        })
    }

    fn keep(&mut self, line: &Line, topic: &str, partition: i32, is_mentioned: impl Fn(&Offender) -> bool) -> bool {
        let mut is_kept = false;
        for (offender, lines) in self.by_partition.get_mut(&partition).into_iter().flatten() {
            if offender.topic == topic && lines.len() < LINES_MAX && is_mentioned(offender) {
                let (time, instance) = (line.timestamp.millis().map(Time), line.instance.clone());
                lines.insert(SourceLine { time, instance, seq: line.seq, message: line.entry.name() });
                is_kept = true;
            }
        }
        is_kept
    }

    /// The offenders of `report`, each with its lines.
    #[must_use]
    pub fn of_offenders(&self, report: &Report) -> Vec<OffenderReport> {
        report.offenders().map(|offender| self.of_offender(offender)).collect()
    }

    fn of_offender(&self, offender: &Offender) -> OffenderReport {
        let in_partition = self.by_partition.get(&offender.partition);
        let lines = in_partition.into_iter().flatten().find(|(known, _)| known.is_same_message(offender));
        OffenderReport {
            class: offender.class.name().replace(' ', "_"),
            group: offender.group.clone(),
            topic: offender.topic.clone(),
            partition: offender.partition,
            offset: offender.offset,
            run: offender.key.map(|(run, _)| run.to_string()),
            pseq: offender.key.map(|(_, pseq)| pseq),
            num: offender.num,
            instances: offender.by.clone(),
            lines: lines.map(|(_, lines)| lines.iter().cloned().collect()).unwrap_or_default(),
        }
    }
}
