//! Whether the owned partitions are received from their leaders: the reason for `/readyz`, and what the log says about it.
//!
//! The lag does not tell: it is the distance to the end of the partition as last reported by the leader, so it does not rise while the
//! leader does not answer.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::Statistics;
use rdkafka::statistics::{Broker, Partition};
use service::{Cluster, Complaint};
use tracing::{info, warn};

/// A partition is late if its leader has not answered a fetch for this long, or if it had no leader for this long. librdkafka asks the
/// broker to answer a fetch within half a second, whether there are messages or not.
const LATE_AFTER: Duration = Duration::from_secs(10);

/// The owned partitions that are not served at present, and since when.
#[derive(Debug, Default)]
pub(crate) struct FetchHealth {
    unserved: BTreeMap<i32, Instant>,
    complaint: Complaint,
    late_since: Option<Instant>,
}

impl FetchHealth {
    /// Takes over what the statistics say about the `owned` partitions of `topic`. A broker that `is_throttled` lets this client wait because
    /// of a quota.
    pub(crate) fn update(
        &mut self,
        topic: &str,
        owned: &[i32],
        statistics: &Statistics,
        is_throttled: impl Fn(i32) -> bool,
        now: Instant,
    ) {
        self.unserved.retain(|partition, _| owned.binary_search(partition).is_ok());
        let Some(topic) = statistics.topics.get(topic) else { return };
        for partition in owned {
            // A partition that was assigned a moment ago may be missing.
            let Some(state) = topic.partitions.get(partition) else { continue };
            match unserved_for(state, statistics, &is_throttled) {
                Some(duration) => {
                    self.unserved.entry(*partition).or_insert_with(|| now.checked_sub(duration).unwrap_or(now));
                }
                None => {
                    self.unserved.remove(partition);
                }
            }
        }
    }

    /// The partitions that are late.
    pub(crate) fn late(&self, now: Instant) -> Vec<i32> {
        let is_late = |since: &Instant| now.saturating_duration_since(*since) > LATE_AFTER;
        self.unserved.iter().filter(|(_, since)| is_late(since)).map(|(partition, _)| *partition).collect()
    }

    /// Logs the `late` partitions when it is time. Returns the reason why the replica is not ready, if there are any.
    ///
    /// `is_explained` says that the log explains already why no broker is reached.
    pub(crate) fn report(
        &mut self,
        late: &[i32],
        cluster: &Cluster,
        is_explained: bool,
        now: Instant,
    ) -> Option<String> {
        if late.is_empty() {
            let lasted_s = self.late_since.take().map_or(0, |since| now.saturating_duration_since(since).as_secs());
            if self.complaint.is_over() {
                info!(lasted_s, "partitions are received again");
            }
            return None;
        }
        self.late_since.get_or_insert(now);
        let partitions = cluster.describe(late);
        if !is_explained && self.complaint.is_due(now) {
            let first = late.iter().filter_map(|partition| self.unserved.get(partition)).min();
            let waited_s = first.map_or(0, |since| now.saturating_duration_since(*since).as_secs());
            let next_step = "check whether the brokers named are frozen or down; if a partition has no leader, start the brokers that have its copies";
            warn!(late = late.len(), partitions, waited_s, next_step, "partitions are not received");
        }
        Some(format!("partitions are not received: {partitions}"))
    }
}

/// For how long the partition has not been served, or `None` if it is served.
fn unserved_for(
    partition: &Partition,
    statistics: &Statistics,
    is_throttled: impl Fn(i32) -> bool,
) -> Option<Duration> {
    if partition.leader < 0 {
        return Some(Duration::ZERO);
    }
    // With `client.rack` a replica may fetch from a follower.
    let fetches_from = if partition.broker >= 0 { partition.broker } else { partition.leader };
    let broker = statistics.brokers.values().find(|broker| broker.nodeid == fetches_from && broker.source != "logical");
    match broker {
        Some(broker) if is_throttled(broker.nodeid) => None,
        Some(broker) if broker.state == "UP" || broker.state == "REAUTH" => unanswered_for(broker),
        _ => Some(Duration::ZERO),
    }
}

