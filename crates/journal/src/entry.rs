//! What a line says about messages. Field names are Kafka's and OpenTelemetry's where they have one.

use std::collections::BTreeMap;

use message::RunId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ranges::Range;

/// A line that accounts for messages, or frames them. The `message` field tells which.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "message")]
pub enum Entry {
    /// First line of every service.
    #[serde(rename = "service starting")]
    Starting(Starting),
    /// Producer: one message is on the broker.
    #[serde(rename = "message delivered")]
    Delivered(Delivered),
    /// Producer: many are.
    #[serde(rename = "messages delivered")]
    DeliveredSummary(DeliveredSummary),
    /// Producer: some are not, or nobody knows.
    #[serde(rename = "messages not delivered")]
    NotDelivered(NotDelivered),
    /// Producer: nothing comes after this in this run.
    #[serde(rename = "run closed")]
    RunClosed(RunClosed),
    /// Consumer: one message was processed.
    #[serde(rename = "message received")]
    Received(Received),
    /// Consumer: many were.
    #[serde(rename = "messages received")]
    ReceivedSummary(ReceivedSummary),
    /// Consumer: a message that can't be read was passed over.
    #[serde(rename = "bad message skipped")]
    BadMessage(BadMessage),
    /// Last line of every service that ends by itself.
    #[serde(rename = "service stopped")]
    Stopped(Stopped),
    /// Any other line of ours.
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
    /// Of a producer: its run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// Of a consumer: its group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_id: Option<String>,
    /// Other settings, without secrets.
    #[serde(default)]
    pub settings: Map<String, Value>,
}

/// `message delivered`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delivered {
    /// Number of the message.
    pub num: u64,
    /// Its time stamp, as in the value.
    pub ts: String,
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Offset that the broker gave it.
    pub offset: i64,
    /// From the hand-over to librdkafka to the delivery report, milliseconds.
    pub latency_ms: f64,
    /// Run.
    pub run: RunId,
    /// Which message of the run to this partition, from 1.
    pub pseq: u64,
}

/// Latencies of a summary, milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Millis {
    /// Median.
    pub p50: f64,
    /// 99th percentile.
    pub p99: f64,
    /// Highest.
    pub max: f64,
}

/// `messages delivered`: what became known since the last such line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeliveredSummary {
    /// How many.
    pub count: u64,
    /// How many a second.
    pub rate_per_sec: f64,
    /// From the hand-over to librdkafka to the delivery report.
    pub latency_ms: Millis,
    /// Handed over and still without an outcome.
    pub outstanding: u64,
    /// Topic.
    pub topic: String,
    /// Run.
    pub run: RunId,
    /// Which ones.
    pub ranges: Vec<Range>,
}

/// What is known of a message that has no acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It is not on the broker.
    Rejected,
    /// It may be there.
    Unknown,
}

/// `messages not delivered`: messages of one partition with one outcome and one error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NotDelivered {
    /// What is known.
    pub outcome: Outcome,
    /// How many.
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

/// `run closed`: accepted = acknowledged + rejected + unknown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunClosed {
    /// Run.
    pub run: RunId,
    /// Topic.
    pub topic: String,
    /// Messages that librdkafka accepted.
    pub accepted: u64,
    /// Of these, on the broker.
    pub acknowledged: u64,
    /// Of these, not on the broker.
    pub rejected: u64,
    /// Of these, nobody knows.
    pub unknown: u64,
    /// Where each partition ended.
    pub partitions: Vec<LastOfPartition>,
}

/// The last message of a run to a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastOfPartition {
    /// Partition.
    pub partition: i32,
    /// Its last pseq.
    pub last_pseq: u64,
}

/// `message received`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Received {
    /// Number of the message.
    pub num: u64,
    /// Its time stamp, as in the value, escaped.
    pub ts: String,
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// From the record's creation time to now, milliseconds; absent where the broker overwrote that time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<f64>,
    /// Consumer group.
    pub group_id: String,
    /// Run, unless the message is foreign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// Which message of the run to this partition, unless the message is foreign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pseq: Option<u64>,
}

/// `messages received`: what was processed since the last such line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReceivedSummary {
    /// How many, bad ones included.
    pub count: u64,
    /// How many a second.
    pub rate_per_sec: f64,
    /// From the record's creation time to its processing.
    pub latency_ms: Millis,
    /// How many could not be read, by kind.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub bad: BTreeMap<String, u64>,
    /// Topic.
    pub topic: String,
    /// Consumer group.
    pub group_id: String,
    /// Which ones, bad ones included.
    pub ranges: Vec<Range>,
}

/// `bad message skipped`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BadMessage {
    /// What is wrong with it.
    pub kind: String,
    /// Beginning of its value, escaped; absent where there is none.
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
    /// Run, unless the message is foreign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// Which message of the run to this partition, unless the message is foreign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pseq: Option<u64>,
    /// Set where a summary accounts for the message and this line only shows it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sample: bool,
}

/// `service stopped`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stopped {
    /// Exit code.
    pub exit_code: u8,
    /// Why it ended.
    pub reason: String,
    /// Of a producer: messages that librdkafka accepted. Of a consumer: messages that were processed. Absent where the loop
    /// did not live to tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Of a producer: messages without an acknowledgement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_delivered: Option<u64>,
    /// Of a consumer: what was processed and not committed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_committed: Vec<NextOffset>,
}

/// Where a partition should go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextOffset {
    /// Partition.
    pub partition: i32,
    /// One above the last processed offset.
    pub offset: i64,
}
