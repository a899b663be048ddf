//! What the producer shows of its books at `/metrics`.

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

/// Why a message has no acknowledgement, in few enough words for a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The broker's answer did not come in time.
    Timeout,
    /// The account may not.
    Authorization,
    /// The broker takes no message of this size.
    MessageSize,
    /// Given up at the end of a stop.
    Shutdown,
    /// Something else: the log has its name.
    Other,
}

const REASONS: [Reason; 5] =
    [Reason::Timeout, Reason::Authorization, Reason::MessageSize, Reason::Shutdown, Reason::Other];

impl Reason {
    pub(crate) fn of(code: Option<Code>) -> Self {
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
    /// Shows them among `metrics`.
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let made = Self {
            accepted: metrics
                .counter("kafka_producer_messages_accepted_total", "Messages that the client took for delivery."),
            acknowledged: metrics
                .counter("kafka_producer_messages_acknowledged_total", "Messages that the broker has acknowledged."),
            failed: metrics.counters(
                "kafka_producer_messages_failed_total",
                "Messages without acknowledgement: rejected are not on the broker, unknown may be.",
                &["outcome", "reason"],
            ),
            latency: metrics.latency(
                "kafka_producer_acknowledgement_latency_seconds",
                "From handing a message to the client to its acknowledgement.",
            ),
            queue: metrics.gauge("kafka_producer_queue_messages", "Messages accepted that have no outcome yet."),
            last_acknowledgement: metrics.last_time(
                "kafka_producer_last_acknowledgement_timestamp_seconds",
                "When an acknowledgement last came; the start of the process until the first.",
            ),
        };
        for outcome in [Outcome::Rejected, Outcome::Unknown] {
            for reason in REASONS {
                made.failed.with_label_values(&[outcome_name(outcome), reason.name()]).reset();
            }
        }
        made
    }

    /// One more message without acknowledgement.
    pub(crate) fn fail(&self, outcome: Outcome, reason: Reason) {
        self.failed.with_label_values(&[outcome_name(outcome), reason.name()]).inc();
    }
}
