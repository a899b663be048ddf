//! What happened, in order: assignments, kills, freezes, outages.

use std::collections::VecDeque;
use std::time::SystemTime;

use serde::Serialize;

/// How many events are kept.
const KEPT_MAX: usize = 200;
/// A text from outside may be long.
const TEXT_MAX: usize = 400;

/// The kind of an event, which decides its sign on the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// A process has started.
    Start,
    /// A process was asked to stop, or has ended.
    Stop,
    Kill,
    Freeze,
    Thaw,
    Assigned,
    Revoked,
    Lost,
    Broker,
    Producer,
    Warning,
    Bad,
    Story,
    Verdict,
}

/// One event.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Event {
    /// Numbered from 1.
    pub(crate) number: u64,
    /// Milliseconds since 1970.
    pub(crate) at: u64,
    pub(crate) kind: Kind,
    /// The service that it is about; empty if none.
    pub(crate) service: String,
    pub(crate) text: String,
}

/// The last events.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    events: VecDeque<Event>,
    last: u64,
}

impl Timeline {
    pub(crate) fn add(&mut self, kind: Kind, service: &str, text: String) {
        self.last += 1;
        let at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let text = match text.char_indices().nth(TEXT_MAX) {
            Some((end, _)) => format!("{} …", &text[..end]),
            None => text,
        };
        let at = u64::try_from(at.as_millis()).unwrap_or(u64::MAX);
        self.events.push_back(Event { number: self.last, at, kind, service: service.to_owned(), text });
        if self.events.len() > KEPT_MAX {
            self.events.pop_front();
        }
    }

    /// The events after the one with this number.
    pub(crate) fn since(&self, number: u64) -> impl Iterator<Item = &Event> {
        self.events.iter().filter(move |event| event.number > number)
    }

    /// The number of the last event.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_the_last_events_and_cuts_long_texts() {
        let mut timeline = Timeline::default();
        for number in 0..1000 {
            timeline.add(Kind::Bad, "consumer-1", format!("{number} {}", "ä".repeat(1000)));
        }
        assert_eq!(timeline.since(0).count(), KEPT_MAX);
        assert_eq!(timeline.since(998).map(|event| event.number).collect::<Vec<_>>(), [999, 1000]);
        assert!(timeline.since(0).all(|event| event.text.chars().count() <= TEXT_MAX + 2));
    }
}
