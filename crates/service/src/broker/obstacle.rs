//! What keeps a client from its topic, as seen in librdkafka's errors.

use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode as Code;

/// The kinds of obstacle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// No broker answers.
    Unreachable,
    /// The broker does not have the topic.
    TopicMissing,
    /// The login failed. Any later answer of the broker shows that it succeeded after all.
    Unauthenticated,
    /// The account lacks a right. Only a request that needs this right can show that it was granted.
    Unauthorised,
    /// The client has no valid token, because the identity server does not answer as it should.
    IdentityServerUnreachable,
    /// The client has no valid token, because the identity server does not know the client or its secret.
    ClientRefused,
}

impl Kind {
    /// The obstacle that an error stands for, or `None` if the error says nothing about reaching the topic.
    pub(super) fn of(code: Option<Code>, reason: &str) -> Option<Self> {
        match code? {
            Code::Authentication if is_before_login(reason) => Some(Self::Unreachable),
            Code::Authentication | Code::SaslAuthenticationFailed => Some(Self::Unauthenticated),
            Code::TopicAuthorizationFailed | Code::GroupAuthorizationFailed | Code::ClusterAuthorizationFailed => {
                Some(Self::Unauthorised)
            }
            Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition => Some(Self::TopicMissing),
            Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::Resolve
            | Code::OperationTimedOut
            | Code::RequestTimedOut
            | Code::SSL => Some(Self::Unreachable),
            _ => None,
        }
    }

    /// Whether the account is refused. If it never worked, waiting does not help.
    pub(super) fn is_refusal(self) -> bool {
        matches!(self, Self::Unauthenticated | Self::Unauthorised | Self::ClientRefused)
    }

    /// Whether there is no valid token. No broker was asked then.
    pub(super) fn is_about_token(self) -> bool {
        matches!(self, Self::IdentityServerUnreachable | Self::ClientRefused)
    }

    /// What the log says when it is over, if that is not told with the tokens.
    pub(super) fn ended(self) -> Option<&'static str> {
        match self {
            Self::Unreachable => Some("broker reachable again"),
            Self::TopicMissing => Some("topic no longer missing"),
            Self::Unauthenticated | Self::Unauthorised => Some("broker accepts the account"),
            Self::IdentityServerUnreachable | Self::ClientRefused => None,
        }
    }

    /// The constant words for it in `/readyz` and in the log.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "broker unreachable",
            Self::TopicMissing => "topic missing",
            Self::Unauthenticated | Self::Unauthorised => "broker refuses the account",
            Self::IdentityServerUnreachable => "identity server unreachable",
            Self::ClientRefused => "identity server refuses the client",
        }
    }
}

/// Whether a failed login failed before the broker looked at the account. Either the broker does not offer SASL, which means a wrong
/// broker or port, or the connection broke during the handshake.
fn is_before_login(reason: &str) -> bool {
    ["SASL Handshake not supported by broker", "not valid in current SASL state", "handshake failed: Local: "]
        .iter()
        .any(|words| reason.contains(words))
}

/// What an account may do with a topic. Each right is granted on its own, and the answer to another request shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// To be told about the topic: shown by metadata.
    Describe,
    /// To read or write the topic: shown by a message, an acknowledgement, or a fetch that brings nothing.
    Use,
}

/// The present obstacle.
#[derive(Debug, Clone)]
pub(super) struct Obstacle {
    pub(super) kind: Kind,
    /// What librdkafka or the broker last said about it, without secrets.
    pub(super) reason: String,
    pub(super) since: Instant,
    /// Errors about it since it was last logged.
    pub(super) failures: u64,
    /// The right to the topic that the account lacks, if it is that. A member of the group may lack it.
    pub(super) lacks: Option<Right>,
}

impl Obstacle {
    /// How long it has lasted.
    pub(super) fn lasts(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_about_the_account_is_a_refusal() {
        let kind = |reason| Kind::of(Some(Code::Authentication), reason);
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
