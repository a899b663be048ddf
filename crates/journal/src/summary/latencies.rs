//! The latencies of one summary.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::entry::LatencyMillis;

/// One day. Longer latencies are counted as one day.
const MAX_MICROS: u64 = 24 * 3600 * 1_000_000;

/// Collects latencies and reports median, 99th percentile and maximum, each to three significant digits.
#[derive(Debug)]
pub(crate) struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        Self(Histogram::new_with_bounds(1, MAX_MICROS, 3).unwrap_or_else(|_| unreachable!("the bounds are constant")))
    }
}

impl Latencies {
    /// Adds a latency.
    pub(crate) fn push(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.0.saturating_record(micros.min(MAX_MICROS));
    }

    /// Returns the statistics of the collected latencies and starts over.
    pub(crate) fn take(&mut self) -> LatencyMillis {
        let millis = |micros: u64| micros as f64 / 1000.0;
        let statistics = LatencyMillis {
            p50: millis(self.0.value_at_quantile(0.5)),
            p99: millis(self.0.value_at_quantile(0.99)),
            max: millis(self.0.max()),
        };
        self.0.reset();
        statistics
    }
}
