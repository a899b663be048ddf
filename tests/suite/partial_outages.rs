//! One of three brokers fails, and the others do not. The tests share a cluster and use it one after the other.

mod containment;
mod load;
mod outage;

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use testbed::{Process, producer};

use crate::claim::{Claim, claims, claims_of};
use crate::cluster::BROKERS;
use crate::partial_outages::containment::Containment;
use crate::partial_outages::load::{ACKNOWLEDGED_AGAIN, GIVEN_UP, Load, NOT_ACKNOWLEDGED, NOT_RECEIVED};
use crate::partial_outages::outage::{Fault, Outage, Role};
use crate::resources::Resources;
use crate::topic::Topic;

/// Partitions of each topic. Each broker leads two of them.
pub(super) const PARTITIONS: i32 = 6;

/// Each fault and each role once. The other combinations run on request.
const OUTAGES: [Outage; 3] = [
    Outage { fault: Fault::Frozen, role: Role::Leader, replication: 1 },
    Outage { fault: Fault::Killed, role: Role::Coordinator, replication: 3 },
    Outage { fault: Fault::Frozen, role: Role::Controller, replication: 3 },
];

// Three service processes run, but three brokers keep the machine as busy as many more.
claims! {
    an_outage_of_one_broker_of_three_is_named_and_holds_up_nothing_else(12) on OUTAGES;
    a_rolling_restart_of_three_brokers_with_replicated_partitions_is_no_complaint(12);
    partitions_with_too_few_replicas_in_sync_are_named_and_delivered_later(12);
    a_full_queue_waits_for_frozen_brokers_without_spinning(12);
}

/// More partitions than each broker of a small cluster leads, and as many messages as the producer can send.
const CONTAINMENTS: [Containment; 4] = [
    Containment { rate: "5000", partitions: 24 },
    Containment { rate: "max", partitions: 24 },
    Containment { rate: "5000", partitions: 48 },
    Containment { rate: "max", partitions: 48 },
];

/// What is left out otherwise, because each combination takes a minute or more.
pub(crate) fn claims_on_request() -> Vec<Claim> {
    let others: Vec<Outage> = Outage::all().filter(|outage| !OUTAGES.contains(outage)).collect();
    let mut claims = claims_of!(an_outage_of_one_broker_of_three_is_named_and_holds_up_nothing_else(12) on others);
    claims.extend(claims_of!(a_frozen_broker_of_three_leaves_the_other_partitions_their_rate(12) on CONTAINMENTS));
    claims
}

fn a_frozen_broker_of_three_leaves_the_other_partitions_their_rate(
    resources: &Resources,
    containment: Containment,
) -> Result<String> {
    let cluster = resources.cluster()?;
    containment.check(&cluster)
}

fn an_outage_of_one_broker_of_three_is_named_and_holds_up_nothing_else(
    resources: &Resources,
    outage: Outage,
) -> Result<String> {
    let cluster = resources.cluster()?;
    outage.check(&cluster)
}

fn a_rolling_restart_of_three_brokers_with_replicated_partitions_is_no_complaint(
    resources: &Resources,
) -> Result<String> {
    let cluster = resources.cluster()?;
    let topic = Topic::create_replicated(&cluster.endpoint(), PARTITIONS, 3, &[])?;
    let load = Load::start(&topic)?;
    let leaders = cluster.leaders(&topic)?;
    let start = Instant::now();
    for id in 1..=BROKERS {
        cluster.stop(id)?;
        cluster.heal()?;
        // Its replicas have to catch up before the next one may stop: two of three must be in sync.
        cluster.wait_for_replicas()?;
    }
    let restarted = start.elapsed();
    ensure!(cluster.leaders(&topic)? != leaders, "no partition has another leader, so nothing was tried");
    for complaint in [NOT_ACKNOWLEDGED, NOT_RECEIVED] {
        let lines = load.lines(complaint);
        ensure!(lines.is_empty(), "a complaint about a leader that moved: {lines:?}");
    }
    let numbers = load.finish(restarted)?;
    Ok(format!("three restarts in {:.0} s; {numbers}", restarted.as_secs_f64()))
}

