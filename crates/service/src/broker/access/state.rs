//! What a client has learnt about its access so far, and what follows from it.

use std::time::{Duration, Instant};

use tracing::info;

use super::super::obstacle::{Kind, Obstacle};
use super::super::tokens::Trouble;

/// An obstacle is logged once it has lasted this long. A broker that is just starting, or one broken connection, is not logged.
pub(super) const WARN_AFTER: Duration = Duration::from_secs(2);
const WARN_INTERVAL: Duration = Duration::from_secs(10);
/// A refusal may pass: a starting broker opens its listeners before it has loaded its accounts.
const REFUSAL_GRACE: Duration = Duration::from_secs(4);
const PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// The present obstacle, and whether the account has ever worked.
#[derive(Debug, Default)]
pub(super) struct AccessState {
    obstacle: Option<Obstacle>,
    /// What was last logged, and when.
    warned: Option<(Kind, Instant)>,
    probed_at: Option<Instant>,
    /// Whether messages arrived or were acknowledged.
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
                    self.obstacle = Some(Obstacle { kind, reason, since: now, failures: 1, is_about_topic: false });
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

    /// Notes that the group accepted the client. That needs no right to the topic.
    pub(super) fn confirm_membership(&mut self) {
        self.has_joined = true;
        if self.obstacle.as_ref().is_none_or(|obstacle| !obstacle.is_about_topic) {
            self.clear();
        }
    }

    /// Notes that the broker described the topic. That needs fewer rights than writing or reading it.
    pub(super) fn confirm_metadata(&mut self) {
        if self.kind() != Some(Kind::Unauthorised) {
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

    /// Whether it is time to ask the broker if the obstacle still exists. Returns `true` at most once a second.
    pub(super) fn is_probe_due(&mut self, now: Instant) -> bool {
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
        let has_worked = self.has_worked || self.has_joined && !obstacle.is_about_topic;
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
        Obstacle { kind, reason: "reason".to_owned(), since: at, failures: 1, is_about_topic: false }
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
        let is_refused = |is_about_topic, has_read| {
            let mut state = AccessState::default();
            if has_read {
                state.confirm();
            }
            state.confirm_membership();
            state.note(Obstacle { is_about_topic, ..seen(Kind::Unauthorised, now) }, false);
            if is_about_topic {
                // A member of the group need not have the right to read the topic.
                state.confirm_membership();
            }
            state.refusal(now + REFUSAL_GRACE).is_some()
        };
        assert!(is_refused(true, false));
        assert!(!is_refused(true, true));
        assert!(!is_refused(false, false));
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
        assert!(!AccessState::default().is_probe_due(now));
        let mut state = state(Kind::Unreachable, now);
        assert!(state.is_probe_due(now) && !state.is_probe_due(now) && state.is_probe_due(now + SECOND));
        state.confirm_metadata();
        assert!(!state.is_probe_due(now + 2 * SECOND));
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
