//! What a frozen broker of three leaves to the partitions of the two others, with many partitions and at full speed.

use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, SystemTime};

use anyhow::{Result, ensure};
use serde_json::Value;
use testbed::{Process, producer};

use super::load::{delay, wait};
use crate::cluster::Cluster;
use crate::topic::Topic;

/// The rate is compared in intervals of this length.
const INTERVAL: Duration = Duration::from_secs(5);
/// How many intervals before the outage are compared with how many during it.
const BEFORE: usize = 3;
const DURING: usize = 12;
/// More than this would mean that the messages of the frozen broker have no bound.
const RESIDENT_MAX: u64 = 128 * 1024 * 1024;

/// How much the producer is to send, and to how many partitions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Containment {
    /// `PRODUCER_RATE_PER_SEC`.
    pub(super) rate: &'static str,
    pub(super) partitions: i32,
}

impl fmt::Display for Containment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rate {}, {} partitions", self.rate, self.partitions)
    }
}

impl Containment {
    /// Freezes one broker for a minute, and checks that the partitions of the others keep their rate. Returns the numbers.
    pub(super) fn check(self, cluster: &Cluster) -> Result<String> {
        const FROZEN: usize = 2;
        let topic = Topic::create_replicated(&cluster.endpoint(), self.partitions, 1, &[])?;
        let leaders = cluster.leaders(&topic)?;
        let healthy: BTreeSet<i32> =
            leaders.iter().filter(|(_, leader)| **leader != FROZEN as i32).map(|(partition, _)| *partition).collect();
        ensure!(healthy.len() as i32 * 3 == self.partitions * 2, "each broker leads a third: {leaders:?}");
        let variables = [
            ("PRODUCER_RATE_PER_SEC", self.rate),
            ("LOG_MESSAGES", "summary"),
            ("KAFKA_DELIVERY_TIMEOUT_MS", "120000"),
        ];
        let mut producer = producer(&topic.variables(), &variables);
        producer.wait_until("messages", |producer| producer.delivered_count() > 10_000);
        let start = SystemTime::now();
        wait(INTERVAL * BEFORE as u32);
        cluster.freeze(FROZEN)?;
        wait(INTERVAL * DURING as u32);
        let resident = producer.resident_bytes();
        cluster.heal()?;
        ensure!(producer.stop().0 == Some(0), "the producer did not deliver everything");

        let rates = rates(&producer, start, |partition| healthy.contains(&partition))?;
        let (before, during) = rates.split_at(BEFORE);
        let before = before.iter().sum::<f64>() / BEFORE as f64;
        let shares: Vec<f64> = during.iter().map(|rate| rate / before).collect();
        let least = shares.iter().copied().fold(f64::INFINITY, f64::min);
        ensure!(least >= 0.9, "shares of their rate that the other partitions kept: {shares:.2?}");
        ensure!(resident < RESIDENT_MAX, "{resident} bytes");
        let report = testbed::report([&producer]);
        let run = &report.runs[0];
        ensure!(run.sent == run.acknowledged, "{report}");
        let written = topic.written(self.partitions)?;
        ensure!(written == run.acknowledged, "{written} messages on the brokers, {} acknowledged", run.acknowledged);
        Ok(format!(
            "the others kept {least:.2} to {:.2} of their {before:.0} messages/s; {:.0} MB; {} acknowledged",
            shares.iter().copied().fold(0.0, f64::max),
            resident as f64 / 1e6,
            run.acknowledged,
        ))
    }
}

/// How many messages a second were delivered to some partitions, in each interval from `start` on, by the times of the summaries.
fn rates(producer: &Process, start: SystemTime, of: impl Fn(i32) -> bool) -> Result<Vec<f64>> {
    let mut counts = vec![0; BEFORE + DURING];
    for line in producer.with_message("messages delivered") {
        let after = delay(&line, start)?;
        let interval = after.div_duration_f64(INTERVAL) as usize;
        // The delay of a line from before the start is zero.
        let Some(count) = counts.get_mut(interval).filter(|_| !after.is_zero()) else { continue };
        let ranges: Vec<journal::Range> = serde_json::from_value(line.get("ranges").cloned().unwrap_or(Value::Null))?;
        *count += ranges.iter().filter(|range| of(range.partition)).map(journal::Range::count).sum::<u64>();
    }
    Ok(counts.into_iter().map(|count| count as f64 / INTERVAL.as_secs_f64()).collect())
}
