//! The Kafka of a demonstration: the embedded broker, or one that the environment names.

pub(crate) mod external;

use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result};

use self::external::ExternalKafka;
use crate::broker::{EmbeddedBroker, GroupObserver};
use crate::model::Reset;
use crate::services::environment::{connection, own_replica, producer, replica};
use crate::{GROUP, TOPIC};

/// Variables with their values, for a service.
pub(crate) type Settings = Vec<(String, String)>;

/// Where the services of a demonstration connect.
pub(crate) enum Kafka {
    /// The broker in this process.
    Embedded(EmbeddedBroker),
    /// Somebody else's.
    External(Rc<ExternalKafka>),
}

impl Kafka {
    /// Starts the embedded broker.
    pub(crate) fn embedded(partitions: i32) -> Result<Self> {
        let broker = EmbeddedBroker::start(TOPIC, partitions).context("could not start the embedded broker")?;
        Ok(Self::Embedded(broker))
    }

    pub(crate) fn topic(&self) -> &str {
        match self {
            Self::Embedded(broker) => &broker.topic,
            Self::External(kafka) => &kafka.connection.topic,
        }
    }

    /// The group of the first replicas.
    pub(crate) fn group(&self) -> &str {
        match self {
            Self::Embedded(_) => GROUP,
            Self::External(kafka) => &kafka.group,
        }
    }

    /// The brokers to contact first.
    pub(crate) fn bootstrap_servers(&self) -> String {
        match self {
            Self::Embedded(broker) => broker.bootstrap_servers(),
            Self::External(kafka) => kafka.connection.bootstrap_servers.clone(),
        }
    }

    /// The settings of the producer.
    pub(crate) fn producer(&self, rate: f64, count: u64) -> Settings {
        let (connection, own) = (self.connection(), producer(rate, count));
        connection.into_iter().chain(owned(own)).collect()
    }

    /// The settings of a replica.
    pub(crate) fn replica(&self, group: &str, reset: Reset, max_messages: u64) -> Settings {
        let own = match self {
            Self::Embedded(_) => replica(group),
            Self::External(_) => vec![("KAFKA_GROUP_ID", group.to_owned())],
        };
        self.connection().into_iter().chain(owned(own)).chain(owned(own_replica(reset, max_messages))).collect()
    }

    fn connection(&self) -> Settings {
        match self {
            Self::Embedded(broker) => owned(connection(broker)).collect(),
            Self::External(kafka) => kafka.environment.clone(),
        }
    }

    /// Creates a client that looks at the progress of `group` without being a member.
    pub(crate) fn observe(&self, group: &str, partitions: i32) -> Result<GroupObserver> {
        let observer = match self {
            Self::Embedded(broker) => broker.observe(group, partitions),
            Self::External(kafka) => kafka.observe(group, partitions),
        };
        observer.context("could not observe the broker")
    }

    /// How long the others may take until they have taken over from a killed replica and received the rest.
    pub(crate) fn catch_up_time(&self) -> Duration {
        match self {
            Self::Embedded(_) => Duration::from_secs(20),
            // The session timeout of a group with the protocol `consumer` is 45 s by default.
            Self::External(_) => Duration::from_secs(75),
        }
    }

    /// How long a group waits for a replica that is gone, as a text.
    pub(crate) fn session_timeout(&self) -> &'static str {
        match self {
            Self::Embedded(_) => "its session timeout of 4 s",
            Self::External(_) => "its session timeout",
        }
    }
}

fn owned(settings: Vec<(&'static str, String)>) -> impl Iterator<Item = (String, String)> {
    settings.into_iter().map(|(name, value)| (name.to_owned(), value))
}
