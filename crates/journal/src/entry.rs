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

impl Entry {
    /// What the field `message` of the line says. [`Entry::Other`] does not keep it, and this is `Other` then.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Starting(_) => "service starting",
            Self::TopicFound(_) => "topic found",
            Self::Delivered(_) => "message delivered",
            Self::DeliveredSummary(_) => "messages delivered",
            Self::NotDelivered(_) => "messages not delivered",
            Self::RunClosed(_) => "run closed",
            Self::Assigned(_) => "partitions assigned",
            Self::Revoked(_) => "partitions revoked",
            Self::Lost(_) => "partitions lost",
            Self::PositionReset(_) => "position reset",
            Self::Received(_) => "message received",
            Self::ReceivedSummary(_) => "messages received",
            Self::BadMessage(_) => "bad message skipped",
            Self::Stopped(_) => "service stopped",
            Self::Other => "Other",
        }
    }
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_name_of_an_entry_is_the_message_of_its_line() {
        let run = r#""run":"0198f0c2a1b27c3d8e4f5a6b7c8d9e0f""#;
        let one = format!(r#""num":0,"ts":"x","topic":"t","partition":0,"offset":0,"latency_ms":1.5,"pseq":1,{run}"#);
        let many = format!(
            r#""count":0,"rate_per_sec":0,"latency_ms":{{"p50":0,"p99":0,"max":0}},"topic":"t","ranges":[],{run}"#
        );
        let not_delivered = r#""outcome":"unknown","count":0,"num":[],"pseq":[],"error":"x""#;
        let totals = r#""accepted":0,"acknowledged":0,"rejected":0,"unknown":0"#;
        let session = r#""topic":"t","group_id":"g","partitions":[],"owned":[]"#;
        let lines = [
            ("service starting", r#""service":"x","version":"1","topic":"t""#.to_owned()),
            ("topic found", r#""topic":"t","partitions":3"#.to_owned()),
            ("message delivered", one.clone()),
            ("messages delivered", format!(r#"{many},"outstanding":0"#)),
            ("messages not delivered", format!(r#"{not_delivered},"topic":"t","partition":0,{run}"#)),
            ("run closed", format!(r#"{totals},"topic":"t","partitions":[],{run}"#)),
            ("partitions assigned", session.to_owned()),
            ("partitions revoked", session.to_owned()),
            ("partitions lost", session.to_owned()),
            ("position reset", r#""topic":"t","group_id":"g","partition":0,"to":5"#.to_owned()),
            ("message received", format!(r#"{one},"group_id":"g""#)),
            ("messages received", format!(r#"{many},"group_id":"g""#)),
            ("bad message skipped", format!(r#"{one},"group_id":"g","kind":"x","payload_bytes":0"#)),
            ("service stopped", r#""exit_code":0,"reason":"x""#.to_owned()),
            ("something else", one),
        ];
        for (message, fields) in &lines {
            let entry: Entry = serde_json::from_str(&format!(r#"{{"message":"{message}",{fields}}}"#)).expect(message);
            assert_eq!(serde_json::to_value(&entry).expect("JSON")["message"], entry.name());
            assert!(entry.name() == *message || entry == Entry::Other);
        }
        // Every kind of line has a line above.
        let tags = include_str!("entry.rs").lines().filter_map(|line| line.trim().strip_prefix("#[serde(rename = \""));
        let tags: BTreeSet<&str> = tags.filter_map(|tag| tag.strip_suffix("\")]")).collect();
        assert_eq!(lines[..lines.len() - 1].iter().map(|(message, _)| *message).collect::<BTreeSet<_>>(), tags);
    }
}
