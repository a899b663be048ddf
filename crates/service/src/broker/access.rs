//! Access to the topic: what librdkafka reports about it, logged at most every ten seconds, and when to give up.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use journal::TopicFound;
use kafka_config::{Connection, Properties};
use rdkafka::client::{Client, ClientContext};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::RDKafkaErrorCode as Code;
use tracing::{debug, error, info, warn};

use super::explanation::Explanation;
use super::obstacle::{Kind, Obstacle};
use super::password::Password;
use super::tokens::{Tokens, Trouble};
use crate::observability::health::Health;
use crate::observability::throttle::Throttle;
use crate::process::failure::Failure;
use crate::process::shutdown::Shutdown;

/// An obstacle is logged once it has lasted this long. A broker that is just starting, or one broken connection, is not logged.
const WARN_AFTER: Duration = Duration::from_secs(2);
const WARN_INTERVAL: Duration = Duration::from_secs(10);
/// A refusal may pass: a starting broker opens its listeners before it has loaded its accounts.
const REFUSAL_GRACE: Duration = Duration::from_secs(4);
const PROBE_INTERVAL: Duration = Duration::from_secs(1);
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);
/// Timeout of a probe that holds up the loop. The producer catches up with what became due in the meantime only if it is below a second.
const LOOP_PROBE_TIMEOUT: Duration = Duration::from_millis(500);
const TOKEN_POLL_INTERVAL: Duration = Duration::from_millis(20);
/// Pause between two probes while the topic is awaited.
const PROBE_PAUSE: Duration = Duration::from_millis(500);

const CORRECT_ACCOUNT: &str = "correct KAFKA_SASL_*, or grant the account its rights";
const COMPARE_TOKEN: &str = "compare what the token says with what the broker expects: `aud` with sasl.oauthbearer.expected.audience, `iss` \
                             with sasl.oauthbearer.expected.issuer, and the keys of the issuer with sasl.oauthbearer.jwks.endpoint.url";

#[derive(Debug, Default)]
struct State {
    obstacle: Option<Obstacle>,
    /// What was last logged, and when.
    warned: Option<(Kind, Instant)>,
    probed_at: Option<Instant>,
    /// Whether messages arrived or were acknowledged.
    has_worked: bool,
    /// Whether the group has accepted this client as a member.
    has_joined: bool,
    /// Limits the errors that say nothing about reaching the topic.
    other_errors: Throttle,
}

/// Tracks what stands between a client and its topic. Shared by the loop and librdkafka's callbacks.
///
/// The service waits for an unreachable broker and for a missing topic. A refused account ends the service if the account has not
/// worked since the start: then the settings are wrong, and waiting does not help. If the account worked before, somebody is changing
/// accounts, and the service continues as soon as it is let in again.
#[derive(Debug)]
pub struct Access {
    bootstrap_servers: String,
    topic: String,
    properties: Properties,
    explanation: Explanation,
    password: Password,
    tokens: Tokens,
    state: Mutex<State>,
}

impl Access {
    /// No obstacle is known yet.
    #[must_use]
    pub fn new(connection: &Connection, properties: Properties) -> Self {
        Self {
            bootstrap_servers: connection.bootstrap_servers.clone(),
            topic: connection.topic.clone(),
            explanation: Explanation::new(connection, &properties),
            password: Password::new(connection.password_file.clone()),
            tokens: Tokens::new(connection.identity_server.clone()),
            properties,
            state: Mutex::default(),
        }
    }

    /// The client's librdkafka properties.
    #[must_use]
    pub fn properties(&self) -> &Properties {
        &self.properties
    }

    /// Returns `text` without any secret of this client.
    fn redact(&self, text: &str) -> String {
        self.tokens.redact(self.password.redact(self.properties.redact(text)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Handles a log line of librdkafka. For [`ClientContext::log`].
    ///
    /// What these lines mean for the user is logged elsewhere in words of our own, so all but the critical ones are DEBUG.
    pub fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.explanation.note(text);
        let text = self.redact(text);
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                error!(target: "librdkafka", facility, text, "librdkafka");
            }
            _ => debug!(target: "librdkafka", facility, text, "librdkafka"),
        }
    }

    /// Handles an error that librdkafka reports. For [`ClientContext::error`], to which every error is passed first.
    pub fn handle_error(&self, code: Option<Code>, reason: &str) {
        if self.note_obstacle(code, reason) || matches!(code, Some(Code::AutoOffsetReset | Code::PollExceeded)) {
            return;
        }
        // Throttled by code, because the texts contain counts and times.
        let suppressed = self.state().other_errors.admit(&format!("{code:?}"), Instant::now());
        if let Some(suppressed) = suppressed {
            warn!(error = self.redact(reason), suppressed, "client reported an error");
        }
    }