/// All three replicas must be in sync, and one broker is gone. The control is the same outage with the cluster's setting, two of three,
/// in `OUTAGES`: there the messages are delivered.
fn partitions_with_too_few_replicas_in_sync_are_named_and_delivered_later(resources: &Resources) -> Result<String> {
    const SAID_AFTER: Duration = Duration::from_secs(60);
    let cluster = resources.cluster()?;
    let topic = Topic::create_replicated(&cluster.endpoint(), PARTITIONS, 3, &[("min.insync.replicas", "3")])?;
    let load = Load::start(&topic)?;
    let away = Role::Leader.find(&cluster, &topic)?;
    let start = Instant::now();
    cluster.kill(away)?;
    let all_are_late = |load: &Load| load.lines(NOT_ACKNOWLEDGED).iter().any(|line| line["late"] == PARTITIONS);
    while !all_are_late(&load) {
        let last = || load.producer.text().lines().rev().take(3).map(str::to_owned).collect::<Vec<_>>();
        ensure!(start.elapsed() < SAID_AFTER, "not named, but: {:#?}", last());
        load::wait(Duration::from_millis(200));
    }
    let said = start.elapsed();
    let line = load.lines(NOT_ACKNOWLEDGED).pop().unwrap_or_default();
    let next_step = line["next_step"].as_str().unwrap_or_default();
    ensure!(next_step.contains("in sync"), "{line} does not say what to check");
    ensure!(load.producer.ask("/readyz").0 == 503, "the producer is ready");
    cluster.heal()?;
    load.producer.wait_for(ACKNOWLEDGED_AGAIN);
    load.producer.wait_until("ready again", |producer| producer.ask("/readyz").0 == 200);
    ensure!(load.lines(GIVEN_UP).is_empty(), "messages were given up: {:?}", load.lines(GIVEN_UP));
    let numbers = load.finish(start.elapsed())?;
    Ok(format!("all {PARTITIONS} partitions named after {:.0} s; {numbers}", said.as_secs_f64()))
}

/// All brokers are frozen, and the producer is to send as much as it can. The control is a producer beside it that knows no statistics, so
/// that it pauses no partition.
fn a_full_queue_waits_for_frozen_brokers_without_spinning(resources: &Resources) -> Result<String> {
    const UNTIL_QUEUES_ARE_FULL: Duration = Duration::from_secs(8);
    const MEASURED: Duration = Duration::from_secs(15);
    let cluster = resources.cluster()?;
    let topic = Topic::create_replicated(&cluster.endpoint(), PARTITIONS, 1, &[])?;
    let start = |more: &[(&str, &str)]| {
        let variables = [&[("PRODUCER_RATE_PER_SEC", "max"), ("KAFKA_DELIVERY_TIMEOUT_MS", "120000")], more].concat();
        producer(&topic.variables(), &variables)
    };
    let mut producers = [start(&[]), start(&[("KAFKA_PROP_STATISTICS_INTERVAL_MS", "0")])];
    for producer in &producers {
        producer.wait_until("messages", |producer| producer.delivered_count() > 10_000);
    }
    for id in 1..=BROKERS {
        cluster.freeze(id)?;
    }
    load::wait(UNTIL_QUEUES_ARE_FULL);
    let (start, before) = (Instant::now(), producers.each_ref().map(Process::processor_time));
    load::wait(MEASURED);
    let after = producers.each_ref().map(Process::processor_time);
    let elapsed = start.elapsed();
    let [paused, spinning] = [0, 1].map(|each| (after[each] - before[each]).div_duration_f64(elapsed));
    ensure!(paused < 0.05, "{paused} of a core");
    ensure!(spinning > 0.2, "the control used no more than {spinning} of a core");
    cluster.heal()?;
    for producer in &mut producers {
        ensure!(producer.stop().0 == Some(0), "a producer did not deliver everything: {}", producer.text());
    }
    Ok(format!("{:.1} % of a core; without pauses {:.0} %", 100.0 * paused, 100.0 * spinning))
}
