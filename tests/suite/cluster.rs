//! A topic that no other test uses.

use std::time::Duration;

use anyhow::Result;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::kafka::Entrance;

/// What a broker may take to answer on a busy machine.
pub(crate) const ANSWER: Duration = Duration::from_secs(30);
/// What a group may take to do what a test waits for. Longer than a broker's restart and a stall of some sessions.
pub(crate) const DEADLINE: Duration = Duration::from_secs(120);

/// A topic of its own on a real Kafka.
#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    /// The way in.
    pub(crate) entrance: Entrance,
    /// The topic.
    pub(crate) topic: String,
}

impl Cluster {
    /// Creates the topic.
    ///
    /// # Errors
    /// The broker refuses.
    pub(crate) fn with_topic(entrance: &Entrance, partitions: i32) -> Result<Self> {
        let cluster = Self { entrance: entrance.clone(), topic: format!("e2e-{}", testbed::topic()) };
        let topic = NewTopic::new(&cluster.topic, partitions, TopicReplication::Fixed(1));
        cluster.administer(async |admin, options| {
            admin.create_topics([&topic], &options).await?.remove(0).map_err(refused)
        })?;
        Ok(cluster)
    }

    /// Gives the topic more partitions.
    ///
    /// # Errors
    /// The broker refuses.
    pub(crate) fn grow(&self, partitions: usize) -> Result<()> {
        let all = NewPartitions::new(&self.topic, partitions);
        self.administer(async |admin, options| {
            admin.create_partitions([&all], &options).await?.remove(0).map_err(refused)
        })
    }

    /// Deletes what stands before these offsets, one a partition, as a broker does that loses what it acknowledged.
    ///
    /// # Errors
    /// The broker refuses.
    pub(crate) fn delete_before(&self, offsets: &[i64]) -> Result<()> {
        let mut list = TopicPartitionList::new();
        for (partition, offset) in (0..).zip(offsets) {
            list.add_partition_offset(&self.topic, partition, Offset::Offset(*offset))?;
        }
        self.administer(async |admin, options| Ok(admin.delete_records(&list, &options).await.map(drop)?))
    }

    fn administer<T>(
        &self,
        act: impl AsyncFnOnce(AdminClient<DefaultClientContext>, AdminOptions) -> Result<T>,
    ) -> Result<()> {
        let admin = self.client_config().create()?;
        let options = AdminOptions::new().operation_timeout(Some(ANSWER)).request_timeout(Some(ANSWER));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(act(admin, options)).map(drop)
    }

    /// A client's configuration for this Kafka.
    pub(crate) fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.entrance.bootstrap_servers);
        if let Some((user, password)) = &self.entrance.account {
            config.set("security.protocol", "SASL_PLAINTEXT").set("sasl.mechanism", "PLAIN");
            config.set("sasl.username", user).set("sasl.password", password);
        }
        config
    }

    /// The variables that point a service here, and nothing else.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        let mut variables = vec![
            ("KAFKA_BOOTSTRAP_SERVERS".to_owned(), self.entrance.bootstrap_servers.clone()),
            ("KAFKA_TOPIC".to_owned(), self.topic.clone()),
        ];
        if let Some((user, password)) = &self.entrance.account {
            variables.push(("KAFKA_SASL_USERNAME".to_owned(), user.clone()));
            variables.push(("KAFKA_SASL_PASSWORD".to_owned(), password.clone()));
        }
        variables
    }

    /// A group that no other test uses: its name here, behind the topic's.
    pub(crate) fn group(&self, group: &str) -> String {
        format!("{}-{group}", self.topic)
    }
}

fn refused((name, code): (String, rdkafka::types::RDKafkaErrorCode)) -> anyhow::Error {
    anyhow::anyhow!("{name}: {code}")
}
