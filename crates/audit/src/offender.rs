//! A message that is not as it should be, by name.

use std::collections::BTreeSet;
use std::fmt;

use journal::{Entry, Line, Range};
use message::RunId;

/// So many offenders of each class are named; all are counted.
pub(crate) const NAMED_MAX: usize = 20;

/// What is wrong with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Acknowledged; the group received a later offset of its partition, but not this one, or another message at it.
    Missing,
    /// The group received its offset more than once.
    Repeated,
    /// It stands at two offsets.
    ProducedTwice,
    /// It was reported as rejected, or lies beyond the end of its run, and was received.
    Phantom,
}

impl Class {
    /// The name in the report.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Repeated => "repeated",
            Self::ProducedTwice => "produced twice",
            Self::Phantom => "phantom",
        }
    }
}

/// One message that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offender {
    /// What is wrong.
    pub class: Class,
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Offset, where that identifies it.
    pub offset: Option<i64>,
    /// Run and pseq, where those identify it or a line gave them.
    pub key: Option<(RunId, u64)>,
    /// Number, where a line gave it.
    pub num: Option<u64>,
    /// Instances whose lines hold it.
    pub by: BTreeSet<String>,
}

impl Offender {
    pub(crate) fn at(class: Class, topic: &str, partition: i32, offset: i64) -> Self {
        let topic = topic.to_owned();
        Self { class, topic, partition, offset: Some(offset), key: None, num: None, by: BTreeSet::new() }
    }

    pub(crate) fn keyed(class: Class, topic: &str, partition: i32, run: RunId, pseq: u64) -> Self {
        let topic = topic.to_owned();
        Self { class, topic, partition, offset: None, key: Some((run, pseq)), num: None, by: BTreeSet::new() }
    }

    /// Takes from a line what it says about this message.
    pub(crate) fn learn(&mut self, line: &Line) {
        let (topic, num, ranges): (_, _, &[Range]) = match &line.entry {
            Entry::Delivered(it) => {
                (&it.topic, Some(it.num), &[Range::one(it.partition, it.offset, Some((it.run, it.pseq)))])
            }
            Entry::Received(it) => {
                (&it.topic, Some(it.num), &[Range::one(it.partition, it.offset, it.run.zip(it.pseq))])
            }
            Entry::BadMessage(it) => (&it.topic, None, &[Range::one(it.partition, it.offset, it.run.zip(it.pseq))]),
            Entry::DeliveredSummary(it) => (&it.topic, None, &it.ranges),
            Entry::ReceivedSummary(it) => (&it.topic, None, &it.ranges),
            _ => return,
        };
        if *topic != self.topic {
            return;
        }
        for range in ranges.iter().filter(|range| range.partition == self.partition) {
            if self.is_in(range) {
                // Who received it, is what a repeat asks for; who wrote it, is what a gap asks for.
                let is_received =
                    matches!(line.entry, Entry::Received(_) | Entry::ReceivedSummary(_) | Entry::BadMessage(_));
                if is_received != (self.class == Class::Missing) {
                    self.by.insert(line.instance.clone());
                }
                self.num = self.num.or(num);
                if let (Some(offset), Some(run), Some([first, _])) = (self.offset, range.run, range.pseq) {
                    self.key.get_or_insert((run, first + offset.abs_diff(range.offset[0])));
                }
            }
        }
    }

    fn is_in(&self, range: &Range) -> bool {
        match (self.offset, self.key, range.run.zip(range.pseq)) {
            (Some(offset), ..) => (range.offset[0]..=range.offset[1]).contains(&offset),
            (None, Some((run, pseq)), Some((of, [first, last]))) => run == of && (first..=last).contains(&pseq),
            _ => false,
        }
    }
}

impl fmt::Display for Offender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}[{}]", self.class.name(), self.topic, self.partition)?;
        if let Some(offset) = self.offset {
            write!(f, "@{offset}")?;
        }
        if let Some((run, pseq)) = self.key {
            write!(f, " run {run} pseq {pseq}")?;
        }
        if let Some(num) = self.num {
            write!(f, " num {num}")?;
        }
        if !self.by.is_empty() {
            write!(f, " by {}", self.by.iter().cloned().collect::<Vec<_>>().join(", "))?;
        }
        Ok(())
    }
}

/// Offenders of one class: counted, and the first ones named.
#[derive(Debug, Clone, Default)]
pub(crate) struct Offenders {
    pub(crate) count: u64,
    pub(crate) named: Vec<Offender>,
}

impl Offenders {
    /// Adds a message for each number in `first..=last`, named by `name`.
    pub(crate) fn push(&mut self, first: i64, last: i64, name: impl Fn(i64) -> Offender) {
        self.count += first.abs_diff(last) + 1;
        let room = NAMED_MAX.saturating_sub(self.named.len());
        self.named.extend((first..=last).take(room).map(name));
    }
}
