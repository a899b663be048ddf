//! Latencies of one kind: of acknowledgements, or of what one group received.

use hdrhistogram::Histogram;
use journal::LatencyMillis;
use serde::Serialize;

/// One day. Longer latencies are counted as one day.
const MAX_MICROS: u64 = 24 * 3600 * 1_000_000;

/// Latencies, in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LatencyReport {
    /// `acknowledged`: from handing a message to librdkafka to its delivery report. `received`: from the creation of a record to its
    /// processing.
    pub of: &'static str,
    /// The group that received the messages.
    pub group_id: Option<String>,
    /// Statistics of the messages with a line of their own, to three significant digits.
    pub single: Option<SingleLatencies>,
    /// The highest values that summaries of many messages state. Percentiles of several summaries can't be combined.
    pub summaries: Option<SummaryLatencies>,
}

/// Statistics of messages with a line of their own.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SingleLatencies {
    /// How many messages.
    pub messages: u64,
    /// Median.
    pub p50: f64,
    /// 90th percentile.
    pub p90: f64,
    /// 99th percentile.
    pub p99: f64,
    /// 99.9th percentile.
    pub p999: f64,
    /// Maximum.
    pub max: f64,
}

/// The highest values of all summaries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct SummaryLatencies {
    /// How many summaries.
    pub lines: u64,
    /// How many messages they account for.
    pub messages: u64,
    /// The highest median.
    pub highest_p50: f64,
    /// The highest 99th percentile.
    pub highest_p99: f64,
    /// The highest maximum.
    pub highest_max: f64,
}

/// Collects latencies.
#[derive(Debug)]
pub(super) struct Latencies {
    single: Histogram<u64>,
    summaries: SummaryLatencies,
}

impl Default for Latencies {
    fn default() -> Self {
        let single =
            Histogram::new_with_bounds(1, MAX_MICROS, 3).unwrap_or_else(|_| unreachable!("the bounds are constant"));
        Self { single, summaries: SummaryLatencies::default() }
    }
}

impl Latencies {
    pub(super) fn push(&mut self, millis: f64) {
        // The cast saturates, so that neither a negative latency (two clocks) nor a huge one does harm.
        self.single.saturating_record(((millis * 1000.0).round() as u64).min(MAX_MICROS));
    }

    pub(super) fn push_summary(&mut self, messages: u64, millis: &LatencyMillis) {
        let highest = &mut self.summaries;
        highest.lines += 1;
        highest.messages = highest.messages.saturating_add(messages);
        highest.highest_p50 = highest.highest_p50.max(millis.p50);
        highest.highest_p99 = highest.highest_p99.max(millis.p99);
        highest.highest_max = highest.highest_max.max(millis.max);
    }

    pub(super) fn report(&self, of: &'static str, group_id: Option<String>) -> LatencyReport {
        let millis = |micros: u64| micros as f64 / 1000.0;
        let quantile = |quantile| millis(self.single.value_at_quantile(quantile));
        let single = (!self.single.is_empty()).then(|| SingleLatencies {
            messages: self.single.len(),
            p50: quantile(0.5),
            p90: quantile(0.9),
            p99: quantile(0.99),
            p999: quantile(0.999),
            max: millis(self.single.max()),
        });
        LatencyReport { of, group_id, single, summaries: (self.summaries.lines > 0).then_some(self.summaries) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_single_lines_are_exact_and_impossible_latencies_do_no_harm() {
        let mut latencies = Latencies::default();
        (1..=1000).for_each(|millis| latencies.push(f64::from(millis)));
        let report = latencies.report("acknowledged", None).single.unwrap();
        let near = |value: f64, expected: f64| (value - expected).abs() <= expected / 1000.0;
        assert!(near(report.p50, 500.0) && near(report.p90, 900.0) && near(report.p99, 990.0), "{report:?}");
        [-5.0, f64::MAX, f64::MIN].into_iter().for_each(|millis| latencies.push(millis));
        assert_eq!(latencies.report("acknowledged", None).single.unwrap().messages, 1003);
    }

    #[test]
    fn of_summaries_the_highest_values_are_reported() {
        let mut latencies = Latencies::default();
        for (p50, p99) in [(1.0, 9.0), (2.0, 5.0)] {
            latencies.push_summary(10, &LatencyMillis { p50, p99, max: 10.0 });
        }
        let expected =
            SummaryLatencies { lines: 2, messages: 20, highest_p50: 2.0, highest_p99: 9.0, highest_max: 10.0 };
        assert_eq!(latencies.report("received", None).summaries, Some(expected));
    }
}
