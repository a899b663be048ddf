//! Metrics of the connections to the brokers, from librdkafka's statistics.

use std::collections::BTreeMap;

use prometheus::{GaugeVec, IntCounterVec, IntGaugeVec};
use rdkafka::Statistics;
use rdkafka::statistics::Broker;

use super::statistics::{brokers, is_connected};
use crate::observability::metrics::Metrics;

const LABELS: [&str; 2] = ["broker", "address"];
const NOT_NEEDED_AFTER_MICROS: i64 = 5_000_000;
const MICROS_PER_SECOND: f64 = 1e6;
const MILLIS_PER_SECOND: f64 = 1e3;

/// The metrics of the connections to the brokers, by broker id and address.
///
/// A client connects only to the brokers that it needs. A broker has series from its first connection on, and they stay when it leaves
/// the metadata, which a failed broker does.
#[derive(Debug)]
pub(crate) struct Connections {
    connected: IntGaugeVec,
    disconnects: IntCounterVec,
    latency: GaugeVec,
    throttled: GaugeVec,
    known: BTreeMap<i32, BrokerSeries>,
}

#[derive(Debug, Default)]
struct BrokerSeries {
    address: String,
    /// librdkafka's count, which starts at 0 again when the broker comes back to the metadata.
    disconnects: i64,
    is_connected: bool,
}

impl Connections {
    /// Registers the metrics.
    pub(crate) fn new(metrics: &Metrics) -> Self {
        Self {
            connected: metrics.gauges(
                "kafka_client_broker_connected",
                "1 if the client is connected to the broker or does not need a connection, 0 if it has none that it needs.",
                &LABELS,
            ),
            disconnects: metrics.counters(
                "kafka_client_broker_disconnects_total",
                "Connections to the broker that ended, for whatever reason.",
                &LABELS,
            ),
            latency: metrics.durations(
                "kafka_client_broker_request_latency_p99_seconds",
                "99th percentile of the time from a request to its response, in the last interval of librdkafka's statistics.",
                &LABELS,
            ),
            throttled: metrics.durations(
                "kafka_client_broker_throttle_time_max_seconds",
                "Longest time for which the broker let the client wait because of a quota, in the last interval of librdkafka's statistics.",
                &LABELS,
            ),
            known: BTreeMap::new(),
        }
    }

    /// Takes over what the statistics say.
    pub(crate) fn update(&mut self, statistics: &Statistics) {
        let listed: BTreeMap<i32, &Broker> = brokers(statistics).map(|broker| (broker.nodeid, broker)).collect();
        for (id, known) in &mut self.known {
            if !listed.contains_key(id) {
                known.is_connected = false;
                let id = id.to_string();
                self.connected.with_label_values(&[id.as_str(), &known.address]).set(0);
                self.latency.with_label_values(&[id.as_str(), &known.address]).set(0.0);
                self.throttled.with_label_values(&[id.as_str(), &known.address]).set(0.0);
            }
        }
        for (id, broker) in listed {
            let was_connected = broker.connects.is_some_and(|connects| connects > 0);
            if was_connected || self.known.contains_key(&id) {
                self.update_broker(id, broker);
            }
        }
    }

