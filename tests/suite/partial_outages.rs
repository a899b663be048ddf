//! One of three brokers fails, and the others do not. Each test has a cluster of its own.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use audit::Verdict;
use testbed::{Process, producer, report};

use crate::claim::claims;
use crate::cluster::Cluster;
use crate::group::Offsets;
use crate::pair::{replicas, stop_all, wait_for_shares};
use crate::resources::Resources;
use crate::topic::Topic;

const PARTITIONS: i32 = 6;
const RATE: u64 = 5000;
/// The broker that fails. It leads two of the six partitions.
const ILL: usize = 3;
/// How long messages flow before the broker fails, and how long it stays away.
const BEFORE: Duration = Duration::from_secs(10);
const FROZEN: Duration = Duration::from_secs(60);
/// A partition is late after ten seconds. The rest is for a busy machine.
const SAID_BY_PRODUCER: Duration = Duration::from_secs(14);
/// A replica learns of a silent leader from librdkafka's statistics, which come every five seconds. If the frozen broker is also the
/// coordinator of the group, the replicas first have to join the group again at another broker, and own nothing until then.
const SAID_BY_REPLICA: Duration = Duration::from_secs(45);

// Three service processes run, but three brokers that start keep the machine as busy as many more.
claims! {
    a_frozen_broker_of_three_is_named_by_both_services_and_does_not_hold_up_the_others(12);
    a_rolling_restart_of_three_brokers_with_replicated_partitions_is_no_complaint(12);
}

/// The words of both services, when partitions are late and when they no longer are.
const COMPLAINTS: [&str; 2] = ["messages are not acknowledged", "partitions are not received"];
const WITHDRAWALS: [&str; 2] = ["messages are acknowledged again", "partitions are received again"];

struct Pair {
    producer: Process,
    replicas: Vec<Process>,
    offsets: Offsets,
}

impl Pair {
    fn start(topic: &Topic) -> Result<Self> {
        let listen = ("HTTP_ADDR", "127.0.0.1:0");
        let replicas = replicas(topic, "g", 2, &[listen]);
        wait_for_shares(&replicas, PARTITIONS.into(), &[3, 3])?;
        let rate = RATE.to_string();
        let producer = producer(&topic.variables(), &[listen, ("PRODUCER_RATE_PER_SEC", &rate)]);
        producer.wait_until("messages", |producer| producer.delivered_count() > 0);
        Ok(Self { producer, replicas, offsets: topic.offsets("g")? })
    }

    /// Stops everything and checks that no acknowledged message is missing. Returns the numbers.
    fn finish(mut self, max_repeats: u64) -> Result<String> {
        ensure!(self.producer.stop().0 == Some(0), "the producer did not deliver everything");
        self.offsets.wait_until("commits of all messages", |committed, ends| committed == ends)?;
        stop_all(&mut self.replicas)?;
        let report = report(self.replicas.iter().chain([&self.producer]));
        ensure!(report.verdict(max_repeats) == Verdict::Proven, "{report}");
        let acknowledged: u64 = report.runs.iter().map(|run| run.acknowledged).sum();
        Ok(format!("{acknowledged} acknowledged, 0 missing"))
    }
}

/// How many messages were delivered to the partitions for which `of` holds.
fn delivered(producer: &Process, of: impl Fn(i32) -> bool) -> u64 {
    let lines = producer.lines();
    let summaries = lines.iter().filter_map(|line| match &line.entry {
        journal::Entry::DeliveredSummary(summary) => Some(&summary.ranges),
        _ => None,
    });
    summaries.flatten().filter(|range| of(range.partition)).map(journal::Range::count).sum()
}

fn wait(duration: Duration) {
    let end = Instant::now() + duration;
    while Instant::now() < end {
        std::thread::park_timeout(end.saturating_duration_since(Instant::now()));
    }
}

