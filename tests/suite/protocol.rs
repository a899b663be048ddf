//! The ways in which a group divides its partitions.

use std::fmt;
use std::time::Duration;

use crate::kafka::Kafka;

/// How the replicas of a group agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// Classic with `cooperative-sticky`, the services' default.
    Cooperative,
    /// Classic with `range`: at each change everyone gives up everything.
    Range,
    /// KIP-848: the broker decides.
    Consumer,
}

impl Protocol {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Cooperative, Self::Range, Self::Consumer];

    /// The variables that make a replica use it.
    pub(crate) fn variables(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Cooperative => &[],
            Self::Range => &[("KAFKA_PROP_PARTITION_ASSIGNMENT_STRATEGY", "range")],
            Self::Consumer => &[("KAFKA_GROUP_PROTOCOL", "consumer")],
        }
    }

    /// The same with a session that ends after 6 s, for tests that wait for its end; it's as short as brokers allow by
    /// default. With `consumer` the time is the broker's.
    pub(crate) fn with_short_session(self) -> Vec<(&'static str, &'static str)> {
        let session = (self != Self::Consumer).then_some(("KAFKA_SESSION_TIMEOUT_MS", "6000"));
        self.variables().iter().copied().chain(session).collect()
    }

    /// How long that session is.
    pub(crate) fn short_session(self, kafka: &Kafka) -> Duration {
        if self == Self::Consumer { kafka.consumer_session() } else { Duration::from_secs(6) }
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
