//! Whether the broker lets us in: what librdkafka complains of, told once every ten seconds, and when to give up.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kafka_config::{Connection, Properties};
use rdkafka::client::{Client, ClientContext};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::RDKafkaErrorCode as Code;
use tracing::{debug, error, info, warn};

use crate::failure::Failure;
use crate::health::Health;
use crate::shutdown::Shutdown;
use crate::throttle::Throttle;

/// Long enough that a broker which just starts, or one connection that broke, is not complained of.
const FIRST_TOLD_AFTER: Duration = Duration::from_secs(2);
const TOLD_EVERY: Duration = Duration::from_secs(10);
/// A refusal may pass: accounts reach a starting broker after its listeners.
const REFUSAL_GRACE: Duration = Duration::from_secs(4);
const PROBE_EVERY: Duration = Duration::from_secs(1);
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);
/// Between two probes of a client that has nothing else to do.
const PROBE_PAUSE: Duration = Duration::from_millis(500);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Unreachable,
    TopicMissing,
    /// The login failed. Any answer of the broker shows that it does not any more.
    Unauthenticated,
    /// A right is missing. Only what needs that right shows that it is there.
    Unauthorised,
}

impl Kind {
    fn is_refusal(self) -> bool {
        matches!(self, Self::Unauthenticated | Self::Unauthorised)
    }
}

#[derive(Debug)]
struct Complaint {
    kind: Kind,
    reason: String,
    since: Instant,
    /// How often it was heard of since it was last told.
    failures: u64,
}

#[derive(Debug, Default)]
struct State {
    complaint: Option<Complaint>,
    told_at: Option<Instant>,
    probed_at: Option<Instant>,
    has_worked: bool,
    /// Errors that say nothing about the way to the topic.
    others: Throttle,
}

/// What stands between a client and its topic. Shared by the loop and librdkafka's callbacks.
///
/// An unreachable broker and a missing topic are waited for. A refused account ends the service if it never worked
/// before: then the settings are wrong, and no waiting helps. If it did work, somebody is changing accounts, and the
/// service goes on as soon as it is let in again.
#[derive(Debug)]
pub struct Access {
    bootstrap_servers: String,
    topic: String,
    properties: Properties,
    state: Mutex<State>,
}

impl Access {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(connection: &Connection, properties: Properties) -> Self {
        Self {
            bootstrap_servers: connection.bootstrap_servers.clone(),
            topic: connection.topic.clone(),
            properties,
            state: Mutex::default(),
        }
    }

