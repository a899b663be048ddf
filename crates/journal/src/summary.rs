//! Summary lines: one line a second that accounts for many messages as exactly as one line each would.

pub(crate) mod intervals;
pub(crate) mod latencies;
pub(crate) mod policy;
pub(crate) mod ranges;

use std::time::{Duration, Instant};

use crate::entry::LatencyMillis;
use latencies::Latencies;
use policy::{Detail, LinePolicy};
use ranges::{Range, Ranges};

/// A summary is written early once it holds this many ranges. This keeps its line below 16 KiB, where container runtimes split
/// lines.
pub const SUMMARY_RANGES_MAX: usize = 80;

/// What one summary line accounts for.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Number of messages.
    pub count: u64,
    /// Messages per second since the window began.
    pub rate_per_sec: f64,
    /// Their latencies.
    pub latency_ms: LatencyMillis,
    /// Which messages.
    pub ranges: Vec<Range>,
}

/// Decides which messages get a line of their own, and collects the others until the next summary line.
#[derive(Debug)]
pub struct SummaryBuilder {
    policy: LinePolicy,
    ranges: Ranges,
    count: u64,
    latencies: Latencies,
}

impl SummaryBuilder {
    /// Starts the first window at `now`. `expected_per_sec` is the message rate if it is known beforehand: with [`Detail::Auto`],
    /// a fast stream then begins with a summary instead of a thousand single lines.
    #[must_use]
    pub fn new(detail: Detail, expected_per_sec: Option<f64>, now: Instant) -> Self {
        Self {
            policy: LinePolicy::new(detail, expected_per_sec, now),
            ranges: Ranges::default(),
            count: 0,
            latencies: Latencies::default(),
        }
    }

    /// Counts a message and returns whether it gets a line of its own. If not, [`push`](Self::push) it.
    pub fn wants_line(&mut self) -> bool {
        self.policy.wants_line()
    }

    /// Adds a message to the next summary. A summary that [`is_full`](Self::is_full) afterwards is due now.
    pub fn push(&mut self, message: Range, latency: Option<Duration>) {
        self.count += 1;
        self.ranges.push(message);
        if let Some(latency) = latency {
            self.latencies.push(latency);
        }
    }

    /// Whether a summary with more ranges could become longer than a line may be.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.ranges.len() >= SUMMARY_RANGES_MAX
    }

    /// The offset after the last collected message, for each partition.
    pub fn next_offsets(&self) -> impl Iterator<Item = (i32, i64)> {
        self.ranges.next_offsets()
    }

    /// Ends the window if it is at least a second old. Returns its length, over which [`take`](Self::take) computes the rate.
    pub fn end_window(&mut self, now: Instant) -> Option<Duration> {
        self.policy.end_window(now)
    }

    /// How long the current window has lasted.
    #[must_use]
    pub fn elapsed(&self, now: Instant) -> Duration {
        self.policy.elapsed(now)
    }

    /// Returns what was collected within `window` and starts over, or `None` if nothing was collected.
    pub fn take(&mut self, window: Duration) -> Option<Summary> {
        if self.ranges.is_empty() {
            return None;
        }
        let count = std::mem::take(&mut self.count);
        // A window can end right after it began; a rate over less than a millisecond would be meaningless.
        let rate_per_sec = (count as f64 / window.as_secs_f64().max(0.001)).round();
        Some(Summary { count, rate_per_sec, latency_ms: self.latencies.take(), ranges: self.ranges.take() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_holds_each_pushed_message_once() {
        let mut builder = SummaryBuilder::new(Detail::Summary, None, Instant::now());
        for offset in 0..10 {
            assert!(!builder.wants_line());
            builder.push(Range::one(0, offset, None), Some(Duration::from_millis(offset.unsigned_abs())));
        }
        assert_eq!(builder.next_offsets().collect::<Vec<_>>(), [(0, 10)]);
        let summary = builder.take(Duration::from_secs(2)).unwrap();
        assert_eq!((summary.count, summary.rate_per_sec), (10, 5.0));
        assert_eq!(summary.ranges, [Range { partition: 0, offset: [0, 9], run: None, pseq: None }]);
        assert_eq!(builder.take(Duration::from_secs(2)), None);
    }

    #[test]
    fn a_summary_is_full_before_its_line_gets_too_long() {
        let mut builder = SummaryBuilder::new(Detail::Summary, None, Instant::now());
        // Only every other offset, so that no two messages can share a range.
        let mut offset = 0;
        while !builder.is_full() {
            builder.push(Range::one(0, offset, None), None);
            offset += 2;
        }
        assert_eq!(builder.take(Duration::from_secs(1)).unwrap().ranges.len(), SUMMARY_RANGES_MAX);
        assert!(!builder.is_full());
    }
}
