//! What librdkafka's statistics say about the brokers.

use rdkafka::Statistics;

use super::leaders::Leaders;
use crate::observability::brokers::BrokerMetrics;
use crate::observability::metrics::Metrics;

/// What a client knows about the brokers of its topic. Updated whenever librdkafka reports statistics.
#[derive(Debug)]
pub struct Cluster {
    topic: String,
    leaders: Leaders,
    metrics: BrokerMetrics,
}

impl Cluster {
    /// Nothing is known yet. Registers the metrics of the brokers.
    #[must_use]
    pub fn new(topic: &str, metrics: &Metrics) -> Self {
        Self { topic: topic.to_owned(), leaders: Leaders::default(), metrics: BrokerMetrics::new(metrics) }
    }

    /// Takes over what the statistics say. For [`ClientContext::stats`](rdkafka::ClientContext::stats).
    pub fn update(&mut self, statistics: &Statistics) {
        self.leaders.update(&self.topic, statistics);
        self.metrics.update(statistics);
    }

    /// Names partitions with their last known leaders, such as `partitions 1, 4 of broker 3 at kafka-3:9092`; at most twenty, and then
    /// how many more.
    #[must_use]
    pub fn describe(&self, partitions: &[i32]) -> String {
        self.leaders.describe(partitions)
    }
}
