//! What both services show at `/metrics`, and how their own metrics are made.

use std::collections::HashMap;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::core::Collector;
use prometheus::{
    Gauge, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

use crate::start::Identity;

/// From a broker on the same machine to a minute.
const LATENCY_BUCKETS_SECONDS: [f64; 15] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// The metrics of one service. `docs/metrics.md` lists them, and a test compares it with a scrape.
///
/// Each function makes one, shows it from then on with 0, and panics where its name is taken or is none: names are
/// constants of the program, so that happens in the first test that starts it.
pub struct Metrics {
    registry: Registry,
    ready: Option<IntGauge>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

const CONSTANT: &str = "names and labels of metrics are valid constants";

fn owned(labels: &[(&str, impl AsRef<str>)]) -> HashMap<String, String> {
    labels.iter().map(|(name, value)| ((*name).to_owned(), value.as_ref().to_owned())).collect()
}

impl Metrics {
    /// Those of every service. The labels in `common` are on every series, those that say who it is only on one.
    #[must_use]
    pub fn new(common: &[(&str, &str)], identity: &Identity) -> Self {
        let Identity { service, version, instance, client_id } = identity;
        let about =
            [("service", service), ("version", version), ("client_id", client_id), ("service_instance_id", instance)];
        let registry = Registry::new_custom(None, Some(owned(common))).expect(CONSTANT);
        #[cfg(target_os = "linux")]
        registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self())).expect(CONSTANT);
        let mut metrics = Self { registry, ready: None };
        let info = Opts::new("kafka_client_info", "Which service this is; always 1.").const_labels(owned(&about));
        metrics.add(IntGauge::with_opts(info)).set(1);
        metrics.ready = Some(metrics.gauge("kafka_client_ready", "1 if /readyz says yes, 0 if not."));
        metrics
    }

    fn add<M: Collector + Clone + 'static>(&self, metric: prometheus::Result<M>) -> M {
        let metric = metric.expect(CONSTANT);
        self.registry.register(Box::new(metric.clone())).expect(CONSTANT);
        metric
    }

    /// A counter; `name` ends in `_total`.
    pub fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.add(IntCounter::new(name, help))
    }

    /// Counters that differ in labels. Who makes them names the label values that are there from the start.
    pub fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.add(IntCounterVec::new(Opts::new(name, help), labels))
    }

    /// A number that goes up and down.
    pub fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.add(IntGauge::new(name, help))
    }

    /// Numbers that go up and down, and differ in labels.
    pub fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.add(IntGaugeVec::new(Opts::new(name, help), labels))
    }

    /// When something last happened, in seconds since 1970; now, as long as it has not. `name` ends in
    /// `_timestamp_seconds`.
    pub fn last_time(&self, name: &str, help: &str) -> LastTime {
        let last = LastTime(self.add(Gauge::new(name, help)));
        last.is_now();
        last
    }

    /// A distribution of latencies; `name` ends in `_seconds`.
    pub fn latency(&self, name: &str, help: &str) -> Histogram {
        self.add(Histogram::with_opts(HistogramOpts::new(name, help).buckets(LATENCY_BUCKETS_SECONDS.to_vec())))
    }

    /// Everything in Prometheus' text format.
    pub(crate) fn text(&self, is_ready: bool) -> Result<String, prometheus::Error> {
        if let Some(ready) = &self.ready {
            ready.set(is_ready.into());
        }
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

/// When something last happened.
#[derive(Debug, Clone)]
pub struct LastTime(Gauge);

impl LastTime {
    /// It has just happened.
    pub fn is_now(&self) {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.0.set(since_1970.as_secs_f64());
    }
}
