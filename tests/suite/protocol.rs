//! Group protocols and assignment strategies.

use std::fmt;
use std::time::Duration;

use crate::kafka::Kafka;

/// How a group assigns its partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// The classic protocol with `cooperative-sticky`, which is the services' default.
    Cooperative,
    /// The classic protocol with `range`: in each rebalance every replica gives up all its partitions.
    Range,
    /// The protocol `consumer` (KIP-848): the broker assigns the partitions.
    Consumer,
}

impl Protocol {
    /// All protocols.
    pub(crate) const ALL: [Self; 3] = [Self::Cooperative, Self::Range, Self::Consumer];

    /// The environment variables that make a replica use this protocol.
    pub(crate) fn variables(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Cooperative => &[],
            Self::Range => &[("KAFKA_PROP_PARTITION_ASSIGNMENT_STRATEGY", "range")],
            Self::Consumer => &[("KAFKA_GROUP_PROTOCOL", "consumer")],
        }
    }

    /// The same with a session timeout of 6 s, the shortest that brokers allow by default, for tests that wait for it. With
    /// `consumer` the broker sets the timeout.
    pub(crate) fn with_short_session(self) -> Vec<(&'static str, &'static str)> {
        let session = (self != Self::Consumer).then_some(("KAFKA_SESSION_TIMEOUT_MS", "6000"));
        self.variables().iter().copied().chain(session).collect()
    }

    /// The session timeout of replicas with [`Self::with_short_session`].
    pub(crate) fn short_session_timeout(self, kafka: &Kafka) -> Duration {
        if self == Self::Consumer { kafka.consumer_session_timeout() } else { Duration::from_secs(6) }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cooperative => "cooperative-sticky",
            Self::Range => "range",
            Self::Consumer => "consumer",
        })
    }
}
