//! Replicas that join, leave, are killed and freeze, and a topic that grows, at 1,000 messages a second.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use audit::Verdict;
use rustix::process::Signal;
use testbed::{Process, report};

use crate::claim::claims;
use crate::load::{Load, arriving_in, not_committed, partitions_of};
use crate::pair::{replicas, send, stop_all};
use crate::protocol::Protocol;
use crate::resources::Resources;

claims! {
    during_a_rolling_restart_nothing_is_lost_or_repeated(5) on Protocol::ALL;
    when_replicas_leave_during_a_rebalance_nothing_is_lost_or_repeated(7) on Protocol::ALL;
    after_a_replica_is_killed_nothing_is_lost_and_only_uncommitted_messages_are_repeated(4) on Protocol::ALL;
    after_a_replica_freezes_nothing_is_lost_and_repeats_are_bounded(4) on Protocol::ALL;
    when_a_third_replica_joins_nothing_is_lost_or_repeated(4) on Protocol::ALL;
    when_a_replica_shuts_down_nothing_is_lost_or_repeated(4) on Protocol::ALL;
    when_a_topic_grows_from_10_to_15_partitions_nothing_is_lost_or_repeated(4) on Protocol::ALL;
    a_killed_replica_that_never_commits_exceeds_the_bound_on_repeats(3);
    acknowledged_messages_that_the_broker_deletes_before_they_are_read_are_reported(3);
}

fn when_a_third_replica_joins_nothing_is_lost_or_repeated(resources: &Resources, protocol: Protocol) -> Result<String> {
    let mut load = Load::start(&resources.kafka()?.endpoint(), 2, protocol.variables().to_vec())?;
    load.join(&[]);
    load.wait_for_shares(10, &[4, 3, 3])?;
    load.wait_for_flow()?;
    load.finish(0)
}

fn when_a_replica_shuts_down_nothing_is_lost_or_repeated(resources: &Resources, protocol: Protocol) -> Result<String> {
    let mut load = Load::start(&resources.kafka()?.endpoint(), 3, protocol.variables().to_vec())?;
    load.leave()?;
    load.wait_for_shares(10, &[5, 5])?;
    load.wait_for_flow()?;
    load.finish(0)
}

fn during_a_rolling_restart_nothing_is_lost_or_repeated(resources: &Resources, protocol: Protocol) -> Result<String> {
    let mut load = Load::start(&resources.kafka()?.endpoint(), 3, protocol.variables().to_vec())?;
    for _ in 0..3 {
        load.leave()?;
        load.join(&[]);
        load.wait_for_shares(10, &[4, 3, 3])?;
        load.wait_for_flow()?;
    }
    load.finish(0)
}

/// Scales up, and down again during the rebalance. All replicas but the newest leave: among them are the leader of the group, which
/// assigns the partitions, replicas without a partition, and replicas that may still be joining. The remaining replica must not
/// have to wait for the session timeout of one of them, which is 10 s.
fn when_replicas_leave_during_a_rebalance_nothing_is_lost_or_repeated(
    resources: &Resources,
    protocol: Protocol,
) -> Result<String> {
    let mut load = Load::start(&resources.kafka()?.endpoint(), 2, protocol.variables().to_vec())?;
    let mut slowest = Duration::ZERO;
    for round in 0..4 {
        for _ in 0..5 {
            load.join(&[]);
        }
        let first_or_newest = if round % 2 == 0 { load.newest() } else { &load.replicas[1] };
        first_or_newest.wait_for("partitions assigned");
        let start = Instant::now();
        load.leave_all_but_the_newest()?;
        load.wait_for_shares(10, &[10])?;
        slowest = slowest.max(start.elapsed());
        load.wait_for_flow()?;
    }
    let numbers = load.finish(0)?;
    Ok(format!("partitions taken over after at most {:.1} s: {numbers}", slowest.as_secs_f64()))
}

fn after_a_replica_is_killed_nothing_is_lost_and_only_uncommitted_messages_are_repeated(
    resources: &Resources,
    protocol: Protocol,
) -> Result<String> {
    let mut load = Load::start(&resources.kafka()?.endpoint(), 3, protocol.with_short_session())?;
    let partitions = load.kill(0);
    load.wait_for_shares(10, &[5, 5])?;
    load.wait_for_flow()?;
    load.finish(not_committed(partitions))
}

