//! What is received from each partition and from which broker: metrics and health.

use std::collections::BTreeMap;
use std::time::Instant;

use prometheus::{IntCounter, IntCounterVec, IntGauge};
use rdkafka::Statistics;
use service::{Cluster, LastTime, LastTimes, Metrics};

use crate::health::FetchHealth;

/// What is known about the brokers and about the owned partitions, updated whenever librdkafka reports statistics.
#[derive(Debug)]
pub(crate) struct Fetching {
    topic: String,
    cluster: Cluster,
    health: FetchHealth,
    late: IntGauge,
    partitions: Option<PartitionMetrics>,
}

impl Fetching {
    /// Registers the metrics; those of single partitions only if `by_partition`.
    pub(crate) fn new(metrics: &Metrics, topic: &str, by_partition: bool) -> Self {
        Self {
            topic: topic.to_owned(),
            cluster: Cluster::new(topic, metrics),
            health: FetchHealth::default(),
            late: metrics.gauge(
                "kafka_consumer_late_partitions",
                "Owned partitions whose leader has not answered for ten seconds, or that had no leader for as long.",
            ),
            partitions: by_partition.then(|| PartitionMetrics::new(metrics)),
        }
    }

    /// Takes over what the statistics say about the brokers and the `owned` partitions.
    pub(crate) fn update(&mut self, owned: &[i32], statistics: &Statistics) {
        self.cluster.update(statistics);
        self.health.update(&self.topic, owned, statistics, Instant::now());
        if let Some(partitions) = &mut self.partitions {
            for partition in owned {
                partitions.series(*partition);
            }
        }
    }

    /// To be called regularly: counts the messages in `received`, and logs late partitions. Returns why the replica is not ready, if
    /// partitions are late. `is_explained` says that the log explains already why no broker is reached.
    pub(crate) fn tick(&mut self, received: &mut Received, is_explained: bool, now: Instant) -> Option<String> {
        let received = std::mem::take(&mut received.0);
        if let Some(partitions) = &mut self.partitions {
            for (partition, count) in received {
                let (counter, last) = partitions.series(partition);
                counter.inc_by(count);
                last.set_to_now();
            }
        }
        let late = self.health.late(now);
        self.late.set(i64::try_from(late.len()).unwrap_or(i64::MAX));
        self.health.report(&late, &self.cluster, is_explained, now)
    }
}

/// How many messages of each partition were received since the last tick. Kept apart, so that a message costs no label look-up.
#[derive(Debug, Default)]
pub(crate) struct Received(BTreeMap<i32, u64>);

impl Received {
    pub(crate) fn count(&mut self, partition: i32) {
        *self.0.entry(partition).or_default() += 1;
    }
}

/// The metrics of each partition that this replica owns or has owned.
#[derive(Debug)]
struct PartitionMetrics {
    received: IntCounterVec,
    last: LastTimes,
    series: BTreeMap<i32, (IntCounter, LastTime)>,
}

impl PartitionMetrics {
    fn new(metrics: &Metrics) -> Self {
        Self {
            received: metrics.counters(
                "kafka_consumer_partition_messages_received_total",
                "Messages received from librdkafka, by partition, including bad ones.",
                &["partition"],
            ),
            last: metrics.last_times(
                "kafka_consumer_partition_last_message_timestamp_seconds",
                "Time of the last received message of the partition; the time of its assignment until the first one.",
                &["partition"],
            ),
            series: BTreeMap::new(),
        }
    }

    /// The series of a partition, created if there are none yet.
    fn series(&mut self, partition: i32) -> &(IntCounter, LastTime) {
        self.series.entry(partition).or_insert_with(|| {
            let name = partition.to_string();
            (self.received.with_label_values(&[&name]), self.last.with(&[&name]))
        })
    }
}
