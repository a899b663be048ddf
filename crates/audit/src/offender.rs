//! Messages that break a guarantee, counted and named.

use std::collections::BTreeSet;
use std::fmt;

use journal::Range;
use message::RunId;

use crate::effect::Effect;
use crate::intervals::length;
use crate::messages::{Messages, Side};
use crate::run::TopicPartition;

/// How many offenders of each class are named. All of them are counted.
pub(crate) const NAMED_MAX: usize = 20;

/// How a message breaks a guarantee.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// The message was acknowledged, and a session passed over its offset without receiving it, or received another message at it.
    Missing,
    /// The message was acknowledged, and lies between the end of a session and the beginning of the next: the group never read it.
    Skipped,
    /// The message was acknowledged, and the broker deleted it before the group read it.
    Expired,
    /// The group received its offset more than once.
    Repeated,
    /// The partition holds the message at two offsets.
    ProducedTwice,
    /// The group received the message, although its producer reported it as rejected or closed the run before it.
    Phantom,
}

impl Class {
    /// The name that the report uses.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Skipped => "skipped",
            Self::Expired => "expired",
            Self::Repeated => "repeated",
            Self::ProducedTwice => "produced twice",
            Self::Phantom => "phantom",
        }
    }

    /// All classes, in the order of the report.
    pub const ALL: [Self; 6] =
        [Self::Missing, Self::Skipped, Self::Expired, Self::Repeated, Self::ProducedTwice, Self::Phantom];

    /// What such messages mean for the verdict.
    pub(crate) fn effect(self) -> Effect {
        match self {
            Self::Repeated => Effect::Limited,
            Self::Missing | Self::Skipped | Self::Expired | Self::ProducedTwice | Self::Phantom => Effect::Violation,
        }
    }

    /// Whether the group did not receive the message.
    pub(crate) fn is_not_received(self) -> bool {
        matches!(self, Self::Missing | Self::Skipped | Self::Expired)
    }
}

/// A message that breaks a guarantee.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offender {
    /// The guarantee that it breaks.
    pub class: Class,
    /// The consumer group to which it matters. `None` if its producer's lines alone show it.
    pub group: Option<String>,
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Its offset, if that identifies it.
    pub offset: Option<i64>,
    /// Its run and pseq, if they identify it or a line holds them.
    pub key: Option<(RunId, u64)>,
    /// Its number, if a line holds it.
    pub num: Option<u64>,
    /// The instances that sent it if it was not received, and those that received it otherwise.
    pub by: BTreeSet<String>,
}

impl Offender {
    pub(crate) fn at_offset(class: Class, partition: &TopicPartition, offset: i64) -> Self {
        Self { offset: Some(offset), ..Self::new(class, partition) }
    }

    pub(crate) fn with_key(class: Class, partition: &TopicPartition, run: RunId, pseq: i64) -> Self {
        Self { key: Some((run, pseq.unsigned_abs())), ..Self::new(class, partition) }
    }

    fn new(class: Class, partition: &TopicPartition) -> Self {
        let TopicPartition { topic, partition } = partition.clone();
        Self { class, group: None, topic, partition, offset: None, key: None, num: None, by: BTreeSet::new() }
    }

    /// Adds what a line of `instance` says about this message if it is one of `messages`: its key, its number, and the instance.
    pub(crate) fn add_details(&mut self, instance: &str, messages: &Messages<'_>) {
        if messages.topic != self.topic {
            return;
        }
        let is_received = matches!(messages.side, Side::Received { .. });
        for range in messages.ranges() {
            if !self.is_in(range) {
                continue;
            }
            // A repeat raises the question who received the message, a message that was not received the question who sent it.
            if is_received != self.class.is_not_received() {
                self.by.insert(instance.to_owned());
            }
            self.num = self.num.or(messages.num());
            if let (Some(offset), Some(run), Some([first, _])) = (self.offset, range.run, range.pseq) {
                self.key.get_or_insert((run, first + offset.abs_diff(range.offset[0])));
            }
        }
    }

    /// Whether `range`, which is of the same topic, contains this message.
    pub(crate) fn is_in(&self, range: &Range) -> bool {
        range.partition == self.partition
            && match (self.offset, self.key, range.run.zip(range.pseq)) {
                (Some(offset), ..) => (range.offset[0]..=range.offset[1]).contains(&offset),
                (None, Some((run, pseq)), Some((run_of_range, [first, last]))) => {
                    run == run_of_range && (first..=last).contains(&pseq)
                }
                _ => false,
            }
    }

    /// Whether both are the same message. Its offset decides, because an offender that has one gets its key only with its details.
    pub(crate) fn is_same_message(&self, other: &Self) -> bool {
        (&self.topic, self.partition, self.offset) == (&other.topic, other.partition, other.offset)
            && (self.offset.is_some() || self.key == other.key)
    }
}

impl fmt::Display for Offender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}[{}]", self.class.name(), self.topic, self.partition)?;
        if let Some(offset) = self.offset {
            write!(f, "@{offset}")?;
        }
        if let Some(group) = &self.group {
            write!(f, " group {group}")?;
        }
        if let Some((run, pseq)) = self.key {
            write!(f, " run {run} pseq {pseq}")?;
        }
        if let Some(num) = self.num {
            write!(f, " num {num}")?;
        }
        if !self.by.is_empty() {
            let verb = if self.class.is_not_received() { "sent" } else { "received" };
            write!(f, " {verb} by {}", self.by.iter().cloned().collect::<Vec<_>>().join(", "))?;
        }
        Ok(())
    }
}

/// The offenders of one class: all are counted, the first [`NAMED_MAX`] are named.
#[derive(Debug, Clone, Default)]
pub(crate) struct Offenders {
    pub(crate) count: u64,
    pub(crate) named: Vec<Offender>,
}

impl Offenders {
    /// States the group to which the messages matter.
    pub(crate) fn of_group(mut self, group: &str) -> Self {
        self.named.iter_mut().for_each(|offender| offender.group = Some(group.to_owned()));
        self
    }

    /// Adds a message for each number in `first..=last`. `offender` names the message that has a number.
    pub(crate) fn push(&mut self, first: i64, last: i64, offender: impl Fn(i64) -> Offender) {
        self.count += length(first, last);
        let unnamed = NAMED_MAX.saturating_sub(self.named.len());
        self.named.extend((first..=last).take(unnamed).map(offender));
    }
}
