//! A producer at 1,000 messages a second, replicas that read them, and the audit's judgement of their logs.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use audit::Verdict;
use testbed::{Process, producer, report};

use crate::cluster::Cluster;
use crate::group::Offsets;
use crate::kafka::Entrance;
use crate::pair::{replica, replicas, stop_all, wait_for_shares};

/// Messages a second.
pub(crate) const RATE: u64 = 1000;

/// Partitions of the topic.
const PARTITIONS: u64 = 10;

/// What may be repeated when so many partitions lose the replica that reads them, or the broker, without a last commit: all
/// that came there since the last one. One is due each second, and may take another on a busy machine.
pub(crate) fn not_committed(partitions: u64) -> u64 {
    in_time(partitions, Duration::from_secs(2))
}

/// How many messages come to so many partitions in so long.
pub(crate) fn in_time(partitions: u64, time: Duration) -> u64 {
    RATE * partitions / PARTITIONS * time.as_secs()
}

/// A pair under load, in a topic of ten partitions.
pub(crate) struct Load {
    /// The topic.
    pub(crate) cluster: Cluster,
    /// Those that are to be alive.
    pub(crate) replicas: Vec<Process>,
    /// What the broker knows of the group.
    pub(crate) offsets: Offsets,
    /// Runs until [`Load::finish`].
    pub(crate) producer: Process,
    /// Those that have ended.
    ended: Vec<Process>,
    started: usize,
    variables: Vec<(&'static str, &'static str)>,
}

impl Load {
    /// Starts so many replicas, then the producer, and waits until messages flow.
    ///
    /// # Errors
    /// They do not.
    pub(crate) fn start(
        entrance: &Entrance,
        how_many: usize,
        variables: Vec<(&'static str, &'static str)>,
    ) -> Result<Self> {
        let cluster = Cluster::with_topic(entrance, 10)?;
        let replicas = replicas(&cluster, "g", how_many, &variables);
        let shares: &[usize] = if how_many == 3 { &[4, 3, 3] } else { &[5, 5] };
        wait_for_shares(&replicas, 10, shares)?;
        let rate = RATE.to_string();
        let producer = producer(&cluster.variables(), &[("PRODUCER_RATE_PER_SEC", &rate)]);
        let offsets = cluster.offsets("g")?;
        let load = Self { cluster, replicas, offsets, producer, ended: Vec::new(), started: how_many, variables };
        load.wait_for_flow()?;
        Ok(load)
    }

    /// Waits until the group has committed what three seconds bring, and follows closely.
    ///
    /// # Errors
    /// It does not.
    pub(crate) fn wait_for_flow(&self) -> Result<()> {
        let sum = |offsets: &[i64]| offsets.iter().sum::<i64>();
        let before = sum(&self.offsets.committed()?);
        self.offsets.wait_until("a steady flow", |committed, ends| {
            let rate = i64::try_from(RATE).unwrap_or(i64::MAX);
            sum(committed) > before + 3 * rate && sum(ends) - sum(committed) < 2 * rate
        })
    }

    /// Starts one more replica, the last of [`Load::replicas`] then.
    pub(crate) fn join(&mut self, more: &[(&'static str, &'static str)]) {
        let variables: Vec<_> = self.variables.iter().chain(more).copied().collect();
        self.replicas.push(replica(&self.cluster, "g", self.started, &variables));
        self.started += 1;
    }

    /// Stops the first of the replicas in good order.
    ///
    /// # Errors
    /// It does not end with 0.
    pub(crate) fn leave(&mut self) -> Result<()> {
        let mut leaving = self.replicas.remove(0);
        stop_all([&mut leaving])?;
        self.ended.push(leaving);
        Ok(())
    }

    /// The replica that was started last.
    pub(crate) fn newest(&self) -> &Process {
        self.replicas.last().expect("a load has replicas")
    }

    /// Stops all replicas but the newest in good order, at the same time.
    ///
    /// # Errors
    /// One does not end with 0.
    pub(crate) fn leave_all_but_the_newest(&mut self) -> Result<()> {
        let newest = self.replicas.split_off(self.replicas.len() - 1);
        let mut leaving = std::mem::replace(&mut self.replicas, newest);
        stop_all(&mut leaving)?;
        self.ended.extend(leaving);
        Ok(())
    }

    /// Ends one of the replicas with SIGKILL; how many partitions it had.
    pub(crate) fn kill(&mut self, place: usize) -> u64 {
        let mut killed = self.replicas.remove(place);
        killed.kill();
        let partitions = partitions_of(&killed);
        self.ended.push(killed);
        partitions
    }

    /// Waits until each of so many partitions has one owner, and the replicas so many each.
    ///
    /// # Errors
    /// It does not happen.
    pub(crate) fn wait_for_shares(&self, partitions: i64, expected: &[usize]) -> Result<()> {
        wait_for_shares(&self.replicas, partitions, expected)
    }

    /// How long the slowest message took to be acknowledged.
    pub(crate) fn longest_delivery(&self) -> Duration {
        let lines = self.producer.with_message("message delivered");
        let longest = lines.iter().filter_map(|line| line["latency_ms"].as_f64()).fold(0.0, f64::max);
        Duration::from_secs_f64(longest / 1000.0)
    }

    /// Stops the producer, lets the group read to the end, and stops it.
    ///
    /// # Errors
    /// Something does not end in good order.
    pub(crate) fn end(&mut self) -> Result<audit::Report> {
        ensure!(self.producer.stop().0 == Some(0), "{}", tail(&self.producer));
        self.offsets.wait_until("commits of all messages", |committed, ends| committed == ends)?;
        stop_all(&mut self.replicas)?;
        Ok(report(self.replicas.iter().chain(&self.ended).chain([&self.producer])))
    }

    /// As [`Load::end`], and judges: nothing acknowledged is missing, and at most so many messages are repeated.
    ///
    /// # Errors
    /// The audit says otherwise.
    pub(crate) fn finish(mut self, max_repeats: u64) -> Result<String> {
        let report = self.end()?;
        ensure!(report.verdict(max_repeats) == Verdict::Proven, "at most {max_repeats} repeats: {report}");
        let acknowledged: u64 = report.runs.iter().map(|run| run.acknowledged).sum();
        let group = report.groups.first().context("no group")?;
        let repeated = group.repeated();
        Ok(format!("{acknowledged} acknowledged, 0 missing, {repeated} repeated (at most {max_repeats})"))
    }
}

/// How many partitions it has, or had when it ended.
pub(crate) fn partitions_of(replica: &Process) -> u64 {
    replica.owned().map_or(0, |owned| owned.len() as u64)
}

/// The end of what it has written: under load it writes much.
fn tail(process: &Process) -> String {
    let text = process.text();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
