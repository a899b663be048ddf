//! What a line says about messages. Field names are those of Kafka and OpenTelemetry where these have one.

pub(crate) mod session;

use std::collections::BTreeMap;

use message::RunId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::entry::session::{Assigned, Ended, PositionReset};
use crate::summary::ranges::Range;

/// The content of a line that accounts for messages, or that begins or ends the log of a process. The field `message` says which.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "message")]
pub enum Entry {
    /// The first line of every process.
    #[serde(rename = "service starting")]
    Starting(Starting),
    /// The broker is reachable and has the topic.
    #[serde(rename = "topic found")]
    TopicFound(TopicFound),
    /// Producer: the broker acknowledged one message.
    #[serde(rename = "message delivered")]
    Delivered(Delivered),
    /// Producer: the broker acknowledged many messages.
    #[serde(rename = "messages delivered")]
    DeliveredSummary(DeliveredSummary),
    /// Producer: messages were given up without an acknowledgement.
    #[serde(rename = "messages not delivered")]
    NotDelivered(NotDelivered),
    /// Producer: the run has ended, and no line about its messages follows.
    #[serde(rename = "run closed")]
    RunClosed(RunClosed),
    /// Consumer: sessions begin.
    #[serde(rename = "partitions assigned")]
    Assigned(Assigned),
    /// Consumer: sessions end, because the group gives the partitions to other replicas or because this replica leaves.
    #[serde(rename = "partitions revoked")]
    Revoked(Ended),
    /// Consumer: sessions end, because the group has continued without this replica.
    #[serde(rename = "partitions lost")]
    Lost(Ended),
    /// Consumer: the next message of a session is not the one after the last.
    #[serde(rename = "position reset")]
    PositionReset(PositionReset),
    /// Consumer: one message was processed.
    #[serde(rename = "message received")]
    Received(Received),
    /// Consumer: many messages were processed.
    #[serde(rename = "messages received")]
    ReceivedSummary(ReceivedSummary),
    /// Consumer: a message that could not be decoded was skipped.
    #[serde(rename = "bad message skipped")]
    BadMessage(BadMessage),
    /// The last line of every process that was not killed.
    #[serde(rename = "service stopped")]
    Stopped(Stopped),
    /// Any other line of the services.
    #[serde(other)]
    Other,
}

/// `service starting`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Starting {
    /// `producer-svc` or `consumer-svc`.
    pub service: String,
    /// Version of the service.
    pub version: String,
    /// Topic.
    pub topic: String,
    /// The run, if this is a producer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The consumer group, if this is a replica.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_id: Option<String>,
    /// Other settings, without secrets.
    #[serde(default)]
    pub settings: Map<String, Value>,
}

/// `topic found`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicFound {
    /// Topic.
    pub topic: String,
    /// Number of its partitions.
    pub partitions: usize,
    /// The id of the cluster, which tells topics of the same name apart. Absent if the broker does not report one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_id: Option<String>,
}

/// `message delivered`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delivered {
    /// Number of the message.
    pub num: u64,
    /// Timestamp of the message, as in its value.
    pub ts: String,
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Offset that the broker assigned.
    pub offset: i64,
    /// Time from handing the message to librdkafka to its delivery report, in milliseconds.
    pub latency_ms: f64,
    /// Run.
    pub run: RunId,
    /// Position of the message among those that the run sent to this partition, from 1.
    pub pseq: u64,
}

/// Latency statistics of a summary, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct LatencyMillis {
    /// Median.
    pub p50: f64,
    /// 99th percentile.
    pub p99: f64,
    /// Maximum.
    pub max: f64,
}

/// `messages delivered`: the acknowledgements since the previous such line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeliveredSummary {
    /// Number of messages.
    pub count: u64,
    /// Messages per second.
    pub rate_per_sec: f64,
    /// Time from handing a message to librdkafka to its delivery report.
    pub latency_ms: LatencyMillis,
    /// Messages accepted by librdkafka that still have no outcome.
    pub outstanding: u64,
    /// Topic.
    pub topic: String,
    /// Run.
    pub run: RunId,
    /// Which messages.
    pub ranges: Vec<Range>,
}

