//! The embedded broker: librdkafka's mock cluster, on a port of this machine.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaResult;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::{ClientConfig, TopicPartitionList};
use service::Access;

/// A broker with one topic, inside this process.
///
/// It is a development stand-in: plaintext without authentication, on 127.0.0.1 only, everything in memory, and at most 5 MB
/// per partition, beyond which it deletes the oldest messages.
#[expect(missing_debug_implementations, reason = "the mock cluster has no Debug")]
pub struct EmbeddedBroker {
    /// The mock cluster, through which a test makes the broker fail.
    pub cluster: MockCluster<'static, DefaultProducerContext>,
    /// The name of the topic.
    pub topic: String,
}

impl EmbeddedBroker {
    /// Starts a broker and creates `topic`; with 0 partitions the topic does not exist yet.
    ///
    /// # Errors
    /// The mock cluster could not start or could not create the topic.
    pub fn start(topic: impl Into<String>, partitions: i32) -> KafkaResult<Self> {
        let broker = Self { cluster: MockCluster::new(1)?, topic: topic.into() };
        if partitions > 0 {
            broker.create_topic(partitions)?;
        }
        Ok(broker)
    }

    /// Creates the topic.
    ///
    /// # Errors
    /// The mock cluster could not create it, for example because it exists.
    pub fn create_topic(&self, partitions: i32) -> KafkaResult<()> {
        self.cluster.create_topic(&self.topic, partitions, 1)
    }

    /// The address for clients, as `host:port`.
    #[must_use]
    pub fn bootstrap_servers(&self) -> String {
        self.cluster.bootstrap_servers()
    }

    /// The configuration of a client that connects to this broker.
    #[must_use]
    pub fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.bootstrap_servers());
        config
    }

    /// Creates a client that looks at the progress of `group` without being a member.
    ///
    /// # Errors
    /// librdkafka could not create the client.
    pub fn observe(&self, group: &str, partitions: i32) -> KafkaResult<GroupObserver> {
        // Short, so that it is back soon after an outage.
        let mut config = self.client_config();
        config.set("reconnect.backoff.max.ms", "1000");
        GroupObserver::new(config, None, &self.topic, group, partitions)
    }
}

/// Looks at a group's committed offsets and at the partitions of its topic, without being a member of the group.
#[expect(missing_debug_implementations, reason = "the client has no Debug")]
pub struct GroupObserver {
    client: BaseConsumer,
    /// Renews the login at somebody else's Kafka.
    access: Option<Access>,
    topic: String,
    partitions: i32,
}

impl GroupObserver {
    /// Creates a client with `config`. `access` is for this client alone.
    pub(crate) fn new(
        mut config: ClientConfig,
        access: Option<Access>,
        topic: &str,
        group: &str,
        partitions: i32,
    ) -> KafkaResult<Self> {
        let client = config.set("group.id", group).create()?;
        Ok(Self { client, access, topic: topic.to_owned(), partitions })
    }

    fn client(&self) -> &BaseConsumer {
        if let Some(access) = &self.access {
            access.renew_login(self.client.client());
        }
        &self.client
    }

    /// The offset of the next message for the group in each partition for which it has committed one, as
    /// `(partition, offset)`.
    ///
    /// # Errors
    /// The broker did not answer within `timeout`.
    pub fn committed(&self, timeout: Duration) -> KafkaResult<Vec<(i32, i64)>> {
        let mut list = TopicPartitionList::new();
        list.add_partition_range(&self.topic, 0, self.partitions - 1);
        let offsets = self.client().committed_offsets(list, timeout)?;
        let committed = |offset: rdkafka::Offset| offset.to_raw().filter(|offset| *offset >= 0);
        Ok(offsets
            .elements()
            .iter()
            .filter_map(|element| Some((element.partition(), committed(element.offset())?)))
            .collect())
    }

    /// The offset of the oldest message in a partition: the broker has deleted everything below.
    ///
    /// # Errors
    /// The broker did not answer within `timeout`.
    pub fn oldest_offset(&self, partition: i32, timeout: Duration) -> KafkaResult<i64> {
        Ok(self.log(partition, timeout)?.0)
    }

    /// The offset of the oldest message in a partition, and the offset after the newest one.
    ///
    /// # Errors
    /// The broker did not answer within `timeout`.
    pub fn log(&self, partition: i32, timeout: Duration) -> KafkaResult<(i64, i64)> {
        self.client().fetch_watermarks(&self.topic, partition, timeout)
    }

    /// All partitions of the topic.
    #[must_use]
    pub fn partitions(&self) -> std::ops::Range<i32> {
        0..self.partitions
    }
}
