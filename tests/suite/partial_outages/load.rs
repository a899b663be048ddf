//! A producer and two replicas on a cluster of three brokers, and what they say.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use audit::{Class, Verdict};
use journal::Timestamp;
use serde_json::Value;
use testbed::{Process, producer, report};

use super::PARTITIONS;
use crate::group::Offsets;
use crate::pair::{replicas, stop_all, wait_for_shares};
use crate::topic::Topic;

/// Messages that the producer sends in a second.
const RATE: u64 = 5000;

/// What the producer says when partitions are late, when they no longer are, and when it gives messages up.
pub(super) const NOT_ACKNOWLEDGED: &str = "messages are not acknowledged";
pub(super) const ACKNOWLEDGED_AGAIN: &str = "messages are acknowledged again";
pub(super) const GIVEN_UP: &str = "messages not delivered";
/// What a replica says when partitions are late, and when they no longer are.
pub(super) const NOT_RECEIVED: &str = "partitions are not received";
pub(super) const RECEIVED_AGAIN: &str = "partitions are received again";

/// A producer and two replicas of the group `g`.
pub(super) struct Load {
    pub(super) producer: Process,
    pub(super) replicas: Vec<Process>,
    offsets: Offsets,
}

impl Load {
    /// Starts two replicas, then the producer, and waits until messages flow.
    pub(super) fn start(topic: &Topic) -> Result<Self> {
        let listen = ("HTTP_ADDR", "127.0.0.1:0");
        let replicas = replicas(topic, "g", 2, &[listen]);
        wait_for_shares(&replicas, PARTITIONS.into(), &[3, 3])?;
        let rate = RATE.to_string();
        let producer = producer(&topic.variables(), &[listen, ("PRODUCER_RATE_PER_SEC", &rate)]);
        producer.wait_until("messages", |producer| producer.delivered_count() > 3 * RATE);
        Ok(Self { producer, replicas, offsets: topic.offsets("g")? })
    }

    /// The log lines of all processes with this message.
    pub(super) fn lines(&self, message: &str) -> Vec<Value> {
        self.replicas.iter().chain([&self.producer]).flat_map(|process| process.with_message(message)).collect()
    }

    /// How many messages were delivered to the partitions for which `of` holds.
    pub(super) fn delivered(&self, of: impl Fn(i32) -> bool) -> u64 {
        let lines = self.producer.lines();
        let summaries = lines.iter().filter_map(|line| match &line.entry {
            journal::Entry::DeliveredSummary(summary) => Some(&summary.ranges),
            _ => None,
        });
        summaries.flatten().filter(|range| of(range.partition)).map(journal::Range::count).sum()
    }

    /// Stops everything and checks that no acknowledged message is missing, and that no more are repeated than arrived in `away`, while
    /// the group may not have been able to commit. Returns the numbers.
    pub(super) fn finish(mut self, away: Duration) -> Result<String> {
        ensure!(self.producer.stop().0 == Some(0), "the producer did not deliver everything");
        self.offsets.wait_until("commits of all messages", |committed, ends| committed == ends)?;
        stop_all(&mut self.replicas)?;
        let report = report(self.replicas.iter().chain([&self.producer]));
        ensure!(report.verdict(RATE * away.as_secs()) == Verdict::Proven, "{report}");
        let acknowledged: u64 = report.runs.iter().map(|run| run.acknowledged).sum();
        let repeated: u64 = report.groups.iter().map(|group| group.count(Class::Repeated)).sum();
        Ok(format!("{acknowledged} acknowledged, 0 missing, {repeated} repeated"))
    }
}

/// How long after `start` a line was written.
pub(super) fn delay(line: &Value, start: SystemTime) -> Result<Duration> {
    let text = line["timestamp"].as_str().unwrap_or_default();
    let written = Timestamp::from_text(text).millis().with_context(|| format!("no timestamp in {line}"))?;
    let start = start.duration_since(UNIX_EPOCH)?.as_millis();
    Ok(Duration::from_millis(u64::try_from(written)?.saturating_sub(u64::try_from(start)?)))
}

/// Lets time pass in which something must go on happening.
pub(super) fn wait(duration: Duration) {
    let end = Instant::now() + duration;
    while Instant::now() < end {
        std::thread::park_timeout(end.saturating_duration_since(Instant::now()));
    }
}