fn a_frozen_broker_of_three_is_named_by_both_services_and_does_not_hold_up_the_others(_: &Resources) -> Result<String> {
    let cluster = Cluster::start()?;
    let topic = Topic::create_replicated(&cluster.endpoint(), PARTITIONS, 1)?;
    let leaders = cluster.leaders(&topic)?;
    let ill: Vec<i32> = leaders.iter().filter(|(_, leader)| **leader == ILL as i32).map(|(id, _)| *id).collect();
    ensure!(ill.len() == 2, "each broker leads two partitions: {leaders:?}");
    let pair = Pair::start(&topic)?;
    let is_well = |partition| !ill.contains(&partition);
    wait(Duration::from_secs(3));
    let start = delivered(&pair.producer, is_well);
    wait(BEFORE);
    let before = delivered(&pair.producer, is_well) - start;

    cluster.freeze(ILL)?;
    let frozen = Instant::now();
    let named = format!("partitions {}, {} of broker {ILL} at {}", ill[0], ill[1], cluster.address(ILL));
    pair.producer.wait_for(COMPLAINTS[0]);
    let said_by_producer = frozen.elapsed();
    let line = &pair.producer.with_message(COMPLAINTS[0])[0];
    ensure!(line["partitions"] == named.as_str() && line["late"] == 2, "{line} does not say: {named}");
    let readyz = pair.producer.ask("/readyz");
    ensure!(readyz == (503, format!("{}: {named}", COMPLAINTS[0])), "{readyz:?}");
    let says_so = |replica: &Process| !replica.with_message(COMPLAINTS[1]).is_empty();
    pair.producer.wait_until("a replica's complaint", |_| pair.replicas.iter().any(says_so));
    let said_by_replica = frozen.elapsed();
    let broker = format!("of broker {ILL} at {}", cluster.address(ILL));
    let replica = pair.replicas.iter().find(|replica| says_so(replica)).expect("one has just said it");
    let line = &replica.with_message(COMPLAINTS[1])[0];
    ensure!(
        line["partitions"].as_str().is_some_and(|text| text.contains(&broker)),
        "{line} does not name the {broker}"
    );
    let readyz = replica.ask("/readyz");
    ensure!(
        readyz.0 == 503 && readyz.1.contains(&broker),
        "/readyz of a replica does not name the {broker}: {readyz:?}"
    );
    ensure!(
        said_by_producer < SAID_BY_PRODUCER && said_by_replica < SAID_BY_REPLICA,
        "{said_by_producer:?} {said_by_replica:?}"
    );
    wait(FROZEN.saturating_sub(frozen.elapsed() + BEFORE));
    let start = delivered(&pair.producer, is_well);
    wait(BEFORE);
    let during = delivered(&pair.producer, is_well) - start;
    let share = during as f64 / before as f64;
    ensure!(share >= 0.9, "the others kept {share:.2} of their rate");

    cluster.thaw(ILL)?;
    pair.producer.wait_for(WITHDRAWALS[0]);
    replica.wait_for(WITHDRAWALS[1]);
    pair.producer.wait_until("ready again", |producer| producer.ask("/readyz").0 == 200);
    let lines = pair.producer.with_message(COMPLAINTS[0]).len();
    ensure!(lines <= 1 + FROZEN.as_secs() as usize / 10 + 1, "{lines} lines in {FROZEN:?}");
    // The frozen broker may have been the coordinator of the group, which then continues from its last commit.
    let numbers = pair.finish(RATE * FROZEN.as_secs())?;
    Ok(format!(
        "named after {:.0} s and {:.0} s, the others kept {share:.2} of their rate; {numbers}",
        said_by_producer.as_secs_f64(),
        said_by_replica.as_secs_f64()
    ))
}

fn a_rolling_restart_of_three_brokers_with_replicated_partitions_is_no_complaint(_: &Resources) -> Result<String> {
    let cluster = Cluster::start()?;
    let topic = Topic::create_replicated(&cluster.endpoint(), PARTITIONS, 3)?;
    let pair = Pair::start(&topic)?;
    let leaders = cluster.leaders(&topic)?;
    let start = Instant::now();
    for id in 1..=3 {
        cluster.restart(id)?;
        // Its replicas have to catch up before the next one may stop: two of three must be in sync.
        let delivered = pair.producer.delivered_count();
        pair.producer
            .wait_until("messages after the restart", |producer| producer.delivered_count() > delivered + RATE * 5);
    }
    let restarted = start.elapsed();
    ensure!(cluster.leaders(&topic)? != leaders, "no partition has another leader, so nothing was tried");
    for process in pair.replicas.iter().chain([&pair.producer]) {
        let complaints = COMPLAINTS.iter().flat_map(|complaint| process.with_message(complaint));
        let complaints: Vec<_> = complaints.collect();
        ensure!(complaints.is_empty(), "a complaint about a leader that moved: {complaints:?}");
    }
    let numbers = pair.finish(RATE * restarted.as_secs())?;
    Ok(format!("three restarts in {:.0} s; {numbers}", restarted.as_secs_f64()))
}
