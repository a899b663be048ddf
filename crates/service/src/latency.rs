//! Latencies of one summary.

use std::time::Duration;

use hdrhistogram::Histogram;
use journal::Millis;

/// What a day is in microseconds: longer latencies are counted as that.
const HIGHEST_MICROS: u64 = 24 * 3600 * 1_000_000;

/// Collects latencies and tells median, 99th percentile and maximum, to three digits.
#[derive(Debug)]
pub struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        // Three digits from 1 µs to a day: bounds that the constructor takes.
        Self(
            Histogram::new_with_bounds(1, HIGHEST_MICROS, 3)
                .unwrap_or_else(|_| unreachable!("the bounds are constant")),
        )
    }
}

impl Latencies {
    /// Adds one.
    pub fn push(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.0.saturating_record(micros.min(HIGHEST_MICROS));
    }

    /// What was collected; nothing is left.
    pub fn take(&mut self) -> Millis {
        let millis = |micros: u64| micros as f64 / 1000.0;
        let taken = Millis {
            p50: millis(self.0.value_at_quantile(0.5)),
            p99: millis(self.0.value_at_quantile(0.99)),
            max: millis(self.0.max()),
        };
        self.0.reset();
        taken
    }
}