/// What is known about a message without an acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The message is not on the broker.
    Rejected,
    /// The message may be on the broker.
    Unknown,
}

/// `messages not delivered`: messages of one partition with the same outcome and the same error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NotDelivered {
    /// Whether they may be on the broker.
    pub outcome: Outcome,
    /// Number of messages.
    pub count: u64,
    /// Their numbers, as `[first, last]`.
    pub num: Vec<[u64; 2]>,
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Their pseq, as `[first, last]`.
    pub pseq: Vec<[u64; 2]>,
    /// Run.
    pub run: RunId,
    /// librdkafka's name of the error.
    pub error: String,
}

/// The most partitions that one [`RunClosed`] names, so that its line stays below the 16 KiB at which container runtimes cut a line.
pub const CLOSED_PARTITIONS_MAX: usize = 250;

/// `run closed`. The totals satisfy accepted = acknowledged + rejected + unknown.
///
/// A run with more partitions than [`CLOSED_PARTITIONS_MAX`] is closed by several such lines, with the same totals and different partitions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunClosed {
    /// Run.
    pub run: RunId,
    /// Topic.
    pub topic: String,
    /// Messages that librdkafka accepted.
    pub accepted: u64,
    /// Those on the broker.
    pub acknowledged: u64,
    /// Those not on the broker.
    pub rejected: u64,
    /// Those that may be on the broker.
    pub unknown: u64,
    /// How many partitions the lines that close this run name together. Absent if this is the only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition_count: Option<usize>,
    /// The last message to each partition, or to some of them.
    pub partitions: Vec<LastOfPartition>,
}

/// The last message of a run to a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastOfPartition {
    /// Partition.
    pub partition: i32,
    /// The last pseq.
    pub last_pseq: u64,
}

/// `message received`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Received {
    /// Number of the message.
    pub num: u64,
    /// Timestamp of the message, as in its value, escaped.
    pub ts: String,
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// Time from the record's creation to its processing, in milliseconds. Absent if the broker replaced the creation time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<f64>,
    /// Consumer group.
    pub group_id: String,
    /// Run. Absent if the message is foreign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// Position of the message among those that its run sent to this partition. Absent if the message is foreign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pseq: Option<u64>,
}

/// `messages received`: the messages processed since the previous such line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReceivedSummary {
    /// Number of messages, including bad ones.
    pub count: u64,
    /// Messages per second.
    pub rate_per_sec: f64,
    /// Time from a record's creation to its processing.
    pub latency_ms: LatencyMillis,
    /// Number of messages that could not be decoded, by kind.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub bad: BTreeMap<String, u64>,
    /// Topic.
    pub topic: String,
    /// Consumer group.
    pub group_id: String,
    /// Which messages, including bad ones.
    pub ranges: Vec<Range>,
}

/// `bad message skipped`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BadMessage {
    /// What is wrong with the message.
    pub kind: String,
    /// The beginning of its value, escaped. Absent if it has no value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// Size of its value.
    pub payload_bytes: usize,
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// Consumer group.
    pub group_id: String,
    /// Run. Absent if the message is foreign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// Position of the message among those that its run sent to this partition. Absent if the message is foreign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pseq: Option<u64>,
    /// Set if a summary accounts for the message and this line only shows an example.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sample: bool,
}

/// `service stopped`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stopped {
    /// Exit code.
    pub exit_code: u8,
    /// Why the process ended.
    pub reason: String,
    /// Producer: messages that librdkafka accepted. Consumer: messages that were processed. Absent if the loop did not end in time
    /// to report it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Producer: messages without an acknowledgement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_delivered: Option<u64>,
    /// Consumer: offsets that were processed and not committed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_committed: Vec<NextOffset>,
}

/// The offset at which the next owner of a partition should continue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextOffset {
    /// Partition.
    pub partition: i32,
    /// The offset after the last processed one.
    pub offset: i64,
}
