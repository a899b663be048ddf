//! Which messages the sessions of a group have reached, one offset at a time.

use std::collections::{BTreeMap, BTreeSet};

use journal::Entry;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Start {
    Latest,
    Earliest,
    Committed,
    Unknown,
    Cut,
}

/// What one line says about one partition.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Event {
    Begun(Start, Option<i64>),
    Reset { from: Option<i64>, to: i64, log_start: Option<i64> },
    Ended(Option<i64>),
    Received([i64; 2]),
}

/// The events of one replica in one partition, by line and place in the line.
pub(crate) type Log = BTreeMap<(u64, i64), Event>;

/// The events of sessions in a line, by partition.
pub(crate) fn events(entry: &Entry) -> Vec<(i32, Event)> {
    match entry {
        Entry::Assigned(entry) => {
            let mut events = Vec::new();
            let begin = &entry.begin;
            let known = [
                (Start::Committed, &begin.committed),
                (Start::Earliest, &begin.earliest),
                (Start::Latest, &begin.latest),
            ];
            for (start, beginnings) in known {
                for (partition, offset) in beginnings {
                    events.push((*partition, Event::Begun(start, Some(*offset))));
                }
            }
            for partition in &begin.unknown {
                events.push((*partition, Event::Begun(Start::Unknown, None)));
            }
            events
        }
        Entry::Revoked(entry) | Entry::Lost(entry) => {
            let position =
                |partition| entry.positions.iter().find(|(known, _)| *known == partition).map(|(_, offset)| *offset);
            entry.partitions.iter().map(|partition| (*partition, Event::Ended(position(*partition)))).collect()
        }
        Entry::PositionReset(entry) => {
            vec![(entry.partition, Event::Reset { from: entry.from, to: entry.to, log_start: entry.log_start })]
        }
        _ => Vec::new(),
    }
}

/// Whether a message was received before a session began.
pub(crate) fn begins_in_the_middle(log: &Log) -> bool {
    first_if_cut(log).is_some()
}

fn first_if_cut(log: &Log) -> Option<i64> {
    log.values()
        .take_while(|event| !matches!(event, Event::Begun(..)))
        .find_map(|event| if let Event::Received([first, _]) = event { Some(*first) } else { None })
}

/// Where a message lies that the group did not receive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reached {
    PassedOver,
    Obscured,
    Deleted,
    Skipped { is_log_later: bool },
    Before,
    BeforeLatest,
    BeforeEarliest,
    NotYet,
}

#[derive(Debug, Clone)]
struct Session {
    start: Start,
    first: i64,
    /// One more than the last offset that it has reached.
    end: i64,
    log_start: Option<i64>,
    has_gap: bool,
}

/// The sessions of a group in one partition.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    sessions: Vec<Session>,
    deleted: BTreeSet<i64>,
    jumped: BTreeSet<i64>,
}

impl Sessions {
    /// From the log of each replica, and whether lines of it are missing.
    pub(crate) fn new<'a>(logs: impl Iterator<Item = (bool, &'a Log)>) -> Self {
        let mut sessions = Self::default();
        logs.for_each(|(has_gap, log)| sessions.add(has_gap, log));
        sessions
    }

    fn add(&mut self, has_gap: bool, log: &Log) {
        let session = |start, first, log_start| Session { start, first, end: first, log_start, has_gap };
        let mut open = first_if_cut(log).map(|first| session(Start::Cut, first, None));
        let mut last_start = Start::Cut;
        let mut begun_at = None;
        for event in log.values() {
            match *event {
                Event::Begun(start, at) => {
                    self.sessions.extend(open.take());
                    open = at.map(|at| session(start, at, (start == Start::Earliest).then_some(at)));
                    last_start = start;
                    begun_at = at;
                }
                Event::Reset { from, to, log_start } => {
                    let begin = || match from {
                        Some(from) => session(last_start, from, None),
                        None => session(last_start, to, log_start),
                    };
                    let session = open.get_or_insert_with(begin);
                    session.first = session.first.min(to);
                    if let Some(from) = from {
                        session.end = session.end.max(from);
                        let deleted_to = log_start.unwrap_or(from).min(to);
                        self.deleted.extend(from..deleted_to);
                        if begun_at == Some(from) {
                            self.jumped.extend(deleted_to.max(from)..to);
                        }
                    }
                }
                Event::Ended(position) => {
                    if let Some(mut session) = open.take() {
                        session.end = session.end.max(position.unwrap_or(session.end));
                        self.sessions.push(session);
                    }
                    last_start = Start::Cut;
                }
                Event::Received(_) => {}
            }
        }
        if let Some(mut session) = open {
            for event in log.values() {
                if let Event::Received([_, last]) = event {
                    session.end = session.end.max(last + 1);
                }
            }
            self.sessions.push(session);
        }
    }

    pub(crate) fn reach(&self, offset: i64) -> Reached {
        let within = |session: &&Session| session.first <= offset && offset < session.end;
        if self.deleted.contains(&offset) {
            return Reached::Deleted;
        }
        if self.jumped.contains(&offset) {
            return Reached::Skipped { is_log_later: false };
        }
        if self.sessions.iter().filter(within).any(|session| !session.has_gap) {
            return Reached::PassedOver;
        }
        if self.sessions.iter().any(|session| within(&session)) {
            return Reached::Obscured;
        }
        let mut later: Vec<&Session> = self.sessions.iter().filter(|session| session.first > offset).collect();
        later.sort_by_key(|session| (session.first, session.start));
        let is_first = !self.sessions.iter().any(|session| session.first <= offset);
        match later.first() {
            None => Reached::NotYet,
            Some(next) if is_first && next.start == Start::Latest => Reached::BeforeLatest,
            Some(next) if is_first && next.start == Start::Earliest => Reached::BeforeEarliest,
            Some(next) if is_first || next.start == Start::Cut => Reached::Before,
            Some(next) => Reached::Skipped { is_log_later: next.log_start.is_some_and(|log_start| offset < log_start) },
        }
    }
}
