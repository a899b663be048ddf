//! The metrics of every service, and constructors for those of one service.

use std::collections::HashMap;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::core::Collector;
use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

use crate::process::identity::Identity;

/// From the latency of a broker on the same machine up to a minute.
const LATENCY_BUCKETS_SECONDS: [f64; 15] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// The metrics of one service. They are listed in `docs/metrics.md`, which a test compares with a scrape.
///
/// Each constructor registers a metric, which is exported from then on, starting at 0.
///
/// # Panics
/// Each constructor panics if the name is invalid or taken. Names are constants, so the first test that starts the service shows it.
pub struct Metrics {
    registry: Registry,
    ready: Option<IntGauge>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

const VALID: &str = "metric names and labels are valid constants";

fn label_map(labels: &[(&str, impl AsRef<str>)]) -> HashMap<String, String> {
    labels.iter().map(|(name, value)| ((*name).to_owned(), value.as_ref().to_owned())).collect()
}

impl Metrics {
    /// The metrics that every service has. The labels in `common` are added to every series; the labels that identify the process
    /// are on `kafka_client_info` only.
    #[must_use]
    pub fn new(common: &[(&str, &str)], identity: &Identity) -> Self {
        let Identity { service, version, instance, client_id } = identity;
        let identity_labels =
            [("service", service), ("version", version), ("client_id", client_id), ("service_instance_id", instance)];
        let registry = Registry::new_custom(None, Some(label_map(common))).expect(VALID);
        #[cfg(target_os = "linux")]
        registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self())).expect(VALID);
        let mut metrics = Self { registry, ready: None };
        let info = Opts::new("kafka_client_info", "Which service this is; always 1.")
            .const_labels(label_map(&identity_labels));
        metrics.register(IntGauge::with_opts(info)).set(1);
        metrics.ready = Some(metrics.gauge("kafka_client_ready", "1 if /readyz reports ready, 0 if not."));
        metrics
    }

    fn register<M: Collector + Clone + 'static>(&self, metric: prometheus::Result<M>) -> M {
        let metric = metric.expect(VALID);
        self.registry.register(Box::new(metric.clone())).expect(VALID);
        metric
    }

    /// A counter. `name` must end in `_total`.
    pub fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.register(IntCounter::new(name, help))
    }

    /// A counter with labels. The caller creates the label values that are to be exported from the start.
    pub fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.register(IntCounterVec::new(Opts::new(name, help), labels))
    }

    /// A gauge.
    pub fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.register(IntGauge::new(name, help))
    }

    /// A gauge with labels.
    pub fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.register(IntGaugeVec::new(Opts::new(name, help), labels))
    }

    /// The time at which something last happened, in seconds since 1970. Starts with the current time. `name` must end in
    /// `_timestamp_seconds`.
    pub fn last_time(&self, name: &str, help: &str) -> LastTime {
        let last = LastTime(self.register(Gauge::new(name, help)));
        last.set_to_now();
        last
    }

    /// Times at which something last happened, with labels. `name` must end in `_timestamp_seconds`.
    pub fn last_times(&self, name: &str, help: &str, labels: &[&str]) -> LastTimes {
        LastTimes(self.register(GaugeVec::new(Opts::new(name, help), labels)))
    }

    /// A duration in seconds that rises and falls, with labels. `name` must end in `_seconds`.
    pub fn durations(&self, name: &str, help: &str, labels: &[&str]) -> GaugeVec {
        self.register(GaugeVec::new(Opts::new(name, help), labels))
    }

    /// A histogram of latencies. `name` must end in `_seconds`.
    pub fn latency(&self, name: &str, help: &str) -> Histogram {
        self.register(Histogram::with_opts(HistogramOpts::new(name, help).buckets(LATENCY_BUCKETS_SECONDS.to_vec())))
    }

    /// All metrics in the Prometheus text format.
    pub(crate) fn text(&self, is_ready: bool) -> Result<String, prometheus::Error> {
        if let Some(ready) = &self.ready {
            ready.set(is_ready.into());
        }
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

/// The time at which something last happened.
#[derive(Debug, Clone)]
pub struct LastTime(Gauge);

impl LastTime {
    /// Records that it happened now.
    pub fn set_to_now(&self) {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.0.set(since_1970.as_secs_f64());
    }
}

/// The times at which something last happened, by label.
#[derive(Debug, Clone)]
pub struct LastTimes(GaugeVec);

impl LastTimes {
    /// The time with these label values. It starts with the current time.
    #[must_use]
    pub fn with(&self, values: &[&str]) -> LastTime {
        let last = LastTime(self.0.with_label_values(values));
        last.set_to_now();
        last
    }
}
