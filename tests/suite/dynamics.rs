//! Replicas that come, leave, die and freeze, and a topic that grows, at 1,000 messages a second.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use audit::Verdict;
use rustix::process::Signal;
use testbed::{Process, report};

use crate::claim::claims;
use crate::load::{Load, in_time, not_committed, partitions_of};
use crate::pair::{replicas, send, stop_all};
use crate::protocol::Protocol;
use crate::stage::Stage;

claims! {
    a_rolling_restart_of_all_replicas_loses_and_repeats_nothing(5) on Protocol::ALL;
    replicas_that_leave_during_a_rebalance_lose_and_repeat_nothing(7) on Protocol::ALL;
    a_killed_replica_loses_nothing_and_repeats_at_most_what_was_not_committed(4) on Protocol::ALL;
    a_replica_that_freezes_loses_nothing_and_repeats_at_most_what_came_meanwhile(4) on Protocol::ALL;
    a_third_replica_that_joins_loses_and_repeats_nothing(4) on Protocol::ALL;
    a_replica_that_leaves_in_good_order_loses_and_repeats_nothing(4) on Protocol::ALL;
    a_topic_that_grows_from_10_to_15_partitions_loses_and_repeats_nothing(4) on Protocol::ALL;
    a_killed_replica_that_never_commits_is_found_to_repeat_more(3);
    acknowledged_messages_that_the_broker_loses_are_found_missing(3);
}

fn a_third_replica_that_joins_loses_and_repeats_nothing(stage: &Stage, protocol: Protocol) -> Result<String> {
    let mut load = Load::start(&stage.kafka()?.entrance(), 2, protocol.variables().to_vec())?;
    load.join(&[]);
    load.wait_for_shares(10, &[4, 3, 3])?;
    load.wait_for_flow()?;
    load.finish(0)
}

fn a_replica_that_leaves_in_good_order_loses_and_repeats_nothing(stage: &Stage, protocol: Protocol) -> Result<String> {
    let mut load = Load::start(&stage.kafka()?.entrance(), 3, protocol.variables().to_vec())?;
    load.leave()?;
    load.wait_for_shares(10, &[5, 5])?;
    load.wait_for_flow()?;
    load.finish(0)
}

fn a_rolling_restart_of_all_replicas_loses_and_repeats_nothing(stage: &Stage, protocol: Protocol) -> Result<String> {
    let mut load = Load::start(&stage.kafka()?.entrance(), 3, protocol.variables().to_vec())?;
    for _ in 0..3 {
        load.leave()?;
        load.join(&[]);
        load.wait_for_shares(10, &[4, 3, 3])?;
        load.wait_for_flow()?;
    }
    load.finish(0)
}

/// As when somebody scales up, and thinks better of it: all but the newest go, among them the one that gives out the
/// partitions, some that have none, and some that may still be joining. The last one should not wait for any of them until its
/// session ends, which is after 10 s.
fn replicas_that_leave_during_a_rebalance_lose_and_repeat_nothing(stage: &Stage, protocol: Protocol) -> Result<String> {
    let mut load = Load::start(&stage.kafka()?.entrance(), 2, protocol.variables().to_vec())?;
    let mut slowest = Duration::ZERO;
    for round in 0..4 {
        for _ in 0..5 {
            load.join(&[]);
        }
        let first_or_last = if round % 2 == 0 { load.newest() } else { &load.replicas[1] };
        first_or_last.wait_for("partitions assigned");
        let start = Instant::now();
        load.leave_all_but_the_newest()?;
        load.wait_for_shares(10, &[10])?;
        slowest = slowest.max(start.elapsed());
        load.wait_for_flow()?;
    }
    let numbers = load.finish(0)?;
    Ok(format!("taken over after at most {:.1} s: {numbers}", slowest.as_secs_f64()))
}

