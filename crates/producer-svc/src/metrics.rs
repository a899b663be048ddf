//! The producer's metrics.

use journal::Outcome;
use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge};
use rdkafka::error::RDKafkaErrorCode as Code;
use service::{LastTime, Metrics};

/// The producer's metrics.
#[derive(Debug)]
pub(crate) struct ProducerMetrics {
    pub(crate) accepted: IntCounter,
    pub(crate) acknowledged: IntCounter,
    failed: IntCounterVec,
    pub(crate) latency: Histogram,
    pub(crate) queue: IntGauge,
    pub(crate) last_acknowledgement: LastTime,
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
    /// Registers the producer's metrics.
    pub(crate) fn new(metrics: &Metrics) -> Self {
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
            ),
            queue: metrics.gauge("kafka_producer_queue_messages", "Accepted messages that have no outcome yet."),
            last_acknowledgement: metrics.last_time(
                "kafka_producer_last_acknowledgement_timestamp_seconds",
                "Time of the last acknowledgement; the start of the process until the first one.",
            ),
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
}