/// For how long the broker has owed an answer, if that is longer than a fetch may take.
fn unanswered_for(broker: &Broker) -> Option<Duration> {
    let idle = Duration::from_micros(u64::try_from(broker.rxidle).unwrap_or(0));
    (broker.waitresp_cnt > 0 && idle > LATE_AFTER).then_some(idle)
}

#[cfg(test)]
mod tests {
    use rdkafka::statistics::Topic;

    use super::*;

    const UNTHROTTLED: fn(i32) -> bool = |_| false;

    /// Statistics of a topic whose partition 0 has the leader 1, and partition 1 the leader 2, which is in `state` and was last heard of
    /// `rxidle` ago.
    fn statistics(leader: i32, state: &str, rxidle: Duration, waitresp_cnt: i64) -> Statistics {
        let broker = |nodeid, state: &str, rxidle: Duration, waitresp_cnt| Broker {
            nodeid,
            state: state.to_owned(),
            rxidle: rxidle.as_micros() as i64,
            waitresp_cnt,
            ..Broker::default()
        };
        let partition =
            |partition, leader| (partition, Partition { partition, leader, broker: leader, ..Partition::default() });
        let topic = Topic { partitions: [partition(0, 1), partition(1, leader)].into(), ..Topic::default() };
        Statistics {
            brokers: [
                ("b:1/1".to_owned(), broker(1, "UP", Duration::from_millis(300), 1)),
                ("b:2/2".to_owned(), broker(2, state, rxidle, waitresp_cnt)),
            ]
            .into(),
            topics: [("t".to_owned(), topic)].into(),
            ..Statistics::default()
        }
    }

    fn late(health: &FetchHealth, now: Instant) -> Vec<i32> {
        health.late(now)
    }

    const NO_TIME: Duration = Duration::ZERO;

    #[test]
    fn a_partition_whose_leader_owes_an_answer_for_ten_seconds_is_late() {
        let now = Instant::now() + Duration::from_secs(60);
        let mut health = FetchHealth::default();
        health.update("t", &[0, 1], &statistics(2, "UP", Duration::from_secs(9), 1), UNTHROTTLED, now);
        assert!(late(&health, now).is_empty());
        health.update("t", &[0, 1], &statistics(2, "UP", Duration::from_secs(12), 1), UNTHROTTLED, now);
        assert_eq!(late(&health, now), [1]);
        health.update("t", &[0, 1], &statistics(-1, "UP", Duration::from_secs(12), 0), UNTHROTTLED, now);
        assert_eq!(late(&health, now), [1], "the broker has left the metadata");
        health.update("t", &[0, 1], &statistics(2, "UP", Duration::from_secs(1), 1), UNTHROTTLED, now);
        assert!(late(&health, now).is_empty());
        health.update("t", &[0], &statistics(-1, "UP", NO_TIME, 0), UNTHROTTLED, now);
        assert!(late(&health, now + Duration::from_secs(60)).is_empty(), "the partition is not owned");
    }

    #[test]
    fn a_partition_without_a_leader_that_can_be_reached_is_late_after_ten_seconds() {
        let start = Instant::now();
        for gone in [
            statistics(-1, "UP", NO_TIME, 0),
            statistics(2, "TRY_CONNECT", NO_TIME, 0),
            statistics(3, "UP", NO_TIME, 0),
        ] {
            let mut health = FetchHealth::default();
            health.update("t", &[0, 1], &gone, UNTHROTTLED, start);
            health.update("t", &[0, 1], &gone, UNTHROTTLED, start + Duration::from_secs(5));
            assert!(late(&health, start + Duration::from_secs(9)).is_empty(), "a leader that moves is no complaint");
            assert_eq!(late(&health, start + Duration::from_secs(11)), [1]);
        }
    }

    #[test]
    fn a_leader_that_is_asked_for_nothing_owes_no_answer() {
        let now = Instant::now() + Duration::from_secs(60);
        let mut health = FetchHealth::default();
        health.update("t", &[0, 1], &statistics(2, "UP", Duration::from_secs(50), 0), UNTHROTTLED, now);
        assert!(late(&health, now).is_empty());
    }
}
