//! The producer's metrics.

use journal::Outcome;
use prometheus::local::LocalHistogram;
use prometheus::{IntCounter, IntCounterVec, IntGauge};
use rdkafka::error::RDKafkaErrorCode as Code;
use service::{Cluster, LastTime, LastTimes, Metrics};

use crate::partitions::backlog::PartitionBacklog;

/// The producer's metrics.
///
/// What each acknowledged message adds to is collected without synchronisation, and exported by [`update`](Self::update).
#[derive(Debug)]
pub(crate) struct ProducerMetrics {
    accepted: IntCounter,
    acknowledged: IntCounter,
    failed: IntCounterVec,
    pub(crate) latency: LocalHistogram,
    pub(crate) latency_from_due: LocalHistogram,
    queue: IntGauge,
    pub(crate) late_partitions: IntGauge,
    pub(crate) last_acknowledgement: LastTime,
    partitions: Option<PartitionMetrics>,
    pub(crate) cluster: Cluster,
}

/// Why a message has no acknowledgement, as a metric label with few values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The broker did not answer in time.
    Timeout,
    /// The account lacks the right.
    Authorization,
    /// The message is too large for the broker.
    MessageSize,
    /// The message was purged at the shutdown deadline.
    Shutdown,
    /// Any other error. The log names it.
    Other,
}

const REASONS: [Reason; 5] =
    [Reason::Timeout, Reason::Authorization, Reason::MessageSize, Reason::Shutdown, Reason::Other];

impl Reason {
    pub(crate) fn from_code(code: Option<Code>) -> Self {
        match code {
            Some(Code::MessageTimedOut | Code::RequestTimedOut | Code::OperationTimedOut) => Self::Timeout,
            Some(Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed) => Self::Authorization,
            Some(Code::MessageSizeTooLarge) => Self::MessageSize,
            Some(Code::PurgeQueue | Code::PurgeInflight) => Self::Shutdown,
            _ => Self::Other,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Authorization => "authorization",
            Self::MessageSize => "message_size",
            Self::Shutdown => "shutdown",
            Self::Other => "other",
        }
    }
}

fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Rejected => "rejected",
        Outcome::Unknown => "unknown",
    }
}

impl ProducerMetrics {
    /// Registers the producer's metrics; those of single partitions only if `by_partition`.
    pub(crate) fn new(metrics: &Metrics, topic: &str, by_partition: bool) -> Self {
        let producer_metrics = Self {
            accepted: metrics
                .counter("kafka_producer_messages_accepted_total", "Messages that librdkafka accepted for delivery."),
            acknowledged: metrics
                .counter("kafka_producer_messages_acknowledged_total", "Messages that the broker acknowledged."),
            failed: metrics.counters(
                "kafka_producer_messages_failed_total",
                "Messages given up without an acknowledgement: rejected ones are not on the broker, unknown ones may be.",
                &["outcome", "reason"],
            ),
            latency: metrics.latency(
                "kafka_producer_acknowledgement_latency_seconds",
                "Time from handing a message to librdkafka to its acknowledgement.",
            ).local(),
            latency_from_due: metrics.latency(
                "kafka_producer_acknowledgement_latency_from_due_seconds",
                "Time from when a message was due by the rate to its acknowledgement.",
            ).local(),
            queue: metrics.gauge("kafka_producer_queue_messages", "Accepted messages that have no outcome yet."),
            late_partitions: metrics.gauge(
                "kafka_producer_late_partitions",
                "Partitions to which messages were due and none was acknowledged for ten seconds.",
            ),
            last_acknowledgement: metrics.last_time(
                "kafka_producer_last_acknowledgement_timestamp_seconds",
                "Time of the last acknowledgement; the start of the process until the first one.",
            ),
            partitions: by_partition.then(|| PartitionMetrics::new(metrics)),
            cluster: Cluster::new(topic, metrics),
        };
        for outcome in [Outcome::Rejected, Outcome::Unknown] {
            for reason in REASONS {
                producer_metrics.failed.with_label_values(&[outcome_name(outcome), reason.name()]).reset();
            }
        }
        producer_metrics
    }

    /// Counts a message that was given up without an acknowledgement.
    pub(crate) fn count_failure(&self, outcome: Outcome, reason: Reason) {
        self.failed.with_label_values(&[outcome_name(outcome), reason.name()]).inc();
    }

    /// Exports the histograms and these counts.
    pub(crate) fn update(&mut self, accepted: u64, acknowledged: u64, outstanding: u64) {
        self.accepted.inc_by(accepted - self.accepted.get());
        self.acknowledged.inc_by(acknowledged - self.acknowledged.get());
        self.queue.set(i64::try_from(outstanding).unwrap_or(i64::MAX));
        self.latency.flush();
        self.latency_from_due.flush();
    }

    /// Brings the metrics of the partitions up to date, and creates those of new partitions.
    pub(crate) fn update_partitions(&mut self, backlogs: &[PartitionBacklog]) {
        if let Some(partitions) = &mut self.partitions {
            partitions.update(backlogs);
        }
    }
}

/// The metrics of each partition.
#[derive(Debug)]
struct PartitionMetrics {
    acknowledged: IntCounterVec,
    failed: IntCounterVec,
    last_acknowledgement: LastTimes,
    series: Vec<(IntCounter, IntCounter, LastTime)>,
}

impl PartitionMetrics {
    fn new(metrics: &Metrics) -> Self {
        Self {
            acknowledged: metrics.counters(
                "kafka_producer_partition_messages_acknowledged_total",
                "Messages that the broker acknowledged, by partition.",
                &["partition"],
            ),
            failed: metrics.counters(
                "kafka_producer_partition_messages_failed_total",
                "Messages given up without an acknowledgement, by partition.",
                &["partition"],
            ),
            last_acknowledgement: metrics.last_times(
                "kafka_producer_partition_last_acknowledgement_timestamp_seconds",
                "Time of the last acknowledgement of the partition; the time when the partition was found until the first one.",
                &["partition"],
            ),
            series: Vec::new(),
        }
    }

    fn update(&mut self, backlogs: &[PartitionBacklog]) {
        for (partition, backlog) in backlogs.iter().enumerate() {
            if partition == self.series.len() {
                let name = partition.to_string();
                let labels = [name.as_str()];
                self.series.push((
                    self.acknowledged.with_label_values(&labels),
                    self.failed.with_label_values(&labels),
                    self.last_acknowledgement.with(&labels),
                ));
            }
            let (acknowledged, failed, last_acknowledgement) = &self.series[partition];
            let new = backlog.acknowledged - acknowledged.get();
            if new > 0 {
                acknowledged.inc_by(new);
                last_acknowledgement.set_to_now();
            }
            failed.inc_by(backlog.failed - failed.get());
        }
    }
}
