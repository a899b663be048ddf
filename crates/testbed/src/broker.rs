//! The embedded broker of the tests: librdkafka's mock cluster, in this process or in one that can be frozen.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer as _};
use rdkafka::{ClientConfig, TopicPartitionList};

use crate::process::{Process, binary};

/// A name that no other test has.
pub fn topic() -> String {
    format!("topic-{}", uuid::Uuid::new_v4().simple())
}

/// A broker with one topic, in this process.
#[allow(missing_debug_implementations, reason = "the mock cluster has none")]
pub struct Broker {
    /// The mock cluster, for what a test wants to break.
    pub cluster: MockCluster<'static, DefaultProducerContext>,
    /// The topic.
    pub topic: String,
}

impl Broker {
    /// Starts a broker whose topic has so many partitions; with 0 it has no topic yet.
    pub fn start(partitions: i32) -> Self {
        let cluster = MockCluster::new(1).expect("a mock cluster");
        let broker = Self { cluster, topic: topic() };
        if partitions > 0 {
            broker.create_topic(partitions);
        }
        broker
    }

    /// Creates the topic.
    pub fn create_topic(&self, partitions: i32) {
        self.cluster.create_topic(&self.topic, partitions, 1).expect("a topic");
    }

    /// The variables that point a service here.
    pub fn variables(&self) -> Vec<(String, String)> {
        vec![
            ("KAFKA_BOOTSTRAP_SERVERS".into(), self.cluster.bootstrap_servers()),
            ("KAFKA_TOPIC".into(), self.topic.clone()),
        ]
    }

    /// A client's configuration for this broker.
    pub fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.cluster.bootstrap_servers());
        config
    }

    /// Waits until `group` has committed so many messages.
    ///
    /// The mock cluster refuses commits while a group rebalances, which Kafka does not; so on it replicas may be stopped
    /// together only when they have nothing to commit.
    pub fn wait_for_commits(&self, group: &str, partitions: i32, messages: i64) {
        let mut config = self.client_config();
        let client: BaseConsumer = config.set("group.id", group).create().expect("a client");
        let mut list = TopicPartitionList::new();
        list.add_partition_range(&self.topic, 0, partitions - 1);
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let committed = client.committed_offsets(list.clone(), Duration::from_secs(5)).expect("offsets");
            let offsets = committed.elements().into_iter().filter_map(|it| it.offset().to_raw());
            let sum: i64 = offsets.filter(|offset| *offset > 0).sum();
            if sum == messages {
                return;
            }
            assert!(Instant::now() < deadline, "waited in vain for {messages} commits, {sum} are there");
        }
    }

    /// Writes values as a foreign producer does: without a key, all to partition 0.
    pub fn write(&self, values: &[Option<&[u8]>]) {
        let mut config = self.client_config();
        let producer: BaseProducer = config.set("message.max.bytes", "10000000").create().expect("a producer");
        for value in values {
            let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(&self.topic).partition(0);
            record.payload = *value;
            producer.send(record).map_err(|(error, _)| error).expect("a place in the queue");
        }
        producer.flush(Duration::from_secs(10)).expect("every message written");
    }
}

/// A broker in a process of its own, which can be killed and frozen. Its topic is `demo`.
#[derive(Debug)]
pub struct BrokerProcess {
    /// The process.
    pub process: Process,
    variables: Vec<(String, String)>,
}

impl BrokerProcess {
    /// Starts it with ten partitions.
    pub fn start() -> Self {
        let process = Process::start(binary("sandbox"), &["--broker-only"], &[]);
        process.wait_for_text("cargo run -p consumer-svc");
        let variables = process
            .text()
            .lines()
            .filter_map(|line| line.strip_prefix("export ")?.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Self { process, variables }
    }

    /// The variables that point a service here.
    pub fn variables(&self) -> Vec<(String, String)> {
        self.variables.clone()
    }
}
