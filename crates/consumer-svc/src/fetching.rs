//! What is received from each partition and from which broker: metrics and health.

use std::collections::BTreeMap;
use std::time::Instant;

use prometheus::{IntCounter, IntCounterVec, IntGauge};
use rdkafka::Statistics;
use service::{Cluster, LastTime, LastTimes, Metrics};

use crate::health::{FetchHealth, can_read_all};

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
                "Owned partitions that have not been fetched for ten seconds: their leader does not answer or refuses, there is none, or librdkafka \
                 has no position in them.",
            ),
            partitions: by_partition.then(|| PartitionMetrics::new(metrics)),
        }
    }

    /// Takes over what the statistics say about the brokers and the `owned` partitions. Returns whether the last fetch of each of these was
    /// permitted; `false` if there are none.
    pub(crate) fn update(&mut self, owned: &[i32], statistics: &Statistics) -> bool {
        let now = Instant::now();
        self.cluster.update(statistics, now);
        let is_throttled = |broker| self.cluster.throttled_until(broker).is_some_and(|until| now < until);
        self.health.update(&self.topic, owned, statistics, is_throttled, now);
        if let Some(partitions) = &mut self.partitions {
            for partition in owned {
                partitions.series(*partition);
            }
        }
        can_read_all(&self.topic, owned, statistics)
    }

    /// To be called regularly: counts the messages in `received`, and logs late partitions. Returns why the replica is not ready, if
    /// partitions are late. `is_explained` says that the log explains already why no broker is reached.
    pub(crate) fn tick(&mut self, received: &mut ReceivedCounts, is_explained: bool, now: Instant) -> Option<String> {
        let received = received.take();
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

/// How many messages were received in all, and how many of each partition since the last tick. Kept apart from the metrics, so that a
/// message costs no label look-up.
#[derive(Debug, Default)]
pub(crate) struct ReceivedCounts {
    total: u64,
    counts: BTreeMap<i32, u64>,
    /// The partition of the last message, and how many of its messages `counts` does not contain yet. Messages arrive in long
    /// stretches of one partition.
    last: (i32, u64),
}

impl ReceivedCounts {
    /// How many messages were counted.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Counts a message.
    pub(crate) fn count(&mut self, partition: i32) {
        self.total += 1;
        if self.last.0 != partition {
            self.note_last();
            self.last.0 = partition;
        }
        self.last.1 += 1;
    }

    fn note_last(&mut self) {
        let (partition, count) = self.last;
        if count > 0 {
            *self.counts.entry(partition).or_default() += count;
            self.last.1 = 0;
        }
    }

    fn take(&mut self) -> BTreeMap<i32, u64> {
        self.note_last();
        std::mem::take(&mut self.counts)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_is_counted_once_and_with_its_own_partition() {
        let mut received = ReceivedCounts::default();
        [3, 3, 0, 3, -1, 0, 0].into_iter().for_each(|partition| received.count(partition));
        assert_eq!(received.take(), BTreeMap::from([(-1, 1), (0, 3), (3, 3)]));
        assert!(received.take().is_empty());
        received.count(0);
        assert_eq!(received.take(), BTreeMap::from([(0, 1)]));
        assert_eq!(received.total(), 8);
    }
}