fn after_a_replica_freezes_nothing_is_lost_and_repeats_are_bounded(
    resources: &Resources,
    protocol: Protocol,
) -> Result<String> {
    let mut load = Load::start(&resources.kafka()?.endpoint(), 3, protocol.with_short_session())?;
    let start = Instant::now();
    load.replicas[0].signal(Signal::STOP);
    let frozen = load.replicas.remove(0);
    let partitions = partitions_of(&frozen);
    // Its session times out, and the others take over its partitions.
    load.wait_for_shares(10, &[5, 5])?;
    load.wait_for_flow()?;
    frozen.signal(Signal::CONT);
    let frozen_for = start.elapsed();
    // When it continues, it still believes that it owns its partitions. It must notice that it lost them before it joins again.
    frozen.wait_for("partitions lost");
    load.replicas.push(frozen);
    load.wait_for_shares(10, &[4, 3, 3])?;
    load.wait_for_flow()?;
    let numbers = load.finish(not_committed(partitions) + arriving_in(partitions, frozen_for))?;
    Ok(format!("frozen for {:.0} s: {numbers}", frozen_for.as_secs_f64()))
}

fn when_a_topic_grows_from_10_to_15_partitions_nothing_is_lost_or_repeated(
    resources: &Resources,
    protocol: Protocol,
) -> Result<String> {
    let load = Load::start(&resources.kafka()?.endpoint(), 3, protocol.variables().to_vec())?;
    let start = Instant::now();
    load.topic.grow(15)?;
    load.wait_for_shares(15, &[5, 5, 5])?;
    let shared_after = start.elapsed();
    let grown = |_: &[i64], ends: &[i64]| ends.len() == 15 && ends.iter().all(|end| *end > 0);
    load.offsets.wait_until("messages in every partition", grown)?;
    load.wait_for_flow()?;
    let numbers = load.finish(0)?;
    Ok(format!("shared after {:.0} s: {numbers}", shared_after.as_secs_f64()))
}

/// Negative control of the bounds on repeats.
fn a_killed_replica_that_never_commits_exceeds_the_bound_on_repeats(resources: &Resources) -> Result<String> {
    let mut load = Load::start(&resources.kafka()?.endpoint(), 2, Protocol::Cooperative.with_short_session())?;
    load.leave()?;
    load.join(&[("KAFKA_AUTO_COMMIT_INTERVAL_MS", "3600000")]);
    load.wait_for_shares(10, &[5, 5])?;
    let bound = not_committed(5);
    let received = |replica: &Process| replica.text().matches("message received").count() as u64;
    load.replicas[1].wait_until("more messages than the bound", |replica| received(replica) > bound);
    load.kill(1);
    let report = load.stop_and_report()?;
    ensure!(report.verdict(bound) == Verdict::Violated, "{report}");
    let repeated = report.groups.first().context("no group")?.count(audit::Class::Repeated);
    Ok(format!("control: {repeated} repeated (at most {bound})"))
}

/// Negative control of the claims that nothing is lost.
fn acknowledged_messages_that_the_broker_deletes_before_they_are_read_are_reported(
    resources: &Resources,
) -> Result<String> {
    let topic = resources.topic(10)?;
    let first = send(&topic, 100)?;
    let mut readers = replicas(&topic, "g", 2, &[]);
    topic.offsets("g")?.wait_for_all(100)?;
    stop_all(&mut readers)?;
    let second = send(&topic, 100)?;
    topic.delete_before(&[15; 10])?;
    let mut later = replicas(&topic, "g", 2, &[]);
    topic.offsets("g")?.wait_for_all(200)?;
    stop_all(&mut later)?;
    let report = report(readers.iter().chain(&later).chain([&first, &second]));
    ensure!(report.verdict(u64::MAX) == Verdict::Violated, "{report}");
    let expired = report.groups.first().context("no group")?.count(audit::Class::Expired);
    ensure!(expired == 50, "{report}");
    Ok("control: 50 of 200 deleted before they were read, 50 reported expired".to_owned())
}
