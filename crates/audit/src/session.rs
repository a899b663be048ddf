//! The sessions of one replica in one partition, and which offsets they cover.

use std::collections::BTreeMap;
use std::fmt;

use journal::{Assigned, Beginnings, Ended, PositionReset};

/// What determined where a session begins. Of sessions that begin at the same offset, the least of these was the first session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Start {
    /// `auto.offset.reset=latest`.
    Latest,
    /// `auto.offset.reset=earliest`.
    Earliest,
    /// The group's committed offset.
    Committed,
    /// The replica could not find out.
    Unknown,
    /// The evidence begins in the middle of the session, at its first message here.
    Cut,
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Latest => "by auto.offset.reset=latest",
            Self::Earliest => "by auto.offset.reset=earliest",
            Self::Committed => "the committed offset",
            Self::Unknown => "for an unknown reason",
            Self::Cut => "the first message in its log here",
        })
    }
}

/// What a line says about a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    Begun { start: Start, at: Option<i64> },
    Reset { from: Option<i64>, to: i64, log_start: Option<i64> },
    Ended { position: Option<i64> },
}

impl Event {
    /// The beginnings in a line, by partition.
    pub(crate) fn of_assigned(entry: &Assigned) -> impl Iterator<Item = (i32, Self)> {
        let Beginnings { committed, earliest, latest, unknown } = &entry.begin;
        let known = [(Start::Committed, committed), (Start::Earliest, earliest), (Start::Latest, latest)];
        let known = known.into_iter().flat_map(|(start, begin)| {
            begin.iter().map(move |(partition, offset)| (*partition, Self::Begun { start, at: Some(*offset) }))
        });
        known.chain(unknown.iter().map(|partition| (*partition, Self::Begun { start: Start::Unknown, at: None })))
    }

    /// The ends in a line, by partition.
    pub(crate) fn of_ended(entry: &Ended) -> impl Iterator<Item = (i32, Self)> {
        let positions: BTreeMap<i32, i64> = entry.positions.iter().copied().collect();
        let partitions = entry.partitions.iter();
        partitions.map(move |partition| (*partition, Self::Ended { position: positions.get(partition).copied() }))
    }

    pub(crate) fn of_reset(entry: &PositionReset) -> Self {
        Self::Reset { from: entry.from, to: entry.to, log_start: entry.log_start }
    }
}

/// The offsets from `first` to before `end`, each of which a session has received or passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: Start,
    pub(crate) first: i64,
    pub(crate) end: i64,
    /// Where the log began then, if the replica's lines say so: the broker had deleted everything below.
    pub(crate) log_start: Option<i64>,
}

/// What the sessions cover.
#[derive(Debug, Default)]
pub(crate) struct Coverage {
    pub(crate) spans: Vec<Span>,
    /// Intervals that sessions passed over because the broker had deleted the messages.
    pub(crate) deleted: Vec<(i64, i64)>,
    /// Intervals that were still in the log, and that sessions passed over before their first message.
    pub(crate) jumped: Vec<(i64, i64)>,
}

/// The sessions of one replica in one partition. Lines may be added in any order.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    /// The events by the number of their line.
    events: BTreeMap<u64, Event>,
    /// The first line with a message, and its offset.
    first_received: Option<(u64, i64)>,
    last_received: Option<i64>,
}

impl Sessions {
    pub(crate) fn add(&mut self, seq: u64, event: Event) {
        self.events.insert(seq, event);
    }

    /// Whether the line with this number says the same.
    pub(crate) fn contains(&self, seq: u64, event: Event) -> bool {
        self.events.get(&seq) == Some(&event)
    }

    /// Records that a line says that these messages were received.
    pub(crate) fn receive(&mut self, seq: u64, first: i64, last: i64) {
        if self.first_received.is_none_or(|(known, offset)| (seq, first) < (known, offset)) {
            self.first_received = Some((seq, first));
        }
        self.last_received = self.last_received.max(Some(last));
    }

    /// Whether messages were received before any line says that a session begins.
    pub(crate) fn begins_in_the_middle(&self) -> bool {
        let begun = self.events.iter().find(|(_, event)| matches!(event, Event::Begun { .. })).map(|(seq, _)| *seq);
        self.first_received.is_some_and(|(received, _)| begun.is_none_or(|begun| received < begun))
    }

    pub(crate) fn coverage(&self) -> Coverage {
        let mut coverage = Coverage::default();
        // The session whose beginning is known and whose end is not.
        let mut open: Option<Span> = None;
        let (mut begun, mut begun_at) = (None, None);
        if let Some((_, first)) = self.first_received
            && self.begins_in_the_middle()
        {
            open = Some(Span { start: Start::Cut, first, end: first, log_start: None });
        }
        for event in self.events.values() {
            match *event {
                Event::Begun { start, at } => {
                    let log_start = at.filter(|_| start == Start::Earliest);
                    // The end of the former session was in a line that is missing.
                    coverage.spans.extend(open.take());
                    open = at.map(|first| Span { start, first, end: first, log_start });
                    (begun, begun_at) = (Some(start), at);
                }
                Event::Reset { from, to, log_start } => {
                    let span = open.get_or_insert_with(|| {
                        let first = from.unwrap_or(to);
                        let log_start = log_start.filter(|_| from.is_none());
                        Span { start: begun.unwrap_or(Start::Cut), first, end: first, log_start }
                    });
                    span.first = span.first.min(to);
                    if let Some(from) = from {
                        span.end = span.end.max(from);
                        let deleted_to = log_start.map_or(from, |log_start| log_start.min(to));
                        if from < deleted_to {
                            coverage.deleted.push((from, deleted_to - 1));
                        }
                        // Nothing was received since the session began. The replica before may have received more than it committed.
                        let jumped_from = deleted_to.max(from);
                        if begun_at == Some(from) && jumped_from < to {
                            coverage.jumped.push((jumped_from, to - 1));
                        }
                    }
                }
                Event::Ended { position } => {
                    if let Some(mut span) = open.take() {
                        span.end = span.end.max(position.unwrap_or(span.end));
                        coverage.spans.push(span);
                    }
                    begun = None;
                }
            }
        }
        if let Some(mut span) = open {
            // An open session is the last one of its replica.
            span.end = span.end.max(self.last_received.map_or(span.end, |last| last + 1));
            coverage.spans.push(span);
        }
        coverage
    }
}
