//! A producer at 1,000 messages a second, the replicas that receive its messages, and the audit of their logs.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use audit::Verdict;
use testbed::damage::Written;
use testbed::{Process, producer, report};

use crate::group::Offsets;
use crate::kafka::Endpoint;
use crate::pair::{replica, replicas, stop_all, wait_for_shares};
use crate::topic::Topic;

/// Messages that the producer sends in a second.
pub(crate) const RATE: u64 = 1000;

/// Partitions of the topic.
const PARTITIONS: u64 = 10;

/// The most messages that can be repeated if `partitions` partitions lose their replica, or the broker, without a final commit:
/// those that arrived since the last commit. A commit is due every second and may take another second on a busy machine.
pub(crate) fn not_committed(partitions: u64) -> u64 {
    arriving_in(partitions, Duration::from_secs(2))
}

/// How many messages arrive in `partitions` partitions in `time`.
pub(crate) fn arriving_in(partitions: u64, time: Duration) -> u64 {
    RATE * partitions / PARTITIONS * time.as_secs()
}

/// A producer and replicas under load, on a topic with ten partitions.
pub(crate) struct Load {
    /// The topic.
    pub(crate) topic: Topic,
    /// The replicas that are running.
    pub(crate) replicas: Vec<Process>,
    /// The offsets of the group.
    pub(crate) offsets: Offsets,
    /// The producer, which runs until [`Load::finish`].
    pub(crate) producer: Process,
    /// The replicas that have ended.
    ended: Vec<Process>,
    started: usize,
    variables: Vec<(&'static str, &'static str)>,
}

impl Load {
    /// Starts `count` replicas, then the producer, and waits until messages flow.
    ///
    /// # Errors
    /// No messages flow.
    pub(crate) fn start(
        endpoint: &Endpoint,
        count: usize,
        variables: Vec<(&'static str, &'static str)>,
    ) -> Result<Self> {
        let topic = Topic::create(endpoint, 10)?;
        let replicas = replicas(&topic, "g", count, &variables);
        let shares: &[usize] = if count == 3 { &[4, 3, 3] } else { &[5, 5] };
        wait_for_shares(&replicas, 10, shares)?;
        let rate = RATE.to_string();
        let producer = producer(&topic.variables(), &[("PRODUCER_RATE_PER_SEC", &rate)]);
        let offsets = topic.offsets("g")?;
        let load = Self { topic, replicas, offsets, producer, ended: Vec::new(), started: count, variables };
        load.wait_for_flow()?;
        Ok(load)
    }

    /// Waits until the group has committed the messages of three more seconds, and is less than two seconds behind.
    ///
    /// # Errors
    /// The group does not get that far.
    pub(crate) fn wait_for_flow(&self) -> Result<()> {
        let sum = |offsets: &[i64]| offsets.iter().sum::<i64>();
        let before = sum(&self.offsets.committed()?);
        self.offsets.wait_until("a steady flow of commits", |committed, ends| {
            let rate = i64::try_from(RATE).unwrap_or(i64::MAX);
            sum(committed) > before + 3 * rate && sum(ends) - sum(committed) < 2 * rate
        })
    }

    /// Starts another replica and appends it to [`Load::replicas`].
    pub(crate) fn join(&mut self, more: &[(&'static str, &'static str)]) {
        let variables: Vec<_> = self.variables.iter().chain(more).copied().collect();
        self.replicas.push(replica(&self.topic, "g", self.started, &variables));
        self.started += 1;
    }

    /// Stops the first replica.
    ///
    /// # Errors
    /// It ends with an exit code other than 0.
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

    /// Stops all replicas but the newest at the same time.
    ///
    /// # Errors
    /// A replica ends with an exit code other than 0.
    pub(crate) fn leave_all_but_the_newest(&mut self) -> Result<()> {
        let newest = self.replicas.split_off(self.replicas.len() - 1);
        let mut leaving = std::mem::replace(&mut self.replicas, newest);
        stop_all(&mut leaving)?;
        self.ended.extend(leaving);
        Ok(())
    }

    /// Kills a replica with SIGKILL. Returns how many partitions it owned.
    pub(crate) fn kill(&mut self, index: usize) -> u64 {
        let mut killed = self.replicas.remove(index);
        killed.kill();
        let partitions = partitions_of(&killed);
        self.ended.push(killed);
        partitions
    }

    /// Waits until each partition has one owner and the replicas own `expected` partitions each, most first.
    ///
    /// # Errors
    /// That is not so within the deadline.
    pub(crate) fn wait_for_shares(&self, partitions: i64, expected: &[usize]) -> Result<()> {
        wait_for_shares(&self.replicas, partitions, expected)
    }

    /// The longest time from sending a message to its acknowledgement.
    pub(crate) fn longest_delivery(&self) -> Duration {
        let lines = self.producer.with_message("message delivered");
        let longest = lines.iter().filter_map(|line| line["latency_ms"].as_f64()).fold(0.0, f64::max);
        Duration::from_secs_f64(longest / 1000.0)
    }

    /// Stops the producer, waits until the group has committed everything, stops the replicas, and audits all logs.
    ///
    /// # Errors
    /// A process ends with an exit code other than 0, or the group does not get to the end.
    pub(crate) fn stop_and_report(&mut self) -> Result<audit::Report> {
        ensure!(self.producer.stop().0 == Some(0), "{}", tail(&self.producer));
        self.offsets.wait_until("commits of all messages", |committed, ends| committed == ends)?;
        stop_all(&mut self.replicas)?;
        Ok(report(self.replicas.iter().chain(&self.ended).chain([&self.producer])))
    }

    /// The lines of all processes, after [`Load::stop_and_report`].
    pub(crate) fn written(&self) -> Vec<Written> {
        testbed::damage::written(self.replicas.iter().chain(&self.ended).chain([&self.producer]))
    }

    /// Calls [`Load::stop_and_report`] and checks the report: no acknowledged message is missing, and at most `max_repeats` messages
    /// are repeated.
    ///
    /// # Errors
    /// The audit does not prove that.
    pub(crate) fn finish(mut self, max_repeats: u64) -> Result<String> {
        let report = self.stop_and_report()?;
        ensure!(
            report.verdict(max_repeats) == Verdict::Proven,
            "expected no loss and at most {max_repeats} repeats: {report}"
        );
        let acknowledged: u64 = report.runs.iter().map(|run| run.acknowledged).sum();
        let group = report.groups.first().context("no group")?;
        let repeated = group.count(audit::Class::Repeated);
        Ok(format!("{acknowledged} acknowledged, 0 missing, {repeated} repeated (at most {max_repeats})"))
    }
}

/// How many partitions the replica owns, or owned when it ended.
pub(crate) fn partitions_of(replica: &Process) -> u64 {
    replica.owned().map_or(0, |owned| owned.len() as u64)
}

/// The last lines of a process, which writes many under load.
fn tail(process: &Process) -> String {
    let text = process.text();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
