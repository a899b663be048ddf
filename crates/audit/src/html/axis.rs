//! The time axis that the charts of a report share.

use crate::timeline::{Time, TimelineReport};

/// The lengths between two ticks, in seconds.
const STEPS: [i64; 18] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 43200, 86400];
const TICKS_MAX: i64 = 8;

/// An interval of time that is shown from left to right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Axis {
    pub(super) from: Time,
    pub(super) to: Time,
    /// Whether lines have times far outside, which are not shown.
    pub(super) leaves_out: bool,
}

impl Axis {
    /// The axis of a timeline, if a line of it has a time.
    ///
    /// A clock that was not set yet (1970, say) would push everything else into one pixel. A few buckets and processes that are
    /// far away from all others are therefore left out.
    pub(super) fn new(timeline: &TimelineReport) -> Option<Self> {
        let mut times: Vec<i64> = timeline.buckets.iter().map(|bucket| bucket.time.0).collect();
        times.extend(timeline.processes.iter().flat_map(|process| [process.first.0, process.last.0]));
        times.extend(timeline.rebalances.iter().map(|rebalance| rebalance.time.0));
        times.sort_unstable();
        let (&first, &last) = (times.first()?, times.last()?);
        let widest = times.windows(2).enumerate().max_by_key(|(_, pair)| pair[1] - pair[0]);
        let (mut from, mut to) = (first, last);
        if let Some((place, pair)) = widest
            && (pair[1] - pair[0]) as f64 > 0.9 * (last - first) as f64
        {
            let (before, after) = (place + 1, times.len() - place - 1);
            if before * 20 < after {
                from = pair[1];
            } else if after * 20 < before {
                to = pair[0];
            }
        }
        let leaves_out = (from, to) != (first, last);
        // Buckets begin before their lines; and there must be something between both ends.
        Some(Self { from: Time(from), to: Time(to.max(from + 1000)), leaves_out })
    }

    /// Where a time is, in percent of the width.
    pub(super) fn percent(&self, time: Time) -> f64 {
        let share = (time.0 - self.from.0) as f64 / (self.to.0 - self.from.0) as f64;
        (share * 100.0).clamp(0.0, 100.0)
    }

    pub(super) fn contains(&self, time: Time) -> bool {
        (self.from..=self.to).contains(&time)
    }

    /// The ticks: their places in percent and their labels.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        let span = self.to.0 - self.from.0;
        let step = STEPS.into_iter().find(|step| span / (step * 1000) <= TICKS_MAX);
        let step = step.unwrap_or_else(|| (span / TICKS_MAX / 86_400_000 + 1) * 86_400) * 1000;
        let format = if step >= 86_400_000 {
            "%m-%d"
        } else if step >= 60_000 {
            "%H:%M"
        } else {
            "%H:%M:%S"
        };
        let first = self.from.0.div_euclid(step) + 1;
        let ticks = (first..).map(|number| Time(number * step)).take_while(|time| *time <= self.to);
        ticks.map(|time| (self.percent(time), time.format(format))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(from: i64, to: i64) -> Axis {
        Axis { from: Time(from), to: Time(to), leaves_out: false }
    }

    #[test]
    fn there_are_a_few_ticks_however_long_the_time_is() {
        for seconds in [1, 7, 59, 61, 3599, 86_400, 30 * 86_400, 4000 * 86_400] {
            let ticks = axis(1_795_341_600_123, 1_795_341_600_123 + seconds * 1000).ticks();
            assert!((1..=9).contains(&ticks.len()), "{seconds}: {ticks:?}");
        }
        assert_eq!(axis(0, 3000).ticks()[0].1, "00:00:01");
    }
}
