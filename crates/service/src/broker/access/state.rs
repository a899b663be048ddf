//! What a client has learnt about its access so far, and what follows from it.

use std::time::{Duration, Instant};

use tracing::info;

use super::super::obstacle::{Kind, Obstacle, Right};
use super::super::tokens::Trouble;

/// An obstacle is logged once it has lasted this long. A broker that is just starting, or one broken connection, is not logged.
pub(super) const WARN_AFTER: Duration = Duration::from_secs(2);
const WARN_INTERVAL: Duration = Duration::from_secs(10);
/// A refusal may pass: a starting broker opens its listeners before it has loaded its accounts.
const REFUSAL_GRACE: Duration = Duration::from_secs(4);
const PROBE_INTERVAL: Duration = Duration::from_secs(1);
/// Statistics may be older than an error that came by another queue.
const STATISTICS_AGE_MAX: Duration = Duration::from_secs(1);

/// The present obstacle, and whether the account has ever worked.
#[derive(Debug, Default)]
pub(super) struct AccessState {
    obstacle: Option<Obstacle>,
    /// What was last logged, and when.
    warned: Option<(Kind, Instant)>,
    probed_at: Option<Instant>,
    /// Whether the topic was described.
    has_described: bool,
    /// Whether the topic was read, or messages were acknowledged.
    has_worked: bool,
    /// Whether the group has accepted this client as a member.
    has_joined: bool,
}

impl AccessState {
    /// Notes an obstacle that an error has shown. `is_consequence` means that a more specific error came before, whose
    /// obstacle stays. Returns whether the obstacle is another one than before.
    pub(super) fn note(&mut self, seen: Obstacle, is_consequence: bool) -> bool {
        match &mut self.obstacle {
            // A client whose account is refused also reports that no broker is reachable and that the topic is missing.
            Some(known) if known.kind.is_refusal() && !seen.kind.is_refusal() => false,
            Some(_) if is_consequence => false,
            Some(known) if known.kind == seen.kind => {
                let (since, failures) = (known.since, known.failures + seen.failures);
                *known = Obstacle { since, failures, ..seen };
                false
            }
            _ => {
                self.obstacle = Some(seen);
                true
            }
        }
    }

    /// Notes why the client has no valid token, or that it has one or needs none.
    pub(super) fn note_token(&mut self, missing: Option<Trouble>, now: Instant) {
        let known = self.kind();
        match missing {
            Some(Trouble { is_refusal, reason }) => {
                let kind = if is_refusal { Kind::ClientRefused } else { Kind::IdentityServerUnreachable };
                if known != Some(kind) {
                    // Whether the broker can be reached is not known without a token.
                    self.warned = None;
                    self.obstacle = Some(Obstacle { kind, reason, since: now, failures: 1, lacks: None });
                }
            }
            None if known.is_some_and(Kind::is_about_token) => self.obstacle = None,
            None => {}
        }
    }

    /// Notes that a message arrived or was acknowledged.
    pub(super) fn confirm(&mut self) {
        self.has_worked = true;
        self.clear();
    }

    /// Notes that the broker lets the client read each of its partitions, whether there are messages or not, according to statistics. They
    /// say nothing about whether the broker can be reached.
    pub(super) fn confirm_reading(&mut self, now: Instant) {
        self.has_worked = true;
        let is_refuted =
            |obstacle: &Obstacle| obstacle.lacks == Some(Right::Use) && obstacle.lasts(now) > STATISTICS_AGE_MAX;
        if self.obstacle.as_ref().is_some_and(is_refuted) {
            self.clear();
        }
    }

    /// Notes that the group accepted the client. That needs no right to the topic.
    pub(super) fn confirm_membership(&mut self) {
        self.has_joined = true;
        if self.obstacle.as_ref().is_none_or(|obstacle| obstacle.lacks.is_none()) {
            self.clear();
        }
    }

    /// Notes that the broker described the topic. That needs fewer rights than writing or reading it, and none to the group.
    pub(super) fn confirm_metadata(&mut self) {
        self.has_described = true;
        let lacks = self.obstacle.as_ref().and_then(|obstacle| obstacle.lacks);
        if self.kind() != Some(Kind::Unauthorised) || lacks == Some(Right::Describe) {
            self.clear();
        }
    }

    fn clear(&mut self) {
        let warned = self.warned.take();
        if self.obstacle.take().is_some()
            && let Some((kind, _)) = warned
            && let Some(message) = kind.ended()
        {
            info!("{message}");
        }
    }

