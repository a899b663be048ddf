//! What a replica shows of its books and of the group at `/metrics`.

use message::Bad;
use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};
use rdkafka::Statistics;
use service::{LastTime, Metrics};

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
}

impl ConsumerMetrics {
    /// Shows them among `metrics`.
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let rebalances = metrics.counters(
            "kafka_consumer_rebalances_total",
            "What the group did with this replica's partitions; lost ones were taken without asking.",
            &["event"],
        );
        let commits = metrics.counters(
            "kafka_consumer_commits_total",
            "Commits of offsets, by what became of them.",
            &["result"],
        );
        let made = Self {
            received: metrics.counter(
                "kafka_consumer_messages_received_total",
                "Messages that the client handed over, bad ones too.",
            ),
            processed: metrics.counter(
                "kafka_consumer_messages_processed_total",
                "Messages that a written line accounts for, bad ones too: their offsets may be committed.",
            ),
            bad: metrics.counters(
                "kafka_consumer_messages_bad_total",
                "Messages received that are not in the agreed form.",
                &["kind"],
            ),
            latency: metrics.latency(
                "kafka_consumer_end_to_end_latency_seconds",
                "From the record's creation to its processing, by the clocks of both machines.",
            ),
            lag: metrics.gauges(
                "kafka_consumer_lag_messages",
                "Messages of an owned partition that are not processed, as this replica last heard.",
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
                "When a message was last received; the start of the process until the first.",
            ),
        };
        for kind in Bad::ALL {
            made.bad.with_label_values(&[kind.name()]).reset();
        }
        made
    }

    /// One more message that is not in the agreed form.
    pub(crate) fn bad(&self, kind: Bad) {
        self.bad.with_label_values(&[kind.name()]).inc();
    }

    /// Shows the lag of the owned partitions as librdkafka sees it; gives how many messages are there to be handed over, of
    /// those partitions whose broker can be reached.
    ///
    /// These are not the lag: behind the last message may stand the marker of a transaction, and below the first one may be
    /// much that the broker no longer has.
    pub(crate) fn take_lag(&self, owned: &[i32], statistics: &Statistics) -> i64 {
        let partitions = statistics.topics.values().flat_map(|topic| topic.partitions.values());
        let mut waiting = 0;
        for partition in partitions.filter(|partition| owned.contains(&partition.partition)) {
            // -1 is unknown. Before anything was processed, only the committed offset can be compared with the end.
            let known = [partition.consumer_lag_stored, partition.consumer_lag];
            let lag = known.into_iter().find(|lag| *lag >= 0);
            if let Some(lag) = lag {
                self.lag.with_label_values(&[&partition.partition.to_string()]).set(lag);
            }
            if has_leader(statistics, partition.leader) {
                let end = if partition.ls_offset >= 0 { partition.ls_offset } else { partition.hi_offset };
                waiting += match partition.next_offset {
                    next if next >= 0 => (end - next).max(0) + partition.fetchq_cnt,
                    // It does not even know yet where to begin.
                    _ => lag.unwrap_or(0),
                };
            }
        }
        waiting
    }

    /// These partitions' lag is somebody else's from now on.
    pub(crate) fn forget_lag(&self, partitions: &[i32]) {
        for partition in partitions {
            // There is none if nothing was heard of it.
            self.lag.remove_label_values(&[&partition.to_string()]).ok();
        }
    }
}

fn has_leader(statistics: &Statistics, leader: i32) -> bool {
    statistics.brokers.values().any(|broker| broker.nodeid == leader && broker.state == "UP")
}
