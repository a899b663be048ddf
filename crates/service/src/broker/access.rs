//! Access to the topic: what librdkafka reports about it, logged at most every ten seconds, and when to give up.

mod state;
mod topic;
mod warning;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use kafka_config::{Connection, Properties};
use parking_lot::{Mutex, MutexGuard};
use rdkafka::client::{Client, ClientContext};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::RDKafkaErrorCode as Code;
use tracing::{debug, error, warn};

use self::state::{AccessState, WARN_AFTER};
use super::explanation::Explanation;
use super::obstacle::{Kind, Obstacle, Right};
use super::password::Password;
use super::tokens::{Tokens, Trouble};
use crate::observability::throttle::Throttle;
use crate::process::failure::Failure;

/// Timeout of a probe that holds up the loop. The producer catches up with what became due in the meantime only if it is below a second.
const LOOP_PROBE_TIMEOUT: Duration = Duration::from_millis(500);
const TOKEN_POLL_INTERVAL: Duration = Duration::from_millis(20);

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
    state: Mutex<AccessState>,
    /// Limits the lines about errors that say nothing about reaching the topic. By code, because the texts contain counts and times.
    other_errors: Mutex<BTreeMap<Option<i32>, Throttle>>,
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
            other_errors: Mutex::default(),
        }
    }

    /// The client's librdkafka properties.
    #[must_use]
    pub fn properties(&self) -> &Properties {
        &self.properties
    }

    /// Returns `text` without any secret of this client.
    fn redact(&self, text: &str) -> String {
        // The setting was checked. If librdkafka ever reads it differently, it quotes the part that it cannot read.
        if text.contains("Invalid sasl.oauthbearer.config") || text.contains("Unrecognized sasl.oauthbearer.config") {
            return "KAFKA_SASL_OAUTHBEARER_CONFIG is not a list of `key=value` that librdkafka knows".to_owned();
        }
        self.tokens.redact(self.password.redact(self.properties.redact(text)))
    }

    fn state(&self) -> MutexGuard<'_, AccessState> {
        self.state.lock()
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

    /// Handles an error that librdkafka reports. For [`ClientContext::error`], to which every error is passed first. `needed` is the right
    /// without which the topic would refuse what failed.
    pub fn handle_error(&self, code: Option<Code>, reason: &str, needed: Right) {
        if self.note_obstacle(code, reason, needed) || matches!(code, Some(Code::AutoOffsetReset | Code::PollExceeded))
        {
            return;
        }
        let suppressed =
            self.other_errors.lock().entry(code.map(|code| code as i32)).or_default().admit(Instant::now());
        if let Some(suppressed) = suppressed {
            warn!(error = self.redact(reason), suppressed, "client reported an error");
        }
    }

    /// Remembers the error if it explains why the topic cannot be reached. Returns whether it does. `needed` is the right without which the
    /// topic would refuse what failed.
    pub fn note_obstacle(&self, code: Option<Code>, reason: &str, needed: Right) -> bool {
        // Classify before redacting: redaction can remove the words that the classification looks for.
        let Some(kind) = Kind::of(code, reason) else { return false };
        if matches!(kind, Kind::Unreachable | Kind::Unauthenticated) && self.tokens.are_missing() {
            // Without a valid token nobody can log in, which is logged as what it is.
            return true;
        }
        self.explanation.note(reason);
        let seen = Obstacle {
            kind,
            reason: self.redact(reason),
            since: Instant::now(),
            failures: 1,
            lacks: (code == Some(Code::TopicAuthorizationFailed)).then_some(needed),
        };
        let is_consequence = code == Some(Code::AllBrokersDown);
        if self.state().note(seen, is_consequence) {
            // An older cause explains something that has passed. A newer one may have come before this error.
            self.explanation.forget_older_than(WARN_AFTER);
        }
        true
    }

    /// Records that the broker accepted everything that this client needs: an acknowledgement or a message arrived.
    pub fn confirm(&self) {
        self.state().confirm();
    }

    /// Records that the broker let the client read each partition that it owns when it last asked, whether there were messages or not.
    pub fn confirm_reading(&self) {
        self.state().confirm_reading(Instant::now());
    }

    /// Records that the group assigned partitions, or none, to this client. That does not show that it may read the topic.
    pub fn confirm_membership(&self) {
        self.state().confirm_membership();
    }

    /// The obstacle in constant words, if it has lasted for more than a moment.
    pub fn obstacle(&self) -> Option<&'static str> {
        self.state().lasting(Instant::now()).map(Kind::name)
    }

    /// To be called regularly by the loop. Probes at most once a second whether an obstacle still exists, gives the client another password
    /// or token if there is one, logs an obstacle when it is time, and fails when waiting does not help.
    ///
    /// A probe blocks for up to half a second. None is made if `answer_pending`: a request is under way whose outcome will tell the same.
    ///
    /// # Errors
    /// The account is refused, or the client reports a fatal error.
    pub fn check<C: ClientContext>(&self, client: &Client<C>, answer_pending: bool) -> Result<(), Failure> {
        let is_due = !answer_pending && self.state().take_probe(Instant::now());
        if is_due {
            self.request_metadata(client, LOOP_PROBE_TIMEOUT, true);
        }
        self.fail_or_warn(client)
    }

    /// Gives the client another password or token if there is one. [`check`](Self::check) does this too; a loop that no longer calls
    /// that calls this.
    pub fn renew_login<C: ClientContext>(&self, client: &Client<C>) {
        let is_refused = self.state().kind() == Some(Kind::Unauthenticated);
        self.password.refresh(client, is_refused);
        self.tokens.refresh(client, is_refused);
        let missing = if self.tokens.are_missing() { self.tokens.trouble() } else { None };
        self.state().note_token(missing, Instant::now());
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

    fn fail_or_warn<C: ClientContext>(&self, client: &Client<C>) -> Result<(), Failure> {
        self.renew_login(client);
        let now = Instant::now();
        let mut state = self.state();
        if let Some((code, reason)) = client.fatal_error() {
            // An account that may not write to any topic gets no producer id, which librdkafka reports as a fatal error.
            let is_refusal = Kind::of(Some(code), &reason).is_some_and(Kind::is_refusal) && state.never_worked();
            let reason = self.redact(&reason);
            return Err(if is_refusal { Failure::Refused { reason } } else { Failure::Fatal { reason } });
        }
        let (refusal, warning) = (state.refusal(now).cloned(), state.take_warning(now));
        drop(state);
        if let Some(refusal) = refusal {
            return Err(self.refused(refusal));
        }
        if let Some(obstacle) = warning {
            self.warn(&obstacle, obstacle.lasts(now).as_secs());
        }
        Ok(())
    }

    fn refused(&self, Obstacle { kind, reason, .. }: Obstacle) -> Failure {
        match (kind, self.tokens.claims()) {
            (Kind::ClientRefused, _) => Failure::ClientRefused { reason },
            (Kind::Unauthenticated, Some(claims)) => {
                Failure::Refused { reason: format!("{reason}; the token says {claims}") }
            }
            _ => Failure::Refused { reason },
        }
    }
}
