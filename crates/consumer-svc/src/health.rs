//! Whether the owned partitions are received from their leaders: the reason for `/readyz`, and what the log says about it.
//!
//! The lag does not tell: it is the distance to the end of the partition as last reported by the leader, so it does not rise while the
//! leader does not answer.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::Statistics;
use rdkafka::statistics::{Broker, Partition};
use service::statistics::{broker, is_connected};
use service::{Cluster, Complaint};
use tracing::{info, warn};

/// A partition is late if for this long its leader has not answered a fetch or has refused it, there was no leader, or nothing was fetched.
/// librdkafka asks the broker to answer a fetch within half a second, whether there are messages or not.
const LATE_AFTER: Duration = Duration::from_secs(10);

/// The end of a partition in the statistics after a fetch that was answered with an error. Before the first answer it is lower.
const END_AFTER_ERROR: i64 = -1;

/// Whether the last fetch of each of the `owned` partitions was permitted; `false` if there are none.
pub(crate) fn can_read_all(topic: &str, owned: &[i32], statistics: &Statistics) -> bool {
    let partitions = statistics.topics.get(topic).map(|topic| &topic.partitions);
    let can_read = |owned: &i32| {
        partitions.and_then(|partitions| partitions.get(owned)).is_some_and(|partition| partition.hi_offset >= 0)
    };
    !owned.is_empty() && owned.iter().all(can_read)
}

/// The owned partitions that are not served at present, and since when.
#[derive(Debug, Default)]
pub(crate) struct FetchHealth {
    unserved: BTreeMap<i32, Instant>,
    complaint: Complaint,
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
            if let Some(lasted) = self.complaint.end(now) {
                info!(lasted_s = lasted.as_secs(), "partitions are received again");
            }
            return None;
        }
        let partitions = cluster.describe(late);
        if self.complaint.note(now, !is_explained) {
            let first = late.iter().filter_map(|partition| self.unserved.get(partition)).min();
            let waited_s = first.map_or(0, |since| now.saturating_duration_since(*since).as_secs());
            let next_step = "check whether the brokers named are frozen or down; if a partition has no leader, start the brokers that have its copies; if neither is the case, restart this replica";
            warn!(late = late.len(), partitions, waited_s, next_step, "partitions are not received");
        }
        Some(format!("partitions are not received: {partitions}"))
    }
}

/// For how long the partition has not been served; zero if that is not known, but is so now. `None` if it is served, or its broker throttles
/// this client.
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
    match broker(statistics, fetches_from) {
        Some(broker) if is_throttled(broker.nodeid) => None,
        // Without a position, librdkafka asks for no message. It asks for the committed offset once only, so that after a refusal this
        // state lasts (librdkafka#5586).
        _ if partition.fetch_state != "active" || partition.hi_offset == END_AFTER_ERROR => Some(Duration::ZERO),
        Some(broker) if is_connected(broker) => unanswered_for(broker),
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
        let partition = |partition, leader| {
            let fetch_state = "active".to_owned();
            (partition, Partition { partition, leader, broker: leader, fetch_state, ..Partition::default() })
        };
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

    /// librdkafka asks for the committed offset once; after a refusal it fetches nothing, for as long as the partition is assigned.
    #[test]
    fn a_partition_that_is_not_fetched_or_whose_fetches_are_refused_is_late_although_its_leader_answers() {
        let start = Instant::now();
        let changed = |change: fn(&mut Partition)| {
            let mut statistics = statistics(2, "UP", NO_TIME, 1);
            change(statistics.topics.get_mut("t").unwrap().partitions.get_mut(&1).unwrap());
            statistics
        };
        for unread in [
            changed(|partition| partition.fetch_state = "none".to_owned()),
            changed(|partition| partition.fetch_state = "offset-wait".to_owned()),
            changed(|partition| partition.hi_offset = END_AFTER_ERROR),
        ] {
            let mut health = FetchHealth::default();
            health.update("t", &[0, 1], &unread, UNTHROTTLED, start);
            assert!(late(&health, start + Duration::from_secs(9)).is_empty());
            assert_eq!(late(&health, start + Duration::from_secs(11)), [1]);
            health.update("t", &[0, 1], &unread, |broker| broker == 2, start + Duration::from_secs(12));
            assert!(late(&health, start + Duration::from_secs(12)).is_empty(), "the broker throttles");
        }
    }

    #[test]
    fn all_can_be_read_if_the_last_fetch_of_each_owned_partition_was_permitted() {
        let ends = |ends: [i64; 2]| {
            let mut statistics = statistics(2, "UP", NO_TIME, 1);
            let partitions = &mut statistics.topics.get_mut("t").unwrap().partitions;
            for (partition, end) in (0..).zip(ends) {
                partitions.get_mut(&partition).unwrap().hi_offset = end;
            }
            statistics
        };
        assert!(can_read_all("t", &[0, 1], &ends([0, 7])));
        assert!(can_read_all("t", &[1], &ends([END_AFTER_ERROR, 7])));
        assert!(!can_read_all("t", &[0, 1], &ends([END_AFTER_ERROR, 7])));
        assert!(!can_read_all("t", &[0, 2], &ends([0, 7])) && !can_read_all("t", &[], &ends([0, 7])));
    }

    #[test]
    fn a_leader_that_is_asked_for_nothing_owes_no_answer() {
        let now = Instant::now() + Duration::from_secs(60);
        let mut health = FetchHealth::default();
        health.update("t", &[0, 1], &statistics(2, "UP", Duration::from_secs(50), 0), UNTHROTTLED, now);
        assert!(late(&health, now).is_empty());
    }
}
