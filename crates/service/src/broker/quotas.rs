//! Brokers that throttle this client because of a quota: they answer later on purpose, which is no outage.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::Statistics;
use tracing::{info, warn};

use super::statistics::brokers;
use crate::observability::complaint::Complaint;

/// For how long each broker throttles this client.
///
/// A response says for how long the broker will not answer the next request of the client (KIP-219). librdkafka reports the longest such time
/// of each interval of its statistics. A broker that throttles for longer than an interval answers nothing in the next one, so the end is
/// kept.
#[derive(Debug, Default)]
pub(super) struct Quotas {
    until: BTreeMap<i32, Instant>,
    complaint: Complaint,
}

impl Quotas {
    /// Takes over what the statistics say, and logs it.
    pub(super) fn update(&mut self, statistics: &Statistics, now: Instant) {
        let mut longest = None;
        for broker in brokers(statistics) {
            let millis = broker.throttle.as_ref().map_or(0, |window| window.max);
            if let Some(millis) = u64::try_from(millis).ok().filter(|millis| *millis > 0) {
                // The response may be as old as the interval, so this is the latest possible end.
                let end = now + Duration::from_millis(millis);
                let until = self.until.entry(broker.nodeid).or_insert(end);
                *until = end.max(*until);
                longest = longest.max(Some((millis, broker.nodeid, &broker.nodename)));
            }
        }
        self.until.retain(|_, until| now < *until);
        if let Some((throttle_ms, broker, address)) = longest
            && self.complaint.note(now, true)
        {
            let next_step = "raise the quota of this client, or send and read less";
            warn!(broker, address, throttle_ms, next_step, "broker throttles this client");
        }
        if self.until.is_empty() && self.complaint.end(now).is_some() {
            info!("brokers no longer throttle this client");
        }
    }

    /// Until when the broker may let this client wait.
    pub(super) fn throttled_until(&self, broker: i32) -> Option<Instant> {
        self.until.get(&broker).copied()
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::statistics::{Broker, Window};

    use super::*;

    fn statistics(throttle: &[(i32, i64)]) -> Statistics {
        let broker = |&(nodeid, max): &(i32, i64)| {
            let throttle = Some(Window { max, ..Window::default() });
            (nodeid.to_string(), Broker { nodeid, throttle, ..Broker::default() })
        };
        Statistics { brokers: throttle.iter().map(broker).collect(), ..Statistics::default() }
    }

    #[test]
    fn a_broker_throttles_until_the_time_is_over_that_it_stated_whatever_later_intervals_say() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut quotas = Quotas::default();
        quotas.update(&statistics(&[(1, 12_000), (2, 0), (-1, 12_000)]), start);
        quotas.update(&statistics(&[(1, 0), (2, 100)]), at(5));
        assert_eq!(quotas.throttled_until(1), Some(at(12)));
        assert_eq!(quotas.throttled_until(2), Some(at(5) + Duration::from_millis(100)));
        assert_eq!(quotas.throttled_until(-1), None, "not a broker of the cluster");
        quotas.update(&statistics(&[(1, 0)]), at(12));
        assert_eq!(quotas.throttled_until(1), None);
    }
}
