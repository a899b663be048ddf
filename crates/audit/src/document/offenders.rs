//! The offenders, with the lines that mention them.

use std::collections::{BTreeMap, BTreeSet};

use journal::{Entry, Line, Range};
use serde::Serialize;

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

/// What identifies an offender: the offset, or else the run and pseq.
type Identity = (String, i32, Option<i64>, Option<(message::RunId, u64)>);

/// Collects the lines that mention the offenders of a report.
#[derive(Debug, Default)]
pub struct Mentions {
    /// The offenders of each partition.
    by_partition: BTreeMap<i32, Vec<(Identity, BTreeSet<SourceLine>)>>,
}

impl Mentions {
    /// Prepares for the offenders of `report`, to which no details were added yet.
    #[must_use]
    pub fn new(report: &Report) -> Self {
        let mut mentions = Self::default();
        for offender in report.offenders() {
            let of_partition = mentions.by_partition.entry(offender.partition).or_default();
            of_partition.push((identity(offender), BTreeSet::new()));
        }
        mentions
    }

    /// Keeps `line` if it mentions an offender, and returns whether it does.
    pub fn add(&mut self, line: &Line) -> bool {
        let one;
        let (topic, message, ranges): (_, _, &[Range]) = match &line.entry {
            Entry::Delivered(entry) => {
                one = [Range::one(entry.partition, entry.offset, Some((entry.run, entry.pseq)))];
                (&entry.topic, "message delivered", &one)
            }
            Entry::Received(entry) => {
                one = [Range::one(entry.partition, entry.offset, entry.run.zip(entry.pseq))];
                (&entry.topic, "message received", &one)
            }
            Entry::BadMessage(entry) => {
                one = [Range::one(entry.partition, entry.offset, entry.run.zip(entry.pseq))];
                (&entry.topic, "bad message skipped", &one)
            }
            Entry::DeliveredSummary(entry) => (&entry.topic, "messages delivered", &entry.ranges),
            Entry::ReceivedSummary(entry) => (&entry.topic, "messages received", &entry.ranges),
            Entry::NotDelivered(entry) => {
                return self.add_not_delivered(line, entry);
            }
            _ => return false,
        };
        let mut is_kept = false;
        for range in ranges {
            let key = range.run.zip(range.pseq);
            is_kept |= self.keep(line, topic, range.partition, message, |(_, _, offset, of_offender)| {
                match (offset, of_offender) {
                    (Some(offset), _) => (range.offset[0]..=range.offset[1]).contains(offset),
                    (None, Some((run, pseq))) => {
                        key.is_some_and(|(of_range, [first, last])| of_range == *run && (first..=last).contains(pseq))
                    }
                    (None, None) => false,
                }
            });
        }
        is_kept
    }

    /// A message that was rejected and received nevertheless has no offset in the producer's line.
    fn add_not_delivered(&mut self, line: &Line, entry: &journal::NotDelivered) -> bool {
        self.keep(line, &entry.topic, entry.partition, "messages not delivered", |(_, _, _, key)| {
            key.is_some_and(|(run, pseq)| {
                run == entry.run && entry.pseq.iter().any(|[first, last]| (*first..=*last).contains(&pseq))
            })
        })
    }

    fn keep(
        &mut self,
        line: &Line,
        topic: &str,
        partition: i32,
        message: &'static str,
        is_mentioned: impl Fn(&Identity) -> bool,
    ) -> bool {
        let mut is_kept = false;
        for (identity, lines) in self.by_partition.get_mut(&partition).into_iter().flatten() {
            if identity.0 == topic && lines.len() < LINES_MAX && is_mentioned(identity) {
                let (time, instance) = (line.timestamp.millis().map(Time), line.instance.clone());
                lines.insert(SourceLine { time, instance, seq: line.seq, message });
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
        let wanted = identity(offender);
        let in_partition = self.by_partition.get(&offender.partition);
        let lines = in_partition.into_iter().flatten().find(|(identity, _)| is_same(identity, &wanted));
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

fn identity(offender: &Offender) -> Identity {
    (offender.topic.clone(), offender.partition, offender.offset, offender.key)
}

/// Whether both identify the same message. Details, which come later, add the key to an offender with an offset.
fn is_same(one: &Identity, other: &Identity) -> bool {
    one.0 == other.0 && one.2 == other.2 && (one.2.is_some() || one.3 == other.3)
}