    /// Remembers the error if it explains why the topic cannot be reached. Returns whether it does.
    pub fn note_obstacle(&self, code: Option<Code>, reason: &str) -> bool {
        // Classify before redacting: redaction can remove the words that the classification looks for.
        let Some(kind) = Kind::of(code, reason) else { return false };
        if matches!(kind, Kind::Unreachable | Kind::Unauthenticated) && self.tokens.are_missing() {
            // Without a valid token nobody can log in, which is logged as what it is.
            return true;
        }
        self.explanation.note(reason);
        let reason = self.redact(reason);
        let is_about_topic = code == Some(Code::TopicAuthorizationFailed);
        let mut state = self.state();
        match &mut state.obstacle {
            // A client whose account is refused also reports that no broker is reachable and that the topic is missing.
            Some(known) if known.kind.is_refusal() && !kind.is_refusal() => {}
            // `AllBrokersDown` follows a more specific error.
            Some(_) if code == Some(Code::AllBrokersDown) => {}
            Some(known) if known.kind == kind => {
                known.reason = reason;
                known.failures += 1;
                known.is_about_topic = is_about_topic;
            }
            _ => {
                // An older cause explains something that has passed. A newer one may have come before this error.
                self.explanation.forget_older_than(WARN_AFTER);
                state.obstacle = Some(Obstacle { kind, reason, since: Instant::now(), failures: 1, is_about_topic });
            }
        }
        true
    }

    /// Records that the broker accepted everything that this client needs: an acknowledgement or a message arrived.
    pub fn confirm(&self) {
        let mut state = self.state();
        state.has_worked = true;
        Self::clear(&mut state);
    }

    /// Records that the group assigned partitions, or none, to this client. That does not show that it may read the topic.
    pub fn confirm_membership(&self) {
        let mut state = self.state();
        state.has_joined = true;
        if state.obstacle.as_ref().is_none_or(|obstacle| !obstacle.is_about_topic) {
            Self::clear(&mut state);
        }
    }

    fn clear(state: &mut State) {
        let warned = state.warned.take();
        if state.obstacle.take().is_some()
            && let Some((kind, _)) = warned
            && let Some(message) = kind.ended()
        {
            info!("{message}");
        }
    }

