//! The embedded broker for tests: in the test's own process, or in a process that can be killed and frozen.

use std::ops::Deref;
use std::time::{Duration, Instant};

use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use sandbox::EmbeddedBroker;

use crate::process::{Process, binary};

/// Returns a topic name that no other test uses.
pub fn topic() -> String {
    format!("topic-{}", uuid::Uuid::new_v4().simple())
}

/// The sandbox's [`EmbeddedBroker`] with a topic of its own, and with helpers that panic where a test cannot go on.
///
/// It dereferences to the embedded broker, so that tests reach its `cluster`, `topic` and `client_config`.
#[expect(missing_debug_implementations, reason = "the embedded broker has no Debug")]
pub struct Broker(EmbeddedBroker);

impl Deref for Broker {
    type Target = EmbeddedBroker;

    fn deref(&self) -> &EmbeddedBroker {
        &self.0
    }
}

impl Broker {
    /// Starts a broker whose topic has `partitions` partitions; with 0 the topic does not exist yet.
    pub fn start(partitions: i32) -> Self {
        Self(EmbeddedBroker::start(topic(), partitions).expect("the embedded broker starts"))
    }

    /// Creates the topic.
    pub fn create_topic(&self, partitions: i32) {
        self.0.create_topic(partitions).expect("the topic is created");
    }

    /// The settings that connect a service to this broker.
    pub fn variables(&self) -> Vec<(String, String)> {
        vec![("KAFKA_BOOTSTRAP_SERVERS".into(), self.bootstrap_servers()), ("KAFKA_TOPIC".into(), self.topic.clone())]
    }

    /// Waits until `group` has committed `messages` messages in all partitions together.
    ///
    /// The mock cluster refuses commits while a group rebalances, which Kafka does not. Therefore tests may stop several
    /// replicas at the same time only after everything was committed.
    pub fn wait_for_commits(&self, group: &str, partitions: i32, messages: i64) {
        let observer = self.observe(group, partitions).expect("librdkafka creates a client");
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let committed =
                observer.committed(Duration::from_secs(5)).expect("the broker returns the committed offsets");
            let sum: i64 = committed.iter().map(|(_, offset)| offset).sum();
            if sum == messages {
                return;
            }
            assert!(Instant::now() < deadline, "timed out waiting for {messages} committed messages; there are {sum}");
        }
    }

    /// Writes values as a foreign producer does: without keys, all to partition 0.
    pub fn write(&self, values: &[Option<&[u8]>]) {
        self.write_all(values.iter().map(|value| (*value, None)));
    }

    /// Writes valid messages with these headers, each a name and a value, as a foreign producer does: without keys, all to partition 0.
    pub fn write_with_headers<'a>(&self, messages: impl Iterator<Item = Vec<(&'a str, &'a [u8])>>) {
        let value = br#"{"num": 1, "ts": "2026-11-22 10:00:00"}"#.as_slice();
        self.write_all(messages.map(|headers| {
            let add = |all: OwnedHeaders, (key, value)| all.insert(Header { key, value: Some(value) });
            (Some(value), Some(headers.into_iter().fold(OwnedHeaders::new(), add)))
        }));
    }

    fn write_all<'a>(&self, messages: impl Iterator<Item = (Option<&'a [u8]>, Option<OwnedHeaders>)>) {
        let mut config = self.client_config();
        let producer: BaseProducer =
            config.set("message.max.bytes", "10000000").create().expect("librdkafka creates a producer");
        for (value, headers) in messages {
            let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(&self.topic).partition(0);
            record.payload = value;
            record.headers = headers;
            producer.send(record).map_err(|(error, _)| error).expect("the queue has room");
        }
        producer.flush(Duration::from_secs(10)).expect("every message is written");
    }
}

/// A broker in a process of its own (`sandbox --broker-only`), which a test can kill and freeze. Its topic is `demo`.
#[derive(Debug)]
pub struct BrokerProcess {
    /// The process.
    pub process: Process,
}

impl BrokerProcess {
    /// Starts the broker, with ten partitions.
    pub fn start() -> Self {
        let process = Process::start(binary("sandbox"), &["--broker-only"], &[]);
        // The last line that it prints.
        process.wait_for_text("sandbox consumer\n");
        Self { process }
    }

    /// The settings that connect a service to this broker, without what suits only demonstrations.
    pub fn variables(&self) -> Vec<(String, String)> {
        let connection = ["KAFKA_BOOTSTRAP_SERVERS", "KAFKA_TOPIC"];
        self.printed_variables().into_iter().filter(|(name, _)| connection.contains(&name.as_str())).collect()
    }

    /// All settings that the sandbox prints for services started by hand.
    pub fn printed_variables(&self) -> Vec<(String, String)> {
        let text = self.process.text();
        let exports = text.lines().filter_map(|line| line.strip_prefix("export ")?.split_once('='));
        exports.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}