    fn update_broker(&mut self, id: i32, broker: &Broker) {
        let name = id.to_string();
        let known = self.known.entry(id).or_default();
        if known.address != broker.nodename {
            // The broker has moved. What was at the old address would otherwise look like a failed broker for ever.
            let old = [name.as_str(), known.address.as_str()];
            // They fail if there was no old address.
            self.connected.remove_label_values(&old).ok();
            self.disconnects.remove_label_values(&old).ok();
            self.latency.remove_label_values(&old).ok();
            self.throttled.remove_label_values(&old).ok();
            *known = BrokerSeries { address: broker.nodename.clone(), ..BrokerSeries::default() };
        }
        let labels = [name.as_str(), known.address.as_str()];
        match broker.state.as_str() {
            _ if is_connected(broker) => known.is_connected = true,
            // A connection that is not needed stays in this state: librdkafka closes it when it has been idle for long.
            "INIT" if broker.stateage >= NOT_NEEDED_AFTER_MICROS => known.is_connected = true,
            // The same states come for a moment between two attempts to connect.
            "INIT" | "DOWN" => {}
            _ => known.is_connected = false,
        }
        self.connected.with_label_values(&labels).set(known.is_connected.into());
        let disconnects = broker.disconnects.unwrap_or(0);
        let new = if disconnects < known.disconnects { disconnects } else { disconnects - known.disconnects };
        known.disconnects = disconnects;
        self.disconnects.with_label_values(&labels).inc_by(u64::try_from(new).unwrap_or(0));
        let latency = broker.rtt.as_ref().map_or(0, |window| window.p99);
        self.latency.with_label_values(&labels).set(latency as f64 / MICROS_PER_SECOND);
        let throttled = broker.throttle.as_ref().map_or(0, |window| window.max);
        self.throttled.with_label_values(&labels).set(throttled as f64 / MILLIS_PER_SECOND);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::identity::Identity;

    fn statistics(brokers: &[(i32, &str, &str, i64)]) -> Statistics {
        let broker = |&(nodeid, address, state, disconnects): &(i32, &str, &str, i64)| {
            let broker = Broker {
                nodeid,
                nodename: address.to_owned(),
                state: state.to_owned(),
                source: if nodeid < 0 { "configured" } else { "learned" }.to_owned(),
                connects: Some(1),
                disconnects: Some(disconnects),
                ..Broker::default()
            };
            (format!("{address}/{nodeid}"), broker)
        };
        Statistics { brokers: brokers.iter().map(broker).collect(), ..Statistics::default() }
    }

    #[test]
    fn the_series_of_a_broker_stay_at_0_when_it_leaves_the_metadata() {
        let metrics = Metrics::new(&[], &Identity::default());
        let mut brokers = Connections::new(&metrics);
        let value = |name: &str, labels: &str| {
            let text = metrics.text(true).unwrap();
            let line =
                text.lines().find_map(|line| line.strip_prefix(&format!("{name}{{{labels}}} ")).map(str::to_owned));
            line.map(|value| value.parse::<f64>().unwrap())
        };
        let (connected, disconnects) = ("kafka_client_broker_connected", "kafka_client_broker_disconnects_total");
        let first = r#"address="a:1",broker="1""#;
        brokers.update(&statistics(&[(-1, "a:1", "UP", 0), (1, "a:1", "UP", 2)]));
        assert_eq!((value(connected, first), value(disconnects, first)), (Some(1.0), Some(2.0)));
        brokers.update(&statistics(&[]));
        assert_eq!((value(connected, first), value(disconnects, first)), (Some(0.0), Some(2.0)));
        brokers.update(&statistics(&[(1, "a:1", "UP", 1)]));
        assert_eq!(
            (value(connected, first), value(disconnects, first)),
            (Some(1.0), Some(3.0)),
            "librdkafka counts from 0 again"
        );
        brokers.update(&statistics(&[(1, "b:1", "CONNECT", 0)]));
        assert_eq!(value(connected, first), None, "the broker has another address");
        assert_eq!(value(connected, r#"address="b:1",broker="1""#), Some(0.0));
        for (state, stateage, expected) in [
            ("INIT", 1_000, 0.0),
            ("UP", 9_000_000, 1.0),
            ("DOWN", 1_000, 1.0),
            ("INIT", 1_000, 1.0),
            ("TRY_CONNECT", 1_000, 0.0),
            ("DOWN", 1_000, 0.0),
            ("INIT", 1_000, 0.0),
            ("INIT", 6_000_000, 1.0),
        ] {
            let mut statistics = statistics(&[(1, "b:1", state, 0)]);
            statistics.brokers.values_mut().for_each(|broker| broker.stateage = stateage);
            brokers.update(&statistics);
            assert_eq!(value(connected, r#"address="b:1",broker="1""#), Some(expected), "{state} for {stateage} µs");
        }
    }
}