    /// The obstacle in constant words, if it has lasted for more than a moment.
    pub fn obstacle(&self) -> Option<&'static str> {
        let state = self.state();
        let obstacle = state.obstacle.as_ref()?;
        (obstacle.since.elapsed() >= WARN_AFTER).then_some(obstacle.kind.name())
    }

    /// Requests the metadata of the topic. Returns the number of its partitions, or `None` after noting an obstacle.
    ///
    /// Blocks for at most a second. The errors that explain a failure arrive only when the client is polled.
    pub fn probe<C: ClientContext>(&self, client: &Client<C>) -> Option<usize> {
        self.request_metadata(client, PROBE_TIMEOUT, true)
    }

    /// Like [`probe`](Self::probe), but a broker that does not answer within the second is no obstacle. For a client whose other requests
    /// are answered: a broker that throttles it because of a quota lets this request wait as well.
    pub fn count_partitions<C: ClientContext>(&self, client: &Client<C>) -> Option<usize> {
        self.request_metadata(client, PROBE_TIMEOUT, false)
    }

    fn request_metadata<C: ClientContext>(
        &self,
        client: &Client<C>,
        timeout: Duration,
        must_answer: bool,
    ) -> Option<usize> {
        let (code, reason) = match client.fetch_metadata(Some(&self.topic), timeout) {
            Ok(metadata) => match metadata.topics().first() {
                Some(topic) => match topic.error() {
                    None if !topic.partitions().is_empty() => {
                        let mut state = self.state();
                        // Metadata needs fewer rights than writing or reading, so it does not disprove a missing right.
                        if state.obstacle.as_ref().is_none_or(|obstacle| obstacle.kind != Kind::Unauthorised) {
                            Self::clear(&mut state);
                        }
                        return Some(topic.partitions().len());
                    }
                    None => (Code::UnknownTopicOrPartition, "the topic has no partitions".to_owned()),
                    Some(error) => {
                        let code = Code::from(error);
                        (code, code.to_string())
                    }
                },
                None => (Code::UnknownTopicOrPartition, "the broker does not list the topic".to_owned()),
            },
            Err(error) => {
                // An error that librdkafka reported by itself is more specific than this one.
                if must_answer && self.state().obstacle.is_none() {
                    self.note_obstacle(Some(Code::BrokerTransportFailure), &error.to_string());
                }
                return None;
            }
        };
        if !self.note_obstacle(Some(code), &reason) {
            // Any other error of the topic is waited for like a missing topic.
            self.note_obstacle(Some(Code::UnknownTopicOrPartition), &reason);
        }
        None
    }

    /// Waits until the broker knows the topic. Returns what it reports, or `None` if the shutdown was requested first. `poll` polls the
    /// client once, blocking for a few tenths of a second at most.
    ///
    /// # Errors
    /// The account is refused, or the client reports a fatal error.
    pub fn wait_for_topic<C: ClientContext>(
        &self,
        client: &Client<C>,
        poll: impl Fn(),
        health: &Health,
        shutdown: &Shutdown,
    ) -> Result<Option<TopicFound>, Failure> {
        while !shutdown.is_requested() {
            health.tick();
            self.renew_login(client);
            // librdkafka does not connect without a token.
            let is_without_token = self.tokens.are_missing();
            if !is_without_token && let Some(partitions) = self.probe(client) {
                // librdkafka remembers the id from the metadata that it has just received.
                let cluster_id = client.fetch_cluster_id(PROBE_TIMEOUT);
                return Ok(Some(TopicFound { topic: self.topic.clone(), partitions, cluster_id }));
            }
            // The errors that explain the failure are delivered by polling.
            let until = Instant::now() + PROBE_PAUSE;
            while Instant::now() < until && !shutdown.is_requested() {
                poll();
                if is_without_token && !self.tokens.are_missing() {
                    break;
                }
            }
            self.fail_or_warn(client)?;
            health.set_not_ready(Some(self.obstacle().unwrap_or("starting")));
        }
        Ok(None)
    }

    /// To be called regularly by the loop. Probes at most once a second whether an obstacle still exists, logs it when it is time,
    /// and fails when waiting does not help.
    ///
    /// A probe blocks for up to half a second. None is made if `answer_pending`: a request is under way whose outcome will tell the same.
    ///
    /// # Errors
    /// The account is refused, or the client reports a fatal error.
    pub fn check<C: ClientContext>(&self, client: &Client<C>, answer_pending: bool) -> Result<(), Failure> {
        let now = Instant::now();
        let is_due = !answer_pending && {
            let mut state = self.state();
            let is_due = state.obstacle.is_some() && state.probed_at.is_none_or(|at| now - at >= PROBE_INTERVAL);
            if is_due {
                state.probed_at = Some(now);
            }
            is_due
        };
        if is_due {
            self.request_metadata(client, LOOP_PROBE_TIMEOUT, true);
        }
        self.fail_or_warn(client)
    }

    /// Gives the client another password or token if there is one. [`check`](Self::check) does this too; a loop that no longer calls
    /// that calls this.
    pub fn renew_login<C: ClientContext>(&self, client: &Client<C>) {
        let is_refused = self.state().obstacle.as_ref().is_some_and(|obstacle| obstacle.kind == Kind::Unauthenticated);
        self.password.refresh(client, is_refused);
        self.tokens.refresh(client, is_refused);
        self.note_token();
    }

    /// Waits until the client has a token, if it needs one. For clients whose loop does not call [`check`](Self::check).
    ///
    /// # Errors
    /// Why there is no token: the identity server refuses the client, or has not given one within `timeout`.
    pub fn wait_for_token<C: ClientContext>(&self, client: &Client<C>, timeout: Duration) -> Result<(), String> {
        let deadline = Instant::now() + timeout;
        loop {
            // A token that arrives in between has not been given to the client yet.
            let is_missing = self.tokens.are_missing();
            self.tokens.refresh(client, false);
            if !is_missing && !self.tokens.are_missing() {
                return Ok(());
            }
            match self.tokens.trouble() {
                Some(Trouble { is_refusal: true, reason }) => return Err(reason),
                trouble if Instant::now() >= deadline => {
                    return Err(trouble.map_or_else(|| "no answer".to_owned(), |trouble| trouble.reason));
                }
                _ => std::thread::park_timeout(TOKEN_POLL_INTERVAL),
            }
        }
    }

    /// A client without a valid token has an obstacle, which ends with the next token.
    fn note_token(&self) {
        let trouble = if self.tokens.are_missing() { self.tokens.trouble() } else { None };
        let mut state = self.state();
        let known = state.obstacle.as_ref().map(|obstacle| obstacle.kind);
        match trouble {
            Some(Trouble { is_refusal, reason }) => {
                let kind = if is_refusal { Kind::ClientRefused } else { Kind::IdentityServerUnreachable };
                if known != Some(kind) {
                    // Whether the broker can be reached is not known without a token.
                    state.warned = None;
                    let since = Instant::now();
                    state.obstacle = Some(Obstacle { kind, reason, since, failures: 1, is_about_topic: false });
                }
            }
            None if known.is_some_and(Kind::is_about_token) => state.obstacle = None,
            None => {}
        }
    }

    fn fail_or_warn<C: ClientContext>(&self, client: &Client<C>) -> Result<(), Failure> {
        self.renew_login(client);
        let now = Instant::now();
        let mut state = self.state();
        if let Some((code, reason)) = client.fatal_error() {
            // An account that may not write to any topic gets no producer id, which librdkafka reports as a fatal error.
            let is_refusal =
                Kind::of(Some(code), &reason).is_some_and(Kind::is_refusal) && !state.has_worked && !state.has_joined;
            let reason = self.redact(&reason);
            return Err(if is_refusal { Failure::Refused { reason } } else { Failure::Fatal { reason } });
        }
        let (has_worked, has_joined) = (state.has_worked, state.has_joined);
        let Some(Obstacle { kind, reason, since, failures, is_about_topic }) = &state.obstacle else { return Ok(()) };
        let has_worked = has_worked || has_joined && !is_about_topic;
        let waited = now.saturating_duration_since(*since);
        if kind.is_refusal() && !has_worked && waited >= REFUSAL_GRACE {
            return Err(match (kind, self.tokens.claims()) {
                (Kind::ClientRefused, _) => Failure::ClientRefused { reason: reason.clone() },
                (Kind::Unauthenticated, Some(claims)) => {
                    Failure::Refused { reason: format!("{reason}; the token says {claims}") }
                }
                _ => Failure::Refused { reason: reason.clone() },
            });
        }
        if kind.is_about_token() {
            // Logged with the tokens.
            return Ok(());
        }
        // Another obstacle has a line of its own at once: an account can be refused as soon as the broker is reachable.
        let warned_recently = state
            .warned
            .is_some_and(|(warned, at)| warned == *kind && now.saturating_duration_since(at) < WARN_INTERVAL);
        if waited < WARN_AFTER || warned_recently {
            return Ok(());
        }
        let (waited_s, error) = (waited.as_secs(), reason.as_str());
        let (bootstrap_servers, topic) = (&self.bootstrap_servers, &self.topic);
        match kind {
            Kind::Unreachable => {
                let cause = self.explanation.cause();
                let next_step = cause.as_ref().map_or(
                    "start the broker, or correct KAFKA_BOOTSTRAP_SERVERS, KAFKA_SECURITY_PROTOCOL or the account",
                    |cause| cause.next_step,
                );
                let cause = cause.as_ref().map(|cause| cause.what.as_str());
                warn!(bootstrap_servers, waited_s, failures, cause, next_step, error, "broker unreachable");
            }
            Kind::TopicMissing => {
                let next_step = "create the topic, or correct KAFKA_TOPIC";
                warn!(topic, bootstrap_servers, waited_s, failures, next_step, error, "topic missing");
            }
            Kind::Unauthenticated | Kind::Unauthorised | Kind::IdentityServerUnreachable | Kind::ClientRefused => {
                let token = self.tokens.claims();
                let next_step =
                    if *kind == Kind::Unauthenticated && token.is_some() { COMPARE_TOKEN } else { CORRECT_ACCOUNT };
                let token = token.as_deref();
                warn!(
                    topic,
                    bootstrap_servers, waited_s, failures, token, next_step, error, "broker refuses the account"
                );
            }
        }
        state.warned = Some((*kind, now));
        if let Some(obstacle) = &mut state.obstacle {
            obstacle.failures = 0;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use kafka_config::{ConsumerSettings, Environment};
    use rdkafka::config::FromClientConfig as _;
    use rdkafka::consumer::{BaseConsumer, Consumer as _};

    use super::*;

    /// A member of a group may lack the right to read the topic, and then waiting does not help. Any other right has worked before.
    #[test]
    fn a_member_of_a_group_that_never_could_read_the_topic_is_refused() {
        let variables = [("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1"), ("KAFKA_TOPIC", "t"), ("KAFKA_GROUP_ID", "g")];
        let refused = |code, has_read: bool| {
            let settings = ConsumerSettings::from_environment(&Environment::from_pairs(variables)).unwrap();
            let consumer = BaseConsumer::from_config(&settings.properties.client_config()).unwrap();
            let access = Access::new(&settings.connection, settings.properties);
            if has_read {
                access.confirm();
            }
            access.confirm_membership();
            access.note_obstacle(Some(code), "not authorised");
            access.confirm_membership();
            let since = Instant::now().checked_sub(REFUSAL_GRACE).unwrap();
            access.state().obstacle.iter_mut().for_each(|obstacle| obstacle.since = since);
            access.check(consumer.client(), true).is_err()
        };
        assert!(refused(Code::TopicAuthorizationFailed, false));
        assert!(!refused(Code::TopicAuthorizationFailed, true));
        assert!(!refused(Code::GroupAuthorizationFailed, false));
    }
}
