//! Summary lines: a few lines a second that account for many messages as exactly as one line each would.

pub(crate) mod intervals;
pub(crate) mod latencies;
pub(crate) mod policy;
pub(crate) mod ranges;

use std::time::{Duration, Instant};

use crate::entry::LatencyMillis;
use latencies::Latencies;
use policy::{Detail, LinePolicy};
use ranges::{Range, Ranges};

/// A line holds at most this many ranges. This keeps it below 16 KiB, where container runtimes split lines.
pub const SUMMARY_RANGES_MAX: usize = 80;

/// Summaries are written early once this many ranges were collected. This bounds their memory to about half a megabyte.
pub const COLLECTED_RANGES_MAX: usize = 100 * SUMMARY_RANGES_MAX;

/// What one summary line accounts for.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Number of messages.
    pub count: u64,
    /// Messages per second since the window began.
    pub rate_per_sec: f64,
    /// The latencies of all messages of the window, also of those in its other lines.
    pub latency_ms: LatencyMillis,
    /// Which messages.
    pub ranges: Vec<Range>,
}

/// Decides which messages get a line of their own, and collects the others until the next summary lines.
#[derive(Debug)]
pub struct SummaryBuilder {
    policy: LinePolicy,
    ranges: Ranges,
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
            latencies: Latencies::default(),
        }
    }

    /// Counts a message and returns whether it gets a line of its own. If not, [`push`](Self::push) it.
    pub fn wants_line(&mut self) -> bool {
        self.policy.wants_line()
    }

    /// Adds a message to the next summaries. If the builder [`is_full`](Self::is_full) afterwards, they are due now.
    pub fn push(&mut self, message: Range, latency: Option<Duration>) {
        self.ranges.push(message);
        if let Some(latency) = latency {
            self.latencies.push(latency);
        }
    }

    /// Whether nothing was collected since the last summaries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.len() == 0
    }

    /// Whether so many ranges were collected that the summaries are due before the window ends.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.ranges.len() >= COLLECTED_RANGES_MAX
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

    /// Returns what was collected within `window` and starts over: a summary for each line, and none if nothing was collected.
    pub fn take(&mut self, window: Duration) -> Vec<Summary> {
        let ranges = self.ranges.take();
        if ranges.is_empty() {
            return Vec::new();
        }
        // A window can end right after it began; a rate over less than a millisecond would be meaningless.
        let seconds = window.as_secs_f64().max(0.001);
        let latency_ms = self.latencies.take();
        let lines = ranges.chunks(SUMMARY_RANGES_MAX).map(|ranges| {
            let count = ranges.iter().map(Range::count).sum();
            Summary { count, rate_per_sec: (count as f64 / seconds).round(), latency_ms, ranges: ranges.to_vec() }
        });
        lines.collect()
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
        let summaries = builder.take(Duration::from_secs(2));
        let [summary] = &summaries[..] else { panic!("{summaries:?}") };
        assert_eq!((summary.count, summary.rate_per_sec), (10, 5.0));
        assert_eq!(summary.ranges, [Range { partition: 0, offset: [0, 9], run: None, pseq: None }]);
        assert_eq!(builder.take(Duration::from_secs(2)), []);
    }

    #[test]
    fn what_does_not_fit_a_line_is_split_into_summaries_of_their_own_ranges() {
        let mut builder = SummaryBuilder::new(Detail::Summary, None, Instant::now());
        // Three messages for each of 200 partitions, as they arrive from three turns.
        for offset in 0..3 {
            for partition in 0..200 {
                builder.push(Range::one(partition, offset, None), Some(Duration::from_millis(7)));
            }
        }
        assert!(!builder.is_full());
        let summaries = builder.take(Duration::from_secs(1));
        assert_eq!(summaries.iter().map(|summary| summary.ranges.len()).collect::<Vec<_>>(), [80, 80, 40]);
        assert_eq!(summaries.iter().map(|summary| summary.count).collect::<Vec<_>>(), [240, 240, 120]);
        assert_eq!(summaries[2].rate_per_sec, 120.0);
        assert!(
            summaries
                .iter()
                .all(|summary| summary.latency_ms == summaries[0].latency_ms && summary.latency_ms.max > 6.9)
        );
        let partitions: Vec<i32> =
            summaries.iter().flat_map(|summary| &summary.ranges).map(|range| range.partition).collect();
        assert_eq!(partitions, (0..200).collect::<Vec<_>>(), "each range is in one line");
    }

    #[test]
    fn the_memory_of_summaries_is_bounded() {
        let mut builder = SummaryBuilder::new(Detail::Summary, None, Instant::now());
        // Only every other offset, so that no two messages can share a range.
        let mut offset = 0;
        while !builder.is_full() {
            builder.push(Range::one(0, offset, None), None);
            offset += 2;
        }
        let summaries = builder.take(Duration::from_secs(1));
        assert_eq!(summaries.iter().map(|summary| summary.count).sum::<u64>(), COLLECTED_RANGES_MAX as u64);
        assert!(!builder.is_full());
    }
}
