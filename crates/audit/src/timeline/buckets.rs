//! Counts by time, in a bounded number of buckets.

use std::collections::BTreeMap;

use serde::Serialize;

use super::time::Time;

/// When there are more buckets than this, each two neighbours become one.
const BUCKETS_MAX: usize = 600;
const WIDTH_AT_FIRST: i64 = 1000;

/// What happened in one interval of time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bucket {
    /// Where the interval begins.
    pub time: Time,
    /// Messages that lines of this interval acknowledge.
    pub acknowledged: u64,
    /// Messages that lines of this interval show as received, in all groups together.
    pub received: u64,
    /// The highest latency of a received message in milliseconds, if a line states one.
    pub received_latency_max: Option<f64>,
}

#[derive(Debug)]
pub(super) struct Buckets {
    /// In milliseconds.
    pub(super) width: i64,
    by_number: BTreeMap<i64, Bucket>,
}

impl Default for Buckets {
    fn default() -> Self {
        Self { width: WIDTH_AT_FIRST, by_number: BTreeMap::new() }
    }
}

impl Buckets {
    pub(super) fn add(&mut self, time: i64, acknowledged: u64, received: u64, received_latency_max: Option<f64>) {
        let bucket = Bucket { time: Time(time), acknowledged, received, received_latency_max };
        self.insert(bucket);
        while self.by_number.len() > BUCKETS_MAX {
            self.width *= 2;
            std::mem::take(&mut self.by_number).into_values().for_each(|bucket| self.insert(bucket));
        }
    }

    fn insert(&mut self, bucket: Bucket) {
        let number = bucket.time.0.div_euclid(self.width);
        let empty =
            Bucket { time: Time(number * self.width), acknowledged: 0, received: 0, received_latency_max: None };
        let sum = self.by_number.entry(number).or_insert(empty);
        sum.acknowledged = sum.acknowledged.saturating_add(bucket.acknowledged);
        sum.received = sum.received.saturating_add(bucket.received);
        sum.received_latency_max = match (sum.received_latency_max, bucket.received_latency_max) {
            (Some(one), Some(other)) => Some(one.max(other)),
            (one, other) => one.or(other),
        };
    }

    /// The buckets in which something happened, in their order.
    pub(super) fn report(&self) -> Vec<Bucket> {
        self.by_number.values().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_merged_when_they_become_too_many_and_nothing_is_lost() {
        let mut buckets = Buckets::default();
        // A clock that was not set yet adds one bucket, not all those in between.
        buckets.add(0, 1, 0, None);
        for second in 0..10_000 {
            buckets.add(1_800_000_000_000 + second * 1000, 2, 3, Some(second as f64));
        }
        let report = buckets.report();
        assert!(report.len() <= BUCKETS_MAX && report.len() > BUCKETS_MAX / 4, "{}", report.len());
        assert_eq!(report.iter().map(|bucket| bucket.acknowledged).sum::<u64>(), 20_001);
        assert_eq!(report.iter().map(|bucket| bucket.received).sum::<u64>(), 30_000);
        assert_eq!(report.last().unwrap().received_latency_max, Some(9999.0));
        assert!(report.windows(2).all(|pair| pair[0].time < pair[1].time));
    }
}
