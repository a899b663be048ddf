//! A topic of its own for each test.

use std::time::Duration;

use anyhow::Result;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::kafka::Endpoint;

/// How long a broker may take to answer on a busy machine.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a group may take to do what a test waits for. It is longer than the restart of a broker and several session timeouts.
pub(crate) const DEADLINE: Duration = Duration::from_secs(120);

/// A topic on a real Kafka, which no other test uses.
#[derive(Debug, Clone)]
pub(crate) struct Topic {
    /// Where its Kafka is.
    pub(crate) endpoint: Endpoint,
    /// Its name.
    pub(crate) name: String,
}

impl Topic {
    /// Creates a topic.
    ///
    /// # Errors
    /// The broker refuses.
    pub(crate) fn create(endpoint: &Endpoint, partitions: i32) -> Result<Self> {
        Self::create_replicated(endpoint, partitions, 1, &[])
    }

    /// Creates a topic with `replicas` replicas of each partition, and with these properties.
    ///
    /// # Errors
    /// The broker refuses.
    pub(crate) fn create_replicated(
        endpoint: &Endpoint,
        partitions: i32,
        replicas: i32,
        properties: &[(&str, &str)],
    ) -> Result<Self> {
        let topic = Self { endpoint: endpoint.clone(), name: format!("e2e-{}", testbed::topic()) };
        let new_topic = NewTopic::new(&topic.name, partitions, TopicReplication::Fixed(replicas));
        let new_topic = properties.iter().fold(new_topic, |topic, (name, value)| topic.set(name, value));
        topic.administer(async |admin, options| {
            admin.create_topics([&new_topic], &options).await?.remove(0).map_err(refused)
        })?;
        Ok(topic)
    }

    /// Adds partitions, so that the topic has `partitions` of them.
    ///
    /// # Errors
    /// The broker refuses.
    pub(crate) fn grow(&self, partitions: usize) -> Result<()> {
        let new_partitions = NewPartitions::new(&self.name, partitions);
        self.administer(async |admin, options| {
            admin.create_partitions([&new_partitions], &options).await?.remove(0).map_err(refused)
        })
    }

    /// Deletes the messages before these offsets, one for each partition, as a broker does that loses acknowledged messages.
    ///
    /// # Errors
    /// The broker refuses.
    pub(crate) fn delete_before(&self, offsets: &[i64]) -> Result<()> {
        let mut list = TopicPartitionList::new();
        for (partition, offset) in (0..).zip(offsets) {
            list.add_partition_offset(&self.name, partition, Offset::Offset(*offset))?;
        }
        self.administer(async |admin, options| Ok(admin.delete_records(&list, &options).await.map(drop)?))
    }

    /// How many messages are in the partitions `0..count`.
    ///
    /// # Errors
    /// The broker does not answer.
    pub(crate) fn written(&self, count: i32) -> Result<u64> {
        let client: BaseConsumer = self.client_config().create()?;
        let mut written = 0;
        for partition in 0..count {
            let (first, end) = client.fetch_watermarks(&self.name, partition, ANSWER_TIMEOUT)?;
            written += u64::try_from(end - first)?;
        }
        Ok(written)
    }

    fn administer<T>(
        &self,
        act: impl AsyncFnOnce(AdminClient<DefaultClientContext>, AdminOptions) -> Result<T>,
    ) -> Result<()> {
        let admin = self.client_config().create()?;
        let options = AdminOptions::new().operation_timeout(Some(ANSWER_TIMEOUT)).request_timeout(Some(ANSWER_TIMEOUT));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(act(admin, options)).map(drop)
    }

    /// The configuration of a client for this Kafka.
    pub(crate) fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.endpoint.bootstrap_servers);
        if let Some((user, password)) = &self.endpoint.account {
            config.set("security.protocol", "SASL_PLAINTEXT").set("sasl.mechanism", "PLAIN");
            config.set("sasl.username", user).set("sasl.password", password);
        }
        config
    }

    /// The environment variables that point a service to this topic, and no others.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        let mut variables = vec![
            ("KAFKA_BOOTSTRAP_SERVERS".to_owned(), self.endpoint.bootstrap_servers.clone()),
            ("KAFKA_TOPIC".to_owned(), self.name.clone()),
        ];
        if let Some((user, password)) = &self.endpoint.account {
            variables.push(("KAFKA_SASL_USERNAME".to_owned(), user.clone()));
            variables.push(("KAFKA_SASL_PASSWORD".to_owned(), password.clone()));
        }
        variables
    }

    /// The id of a group that no other test uses: the name of the topic, followed by `group`.
    pub(crate) fn group(&self, group: &str) -> String {
        format!("{}-{group}", self.name)
    }
}

fn refused((name, code): (String, rdkafka::types::RDKafkaErrorCode)) -> anyhow::Error {
    anyhow::anyhow!("{name}: {code}")
}