fn a_killed_replica_loses_nothing_and_repeats_at_most_what_was_not_committed(
    stage: &Stage,
    protocol: Protocol,
) -> Result<String> {
    let mut load = Load::start(&stage.kafka()?.entrance(), 3, protocol.with_short_session())?;
    let partitions = load.kill(0);
    load.wait_for_shares(10, &[5, 5])?;
    load.wait_for_flow()?;
    load.finish(not_committed(partitions))
}

fn a_replica_that_freezes_loses_nothing_and_repeats_at_most_what_came_meanwhile(
    stage: &Stage,
    protocol: Protocol,
) -> Result<String> {
    let mut load = Load::start(&stage.kafka()?.entrance(), 3, protocol.with_short_session())?;
    let start = Instant::now();
    load.replicas[0].signal(Signal::STOP);
    let frozen = load.replicas.remove(0);
    let partitions = partitions_of(&frozen);
    // The session has ended: the others have everything.
    load.wait_for_shares(10, &[5, 5])?;
    load.wait_for_flow()?;
    frozen.signal(Signal::CONT);
    let frozen_for = start.elapsed();
    // It still believes to own what it owned; first it learns better, then it takes part again.
    frozen.wait_for("partitions lost");
    load.replicas.push(frozen);
    load.wait_for_shares(10, &[4, 3, 3])?;
    load.wait_for_flow()?;
    let numbers = load.finish(not_committed(partitions) + in_time(partitions, frozen_for))?;
    Ok(format!("frozen for {:.0} s: {numbers}", frozen_for.as_secs_f64()))
}

fn a_topic_that_grows_from_10_to_15_partitions_loses_and_repeats_nothing(
    stage: &Stage,
    protocol: Protocol,
) -> Result<String> {
    let load = Load::start(&stage.kafka()?.entrance(), 3, protocol.variables().to_vec())?;
    let start = Instant::now();
    load.cluster.grow(15)?;
    load.wait_for_shares(15, &[5, 5, 5])?;
    let shared_after = start.elapsed();
    let grown = |_: &[i64], ends: &[i64]| ends.len() == 15 && ends.iter().all(|end| *end > 0);
    load.offsets.wait_until("messages in every partition", grown)?;
    load.wait_for_flow()?;
    let numbers = load.finish(0)?;
    Ok(format!("shared after {:.0} s: {numbers}", shared_after.as_secs_f64()))
}

/// Negative control of the bounds on repeats.
fn a_killed_replica_that_never_commits_is_found_to_repeat_more(stage: &Stage) -> Result<String> {
    let mut load = Load::start(&stage.kafka()?.entrance(), 2, Protocol::Cooperative.with_short_session())?;
    load.leave()?;
    load.join(&[("KAFKA_AUTO_COMMIT_INTERVAL_MS", "3600000")]);
    load.wait_for_shares(10, &[5, 5])?;
    let bound = not_committed(5);
    let lines = |it: &Process| it.text().matches("message received").count() as u64;
    load.replicas[1].wait_until("more than the bound", |it| lines(it) > bound);
    load.kill(1);
    let report = load.end()?;
    ensure!(report.verdict(bound) == Verdict::Violated, "{report}");
    let repeated = report.groups.first().context("no group")?.repeated();
    Ok(format!("control: {repeated} repeated (at most {bound})"))
}

/// Negative control of "nothing is missing".
fn acknowledged_messages_that_the_broker_loses_are_found_missing(stage: &Stage) -> Result<String> {
    let cluster = stage.topic(10)?;
    let producer = send(&cluster, 100)?;
    cluster.delete_before(&[5; 10])?;
    let mut replicas = replicas(&cluster, "g", 2, &[]);
    cluster.offsets("g")?.wait_for_all(100)?;
    stop_all(&mut replicas)?;
    let report = report(replicas.iter().chain([&producer]));
    ensure!(report.verdict(u64::MAX) == Verdict::Violated, "{report}");
    let missing = report.groups.first().context("no group")?.missing();
    ensure!(missing == 50, "{report}");
    Ok("control: 50 of 100 deleted, 50 missing".to_owned())
}