    /// The kind of the present obstacle.
    pub(super) fn kind(&self) -> Option<Kind> {
        self.obstacle.as_ref().map(|obstacle| obstacle.kind)
    }

    /// The present obstacle, if it has lasted for more than a moment.
    pub(super) fn lasting(&self, now: Instant) -> Option<Kind> {
        let obstacle = self.obstacle.as_ref()?;
        (obstacle.lasts(now) >= WARN_AFTER).then_some(obstacle.kind)
    }

    /// Returns, at most once a second, that it is time to ask the broker if the obstacle still exists.
    pub(super) fn take_probe(&mut self, now: Instant) -> bool {
        let is_due = self.obstacle.is_some()
            && self.probed_at.is_none_or(|at| now.saturating_duration_since(at) >= PROBE_INTERVAL);
        if is_due {
            self.probed_at = Some(now);
        }
        is_due
    }

    /// Whether neither the topic nor the group has accepted the account since the start.
    pub(super) fn never_worked(&self) -> bool {
        !self.has_worked && !self.has_joined
    }

    /// The refusal after which waiting does not help, if there is one: the account never had the right that it lacks now.
    pub(super) fn refusal(&self, now: Instant) -> Option<&Obstacle> {
        let obstacle = self.obstacle.as_ref()?;
        let has_worked = self.has_worked
            || match obstacle.lacks {
                Some(Right::Use) => false,
                Some(Right::Describe) => self.has_described,
                None => self.has_joined,
            };
        // Whether a login was refused again is not known: librdkafka reports the same error of a broker once in a while only.
        (obstacle.kind.is_refusal() && !has_worked && obstacle.lasts(now) >= REFUSAL_GRACE).then_some(obstacle)
    }

