//! What librdkafka's statistics say about the brokers.

use std::time::Instant;

use rdkafka::Statistics;

use super::connections::Connections;
use super::leaders::Leaders;
use super::quotas::Quotas;
use crate::observability::metrics::Metrics;

/// What a client knows about the brokers of its topic. Updated whenever librdkafka reports statistics.
#[derive(Debug)]
pub struct Cluster {
    topic: String,
    leaders: Leaders,
    quotas: Quotas,
    connections: Connections,
}

impl Cluster {
    /// Nothing is known yet. Registers the metrics of the brokers.
    #[must_use]
    pub fn new(topic: &str, metrics: &Metrics) -> Self {
        Self {
            topic: topic.to_owned(),
            leaders: Leaders::default(),
            quotas: Quotas::default(),
            connections: Connections::new(metrics),
        }
    }

    /// Takes over what the statistics say. For [`ClientContext::stats`](rdkafka::ClientContext::stats).
    pub fn update(&mut self, statistics: &Statistics, now: Instant) {
        self.leaders.update(&self.topic, statistics);
        self.quotas.update(statistics, now);
        self.connections.update(statistics);
    }

    /// Until when the broker with this id may let the client wait because of a quota, as it said in a response.
    #[must_use]
    pub fn throttled_until(&self, broker: i32) -> Option<Instant> {
        self.quotas.throttled_until(broker)
    }

    /// Names partitions with their last known leaders, such as `partitions 1, 4 of broker 3 at kafka-3:9092`; at most twenty, and then
    /// how many more.
    #[must_use]
    pub fn describe(&self, partitions: &[i32]) -> String {
        self.leaders.describe(partitions)
    }
}