    /// For librdkafka.
    #[must_use]
    pub fn properties(&self) -> &Properties {
        &self.properties
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For [`ClientContext::log`]: librdkafka's own lines. What they mean for the user is said elsewhere, so all but the
    /// worst are for those who look for a cause.
    pub fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        let text = self.properties.redact(text);
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                error!(target: "librdkafka", facility, text, "librdkafka");
            }
            _ => debug!(target: "librdkafka", facility, text, "librdkafka"),
        }
    }

    /// For [`ClientContext::error`], which hears of every error first.
    pub fn complain(&self, code: Option<Code>, reason: &str) {
        if self.note(code, reason) || matches!(code, Some(Code::AutoOffsetReset | Code::PollExceeded)) {
            return;
        }
        // By its code: texts carry counts and times.
        let untold = self.state().others.tell(&format!("{code:?}"), Instant::now());
        if let Some(untold) = untold {
            warn!(error = self.properties.redact(reason), untold, "client reported an error");
        }
    }

    /// Takes up an error if it says why the topic is out of reach; tells whether it does.
    pub fn note(&self, code: Option<Code>, reason: &str) -> bool {
        // What is blotted out may be what tells one kind from another.
        let Some(kind) = kind_of(code, reason) else { return false };
        let reason = self.properties.redact(reason);
        let mut state = self.state();
        match &mut state.complaint {
            // Being refused is why it is also unreachable, or without a topic.
            Some(known) if known.kind.is_refusal() && !kind.is_refusal() => {}
            // The cause is known already, and says more.
            Some(_) if code == Some(Code::AllBrokersDown) => {}
            Some(known) if known.kind == kind => {
                known.reason = reason;
                known.failures += 1;
            }
            _ => state.complaint = Some(Complaint { kind, reason, since: Instant::now(), failures: 1 }),
        }
        true
    }

    /// Something went through: an acknowledgement, an assignment, a message.
    pub fn worked(&self) {
        let mut state = self.state();
        state.has_worked = true;
        Self::settle(&mut state);
    }

    fn settle(state: &mut State) {
        if state.complaint.take().is_some() && state.told_at.take().is_some() {
            info!("broker reachable again");
        }
    }

    /// What stands in the way for longer than a moment, in constant words.
    pub fn obstacle(&self) -> Option<&'static str> {
        let state = self.state();
        let complaint = state.complaint.as_ref()?;
        (complaint.since.elapsed() >= FIRST_TOLD_AFTER).then_some(match complaint.kind {
            Kind::Unreachable => "broker unreachable",
            Kind::TopicMissing => "topic missing",
            Kind::Unauthenticated | Kind::Unauthorised => "broker refuses the account",
        })
    }

    /// Asks the broker for the topic and gives the number of its partitions, or `None` and a complaint.
    ///
    /// Blocks for a second at most. Events that explain a failure arrive when the client is polled.
    pub fn probe<C: ClientContext>(&self, client: &Client<C>) -> Option<usize> {
        let (code, reason) = match client.fetch_metadata(Some(&self.topic), PROBE_TIMEOUT) {
            Ok(metadata) => match metadata.topics().first() {
                Some(topic) => match topic.error() {
                    None if !topic.partitions().is_empty() => {
                        let mut state = self.state();
                        if state.complaint.as_ref().is_none_or(|complaint| complaint.kind != Kind::Unauthorised) {
                            Self::settle(&mut state);
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
                // Events say more than this, where there are any.
                if self.state().complaint.is_none() {
                    self.note(Some(Code::BrokerTransportFailure), &error.to_string());
                }
                return None;
            }
        };
        if !self.note(Some(code), &reason) {
            // Whatever else is wrong with the topic, it passes or a person mends it.
            self.note(Some(Code::UnknownTopicOrPartition), &reason);
        }
        None
    }

    /// The number of the topic's partitions, as soon as the broker can be asked for it; `None` when stopped before.
    /// `poll` polls the client once, for some tenths of a second.
    ///
    /// # Errors
    /// The account is refused, or the client can't go on.
    pub fn wait_for_topic<C: ClientContext>(
        &self,
        client: &Client<C>,
        poll: impl Fn(),
        health: &Health,
        shutdown: &Shutdown,
    ) -> Result<Option<usize>, Failure> {
        while !shutdown.is_requested() {
            health.tick();
            if let Some(partitions) = self.probe(client) {
                info!(topic = self.topic, partitions, "topic found");
                return Ok(Some(partitions));
            }
            // Events say why, and reach us only through the poll.
            let until = Instant::now() + PROBE_PAUSE;
            while Instant::now() < until && !shutdown.is_requested() {
                poll();
            }
            self.give_up_or_tell(client)?;
            health.set_not_ready(Some(self.obstacle().unwrap_or("starting")));
        }
        Ok(None)
    }

    /// Looks after a complaint, for a loop that has other things to do: asks the broker again, at most once a second,
    /// whether it still holds; tells it when it is time; and ends with it when nothing else helps.
    ///
    /// Asking blocks for up to a second. Where `will_hear` says that something is under way whose answer tells the same,
    /// nobody is asked.
    ///
    /// # Errors
    /// The account is refused for good, or the client can't go on.
    pub fn look_after<C: ClientContext>(&self, client: &Client<C>, will_hear: bool) -> Result<(), Failure> {
        let now = Instant::now();
        let due = !will_hear && {
            let mut state = self.state();
            let due = state.complaint.is_some() && state.probed_at.is_none_or(|at| now - at >= PROBE_EVERY);
            if due {
                state.probed_at = Some(now);
            }
            due
        };
        if due {
            self.probe(client);
        }
        self.give_up_or_tell(client)
    }

    fn give_up_or_tell<C: ClientContext>(&self, client: &Client<C>) -> Result<(), Failure> {
        let now = Instant::now();
        let mut state = self.state();
        if let Some((code, reason)) = client.fatal_error() {
            // An account that may write to no topic at all gets no producer id, which librdkafka takes for the end.
            let is_refusal = kind_of(Some(code), &reason).is_some_and(Kind::is_refusal) && !state.has_worked;
            let reason = self.properties.redact(&reason);
            return Err(if is_refusal { Failure::Refused { reason } } else { Failure::Fatal { reason } });
        }
        let has_worked = state.has_worked;
        let Some(Complaint { kind, reason, since, failures }) = &state.complaint else { return Ok(()) };
        let waited = now.saturating_duration_since(*since);
        if kind.is_refusal() && !has_worked && waited >= REFUSAL_GRACE {
            return Err(Failure::Refused { reason: reason.clone() });
        }
        if waited < FIRST_TOLD_AFTER || state.told_at.is_some_and(|at| now.saturating_duration_since(at) < TOLD_EVERY) {
            return Ok(());
        }
        let (waited_s, error) = (waited.as_secs(), reason.as_str());
        let (bootstrap_servers, topic) = (&self.bootstrap_servers, &self.topic);
        match kind {
            Kind::Unreachable => {
                let next_step =
                    "start the broker, or mend KAFKA_BOOTSTRAP_SERVERS, KAFKA_SECURITY_PROTOCOL or the account";
                warn!(bootstrap_servers, waited_s, failures, next_step, error, "broker unreachable");
            }
            Kind::TopicMissing => {
                let next_step = "create the topic, or mend KAFKA_TOPIC";
                warn!(topic, bootstrap_servers, waited_s, failures, next_step, error, "topic missing");
            }
            Kind::Unauthenticated | Kind::Unauthorised => {
                let next_step = "mend KAFKA_SASL_*, or give the account its rights";
                warn!(topic, bootstrap_servers, waited_s, failures, next_step, error, "broker refuses the account");
            }
        }
        state.told_at = Some(now);
        if let Some(complaint) = &mut state.complaint {
            complaint.failures = 0;
        }
        Ok(())
    }
}

fn kind_of(code: Option<Code>, reason: &str) -> Option<Kind> {
    match code? {
        Code::Authentication if is_no_refusal(reason) => Some(Kind::Unreachable),
        Code::Authentication | Code::SaslAuthenticationFailed => Some(Kind::Unauthenticated),
        Code::TopicAuthorizationFailed | Code::GroupAuthorizationFailed | Code::ClusterAuthorizationFailed => {
            Some(Kind::Unauthorised)
        }
        Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition => Some(Kind::TopicMissing),
        Code::BrokerTransportFailure
        | Code::AllBrokersDown
        | Code::Resolve
        | Code::OperationTimedOut
        | Code::RequestTimedOut
        | Code::SSL => Some(Kind::Unreachable),
        _ => None,
    }
}

/// Whether a failed login failed before the broker could look at the account: what it asks for is nothing that a broker
/// without SASL could do, so it is the wrong broker or the wrong port; or the connection broke in the handshake.
fn is_no_refusal(reason: &str) -> bool {
    ["SASL Handshake not supported by broker", "not valid in current SASL state", "handshake failed: Local: "]
        .iter()
        .any(|words| reason.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_about_the_account_is_a_refusal() {
        let kind = |reason| kind_of(Some(Code::Authentication), reason);
        let refused = "sasl_plaintext://b:9092/bootstrap: SASL authentication error: Authentication failed: Invalid";
        assert_eq!(kind(refused), Some(Kind::Unauthenticated));
        let broken = "sasl_plaintext://b:9092/bootstrap: SASL PLAIN mechanism handshake failed: Local: Broker transport failure: \
                      broker's supported mechanisms: (after 0ms in state AUTH_HANDSHAKE)";
        assert_eq!(kind(broken), Some(Kind::Unreachable));
        let mechanism = "sasl_plaintext://b:9092/bootstrap: SASL PLAIN mechanism handshake failed: Broker: Unsupported SASL \
                         mechanism: broker's supported mechanisms: SCRAM-SHA-512";
        assert_eq!(kind(mechanism), Some(Kind::Unauthenticated));
        assert_eq!(
            kind("SASL Handshake not supported by broker (required by mechanism PLAIN)"),
            Some(Kind::Unreachable)
        );
    }
}