    /// The obstacle, if it is time to log it. It then counts as logged.
    pub(super) fn take_warning(&mut self, now: Instant) -> Option<Obstacle> {
        // Another obstacle has a line of its own at once: an account can be refused as soon as the broker is reachable.
        let is_recent = |(_, at): &(Kind, Instant)| now.saturating_duration_since(*at) < WARN_INTERVAL;
        let warned = self.warned.filter(is_recent).map(|(kind, _)| kind);
        // A missing token is logged with the tokens.
        let obstacle = self.obstacle.as_mut().filter(|obstacle| {
            !obstacle.kind.is_about_token() && obstacle.lasts(now) >= WARN_AFTER && warned != Some(obstacle.kind)
        })?;
        let warning = obstacle.clone();
        obstacle.failures = 0;
        self.warned = Some((warning.kind, now));
        Some(warning)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn seen(kind: Kind, at: Instant) -> Obstacle {
        Obstacle { kind, reason: "reason".to_owned(), since: at, failures: 1, lacks: None }
    }

    fn state(kind: Kind, at: Instant) -> AccessState {
        let mut state = AccessState::default();
        assert!(state.note(seen(kind, at), false));
        state
    }

    /// A member of a group may lack the right to read the topic, and then waiting does not help. Any other right has worked before.
    #[test]
    fn a_member_of_a_group_that_never_could_read_the_topic_is_refused() {
        let now = Instant::now();
        let is_refused = |lacks, has_read| {
            let mut state = AccessState::default();
            state.confirm_metadata();
            if has_read {
                state.confirm_reading(now);
            }
            state.confirm_membership();
            state.note(Obstacle { lacks, ..seen(Kind::Unauthorised, now) }, false);
            if lacks.is_some() {
                // A member of the group need not have any right to the topic.
                state.confirm_membership();
            }
            state.refusal(now + REFUSAL_GRACE).is_some()
        };
        assert!(is_refused(Some(Right::Use), false));
        assert!(!is_refused(Some(Right::Use), true));
        assert!(!is_refused(Some(Right::Describe), false), "the topic was described before");
        assert!(!is_refused(None, false));
    }

    /// A replica may own nothing, or have nothing to read, when a right comes back.
    #[test]
    fn the_lack_of_a_right_ends_with_the_answer_that_shows_the_right_also_without_a_message() {
        let now = Instant::now();
        let lacking = |right| {
            let mut state = AccessState::default();
            state.note(Obstacle { lacks: Some(right), ..seen(Kind::Unauthorised, now) }, false);
            state
        };
        let mut read = lacking(Right::Use);
        read.confirm_metadata();
        read.confirm_reading(now + STATISTICS_AGE_MAX);
        assert_eq!(read.kind(), Some(Kind::Unauthorised), "these statistics may be older");
        read.confirm_reading(now + STATISTICS_AGE_MAX + SECOND);
        assert_eq!(read.kind(), None);
        let mut described = lacking(Right::Describe);
        described.confirm_reading(now + 10 * SECOND);
        assert_eq!(described.kind(), Some(Kind::Unauthorised));
        described.confirm_metadata();
        assert_eq!(described.kind(), None);
        let mut unreachable = state(Kind::Unreachable, now);
        unreachable.confirm_reading(now + 10 * SECOND);
        assert_eq!(unreachable.kind(), Some(Kind::Unreachable));
    }

    #[test]
    fn a_refusal_is_final_only_after_a_grace_and_only_if_the_account_never_worked() {
        let now = Instant::now();
        let mut refused = state(Kind::Unauthenticated, now);
        assert!(refused.refusal(now + REFUSAL_GRACE - SECOND).is_none());
        assert!(refused.refusal(now + REFUSAL_GRACE).is_some() && refused.never_worked());
        refused.confirm();
        refused.note(seen(Kind::Unauthenticated, now), false);
        assert!(refused.refusal(now + REFUSAL_GRACE).is_none() && !refused.never_worked());
        assert!(state(Kind::Unreachable, now).refusal(now + 1000 * SECOND).is_none());
    }

    #[test]
    fn what_follows_from_a_refusal_or_from_another_error_does_not_replace_it() {
        let now = Instant::now();
        let mut refused = state(Kind::Unauthorised, now);
        assert!(!refused.note(seen(Kind::Unreachable, now), false));
        assert_eq!(refused.kind(), Some(Kind::Unauthorised));
        let mut missing = state(Kind::TopicMissing, now);
        assert!(!missing.note(seen(Kind::Unreachable, now), true));
        assert_eq!(missing.kind(), Some(Kind::TopicMissing));
        assert!(missing.note(seen(Kind::Unreachable, now), false));
        assert_eq!(missing.kind(), Some(Kind::Unreachable));
    }

    #[test]
    fn an_obstacle_is_logged_when_it_lasts_then_at_intervals_and_another_one_at_once() {
        let now = Instant::now();
        let mut state = state(Kind::Unreachable, now);
        assert!(state.take_warning(now + SECOND).is_none() && state.lasting(now + SECOND).is_none());
        state.note(seen(Kind::Unreachable, now + SECOND), false);
        let at = now + WARN_AFTER;
        assert_eq!(state.lasting(at), Some(Kind::Unreachable));
        assert_eq!(state.take_warning(at).map(|warning| (warning.since, warning.failures)), Some((now, 2)));
        assert!(state.take_warning(at + SECOND).is_none());
        assert_eq!(state.take_warning(at + WARN_INTERVAL).map(|warning| warning.failures), Some(0));
        state.note(seen(Kind::TopicMissing, at + WARN_INTERVAL), false);
        let warning = state.take_warning(at + WARN_INTERVAL + WARN_AFTER);
        assert_eq!(warning.map(|warning| warning.kind), Some(Kind::TopicMissing));
    }

    #[test]
    fn a_probe_is_due_once_a_second_while_there_is_an_obstacle() {
        let now = Instant::now();
        assert!(!AccessState::default().take_probe(now));
        let mut state = state(Kind::Unreachable, now);
        assert!(state.take_probe(now) && !state.take_probe(now) && state.take_probe(now + SECOND));
        state.confirm_metadata();
        assert!(!state.take_probe(now + 2 * SECOND));
    }

    #[test]
    fn metadata_end_every_obstacle_but_a_missing_right() {
        let now = Instant::now();
        let after = |kind| {
            let mut state = state(kind, now);
            state.confirm_metadata();
            state.kind()
        };
        assert_eq!(after(Kind::Unreachable), None);
        assert_eq!(after(Kind::Unauthenticated), None);
        assert_eq!(after(Kind::Unauthorised), Some(Kind::Unauthorised));
    }

    #[test]
    fn a_missing_token_hides_what_was_known_about_the_broker_until_there_is_one() {
        let now = Instant::now();
        let trouble = |is_refusal| Some(Trouble { is_refusal, reason: "reason".to_owned() });
        let mut state = state(Kind::Unreachable, now);
        state.note_token(trouble(false), now);
        assert_eq!(state.kind(), Some(Kind::IdentityServerUnreachable));
        assert!(state.take_warning(now + WARN_AFTER).is_none());
        state.note_token(trouble(true), now);
        assert!(state.refusal(now + REFUSAL_GRACE).is_some_and(|refusal| refusal.kind == Kind::ClientRefused));
        state.note_token(None, now);
        assert_eq!(state.kind(), None);
    }
}
