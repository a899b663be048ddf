//! A replica's metrics.

use std::collections::BTreeMap;

use message::Bad;
use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};
use rdkafka::Statistics;
use service::statistics::{broker, is_connected};
use service::{LastTime, Metrics};

use crate::fetching::Fetching;
use parking_lot::{Mutex, MutexGuard};

/// A replica's metrics.
#[derive(Debug)]
pub(crate) struct ConsumerMetrics {
    pub(crate) received: IntCounter,
    pub(crate) processed: IntCounter,
    bad: IntCounterVec,
    pub(crate) latency: Histogram,
    lag: IntGaugeVec,
    pub(crate) owned: IntGauge,
    pub(crate) assigned: IntCounter,
    pub(crate) revoked: IntCounter,
    pub(crate) lost: IntCounter,
    pub(crate) commits_ok: IntCounter,
    pub(crate) commits_failed: IntCounter,
    pub(crate) last_message: LastTime,
    fetching: Mutex<Fetching>,
}

impl ConsumerMetrics {
    /// Registers the replica's metrics; those of single partitions, apart from the lag, only if `by_partition`.
    pub(crate) fn new(metrics: &Metrics, topic: &str, by_partition: bool) -> Self {
        let rebalances = metrics.counters(
            "kafka_consumer_rebalances_total",
            "Changes of this replica's assignment; lost partitions were taken away without a revocation.",
            &["event"],
        );
        let commits = metrics.counters("kafka_consumer_commits_total", "Offset commits, by result.", &["result"]);
        let consumer_metrics = Self {
            received: metrics.counter(
                "kafka_consumer_messages_received_total",
                "Messages received from librdkafka, including bad ones.",
            ),
            processed: metrics.counter(
                "kafka_consumer_messages_processed_total",
                "Messages that a written line accounts for, including bad ones; their offsets may be committed.",
            ),
            bad: metrics.counters(
                "kafka_consumer_messages_bad_total",
                "Received messages that could not be decoded.",
                &["kind"],
            ),
            latency: metrics.latency(
                "kafka_consumer_end_to_end_latency_seconds",
                "Time from the creation of a record to its processing, by the clocks of both machines.",
            ),
            lag: metrics.gauges(
                "kafka_consumer_lag_messages",
                "Messages of an owned partition that are not processed yet, as last reported by librdkafka.",
                &["partition"],
            ),
            owned: metrics.gauge("kafka_consumer_owned_partitions", "Partitions that this replica owns."),
            assigned: rebalances.with_label_values(&["assigned"]),
            revoked: rebalances.with_label_values(&["revoked"]),
            lost: rebalances.with_label_values(&["lost"]),
            commits_ok: commits.with_label_values(&["ok"]),
            commits_failed: commits.with_label_values(&["failed"]),
            last_message: metrics.last_time(
                "kafka_consumer_last_message_timestamp_seconds",
                "Time of the last received message; the start of the process until the first one.",
            ),
            fetching: Mutex::new(Fetching::new(metrics, topic, by_partition)),
        };
        for kind in Bad::ALL {
            consumer_metrics.bad.with_label_values(&[kind.name()]).reset();
        }
        consumer_metrics
    }

    /// What is received from each partition and broker.
    pub(crate) fn fetching(&self) -> MutexGuard<'_, Fetching> {
        self.fetching.lock()
    }

    /// Counts a message that could not be decoded.
    pub(crate) fn count_bad(&self, kind: Bad) {
        self.bad.with_label_values(&[kind.name()]).inc();
    }

    /// Updates the lag of the owned partitions from librdkafka's statistics. Returns whether messages wait to be received in
    /// the partitions whose leader is reachable.
    ///
    /// The lag does not tell that, because it also counts received messages that are not processed, and a transaction marker at the end
    /// of the log. `processed` has, for each owned partition, the offset below which everything is processed.
    pub(crate) fn update_lag(
        &self,
        processed: impl Iterator<Item = (i32, Option<i64>)>,
        statistics: &Statistics,
    ) -> bool {
        let processed: BTreeMap<i32, Option<i64>> = processed.collect();
        let partitions = statistics.topics.values().flat_map(|topic| topic.partitions.values());
        let mut has_waiting = false;
        for partition in partitions {
            let Some(processed) = processed.get(&partition.partition) else { continue };
            // Negative values mean unknown.
            let ends = [partition.ls_offset, partition.hi_offset];
            let end = ends.into_iter().find(|end| *end >= 0);
            let lag = end.zip(*processed).map(|(end, processed)| (end - processed).max(0));
            if let Some(lag) = lag {
                self.lag.with_label_values(&[&partition.partition.to_string()]).set(lag);
            }
            if broker(statistics, partition.leader).is_some_and(is_connected) {
                has_waiting |= match (end, partition.next_offset) {
                    (Some(end), next) if next >= 0 => next < end || partition.fetchq_cnt > 0,
                    // Without a position nothing is fetched, and nobody knows whether there are messages. If that lasts, only a new
                    // assignment helps.
                    _ => lag > Some(0) || partition.fetch_state != "active",
                };
            }
        }
        has_waiting
    }

    /// Removes the lag of partitions that this replica no longer owns.
    pub(crate) fn remove_lag(&self, partitions: &[i32]) {
        for partition in partitions {
            // Fails if no lag was ever reported for the partition.
            self.lag.remove_label_values(&[&partition.to_string()]).ok();
        }
    }
}
