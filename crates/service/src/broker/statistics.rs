//! Brokers in librdkafka's statistics.

use rdkafka::Statistics;
use rdkafka::statistics::Broker;

/// The brokers of the cluster.
///
/// The statistics list connections. Those to bootstrap servers, and the additional one to the coordinator of a group, have the id -1.
pub fn brokers(statistics: &Statistics) -> impl Iterator<Item = &Broker> {
    statistics.brokers.values().filter(|broker| broker.nodeid >= 0)
}

/// The broker with this id, if the client knows it. A leader that is missing has the id -1, which no broker has.
#[must_use]
pub fn broker(statistics: &Statistics, id: i32) -> Option<&Broker> {
    brokers(statistics).find(|broker| broker.nodeid == id)
}

/// Whether the connection to the broker is open and its login accepted. A client that renews its login (KIP-368) is still connected.
#[must_use]
pub fn is_connected(broker: &Broker) -> bool {
    matches!(broker.state.as_str(), "UP" | "REAUTH")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn statistics(brokers: &[(i32, &str)]) -> Statistics {
        let broker = |&(nodeid, state): &(i32, &str)| {
            (format!("{nodeid} {state}"), Broker { nodeid, state: state.to_owned(), ..Broker::default() })
        };
        Statistics { brokers: brokers.iter().map(broker).collect(), ..Statistics::default() }
    }

    #[test]
    fn connections_without_a_broker_id_are_no_brokers() {
        let statistics = statistics(&[(-1, "UP"), (0, "DOWN"), (2, "REAUTH")]);
        let ids: BTreeSet<i32> = brokers(&statistics).map(|broker| broker.nodeid).collect();
        assert_eq!(ids, BTreeSet::from([0, 2]));
        assert!(broker(&statistics, -1).is_none() && broker(&statistics, 1).is_none());
    }

    #[test]
    fn a_client_is_connected_also_while_it_renews_its_login() {
        for (state, expected) in [("UP", true), ("REAUTH", true), ("AUTH_REQ", false), ("INIT", false), ("DOWN", false)]
        {
            let statistics = statistics(&[(1, state)]);
            assert_eq!(broker(&statistics, 1).is_some_and(is_connected), expected, "{state}");
        }
    }
}
