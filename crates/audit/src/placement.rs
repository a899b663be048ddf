//! Where messages that a group did not receive lie among its sessions in one partition. This decides what is concluded from them.

use std::collections::BTreeSet;

use crate::session::{Sessions, Span};

/// A session, and the replica whose lines tell of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Session<'a> {
    pub(crate) replica: &'a str,
    pub(crate) span: Span,
    /// Whether lines of the replica are missing.
    pub(crate) has_gap: bool,
}

/// Where a message lies.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place<'a> {
    /// A session passed over the message, and no line of its replica is missing.
    PassedOver,
    /// The message lies within a session, but lines of its replica are missing.
    Obscured(Session<'a>),
    /// A session passed over the message because the broker had deleted it.
    Deleted,
    /// A session passed over the message, which was still in the log, before it received its first one.
    Jumped,
    /// The message lies between the end of one session and the beginning of the next.
    Between(Session<'a>, Session<'a>),
    /// The message lies before the first session.
    Before(Session<'a>),
    /// The message lies after the end of every session.
    Beyond,
}

/// The sessions of a group in one partition.
#[derive(Debug, Default)]
pub(crate) struct Placement<'a> {
    sessions: Vec<Session<'a>>,
    deleted: Vec<(i64, i64)>,
    jumped: Vec<(i64, i64)>,
}

impl<'a> Placement<'a> {
    /// Adds the sessions of a replica.
    pub(crate) fn add(&mut self, replica: &'a str, has_gap: bool, sessions: &Sessions) {
        let coverage = sessions.coverage();
        self.sessions.extend(coverage.spans.into_iter().map(|span| Session { replica, span, has_gap }));
        self.deleted.extend(coverage.deleted);
        self.jumped.extend(coverage.jumped);
    }

    /// Divides `first..=last` into intervals that lie in one place each.
    pub(crate) fn divide(&self, first: i64, last: i64) -> Vec<(Place<'a>, i64, i64)> {
        let of_spans = self.sessions.iter().flat_map(|session| [session.span.first, session.span.end]);
        let of_logs = self.sessions.iter().filter_map(|session| session.span.log_start);
        let passed = self.deleted.iter().chain(&self.jumped);
        let of_passed = passed.flat_map(|(first, last)| [*first, last + 1]);
        let cuts: BTreeSet<i64> =
            of_spans.chain(of_logs).chain(of_passed).filter(|cut| first < *cut && *cut <= last).collect();
        let starts = [first].into_iter().chain(cuts.iter().copied());
        let ends = cuts.iter().map(|cut| cut - 1).chain([last]);
        starts.zip(ends).map(|(first, last)| (self.place(first), first, last)).collect()
    }

    fn place(&self, offset: i64) -> Place<'a> {
        let is_in = |intervals: &[(i64, i64)]| intervals.iter().any(|(first, last)| (*first..=*last).contains(&offset));
        if is_in(&self.deleted) {
            return Place::Deleted;
        }
        if is_in(&self.jumped) {
            return Place::Jumped;
        }
        let within = |session: &&Session<'a>| (session.span.first..session.span.end).contains(&offset);
        // Of several sessions, the one with the best evidence decides.
        if let Some(session) = self.sessions.iter().filter(within).min_by_key(|session| session.has_gap) {
            return if session.has_gap { Place::Obscured(*session) } else { Place::PassedOver };
        }
        let before = self.sessions.iter().filter(|session| session.span.end <= offset && session.span.first <= offset);
        let after = self.sessions.iter().filter(|session| offset < session.span.first);
        // Of sessions that begin at the same offset, `auto.offset.reset` determined the first one, and the others continued from it.
        let next = after.min_by_key(|session| (session.span.first, session.span.start));
        match (before.max_by_key(|session| session.span.end), next) {
            (Some(previous), Some(next)) => Place::Between(*previous, *next),
            (None, Some(next)) => Place::Before(*next),
            (_, None) => Place::Beyond,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{Event, Start};

    fn sessions(events: &[Event], received: Option<(u64, i64, i64)>) -> Sessions {
        let mut sessions = Sessions::default();
        events.iter().enumerate().for_each(|(index, event)| sessions.add(10 * index as u64, *event));
        if let Some((seq, first, last)) = received {
            sessions.receive(seq, first, last);
        }
        sessions
    }

    fn begun(start: Start, at: i64) -> Event {
        Event::Begun { start, at: Some(at) }
    }

    /// The places of the offsets 0 to `last`, as letters.
    fn places(placement: &Placement<'_>, last: i64) -> String {
        let letter = |place| match place {
            Place::PassedOver => 'p',
            Place::Obscured(_) => 'o',
            Place::Deleted => 'd',
            Place::Jumped => 'j',
            Place::Between(..) => '-',
            Place::Before(_) => '<',
            Place::Beyond => '>',
        };
        let pieces = placement.divide(0, last);
        pieces.into_iter().flat_map(|(place, first, last)| (first..=last).map(move |_| letter(place))).collect()
    }

    #[test]
    fn a_session_covers_everything_from_its_beginning_to_its_end() {
        let mut placement = Placement::default();
        placement.add("a", false, &sessions(&[begun(Start::Latest, 2), Event::Ended { position: Some(5) }], None));
        placement.add("b", true, &sessions(&[begun(Start::Committed, 7)], Some((5, 7, 8))));
        assert_eq!(places(&placement, 10), "<<ppp--oo>>");
    }

    #[test]
    fn a_reset_tells_which_messages_were_deleted() {
        let reset = Event::Reset { from: Some(3), to: 7, log_start: Some(6) };
        let mut placement = Placement::default();
        let ended = Event::Ended { position: Some(9) };
        placement.add("a", false, &sessions(&[begun(Start::Earliest, 1), reset, ended], None));
        assert_eq!(places(&placement, 9), "<ppdddppp>");
    }

    #[test]
    fn a_session_that_is_reset_before_its_first_message_has_not_passed_over_what_another_one_may_have_received() {
        let reset = Event::Reset { from: Some(3), to: 7, log_start: Some(5) };
        let mut placement = Placement::default();
        let ended = Event::Ended { position: Some(9) };
        placement.add("a", false, &sessions(&[begun(Start::Committed, 3), reset, ended], None));
        assert_eq!(places(&placement, 9), "<<<ddjjpp>");
    }

    #[test]
    fn a_session_with_an_unknown_beginning_covers_its_messages() {
        let begun = Event::Begun { start: Start::Unknown, at: None };
        let mut placement = Placement::default();
        placement.add("a", false, &sessions(&[begun, Event::Ended { position: None }], None));
        assert_eq!(places(&placement, 3), ">>>>");
        let reset = Event::Reset { from: None, to: 2, log_start: Some(0) };
        placement.add("a", false, &sessions(&[begun, reset], Some((15, 2, 3))));
        assert_eq!(places(&placement, 4), "<<pp>");
    }

    #[test]
    fn a_session_whose_beginning_is_cut_off_covers_the_messages_that_are_left() {
        let mut placement = Placement::default();
        let ended = Event::Ended { position: Some(6) };
        let mut sessions = sessions(&[], Some((3, 4, 5)));
        sessions.add(8, ended);
        assert!(sessions.begins_in_the_middle());
        placement.add("a", false, &sessions);
        assert_eq!(places(&placement, 7), "<<<<pp>>");
    }
}
