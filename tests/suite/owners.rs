//! Ten partitions and 1, 2, 3, 10 and 11 replicas; who owns what, by the replicas' logs and by the broker.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use audit::Verdict;
use testbed::{Process, report};

use crate::claim::claims;
use crate::cluster::{Cluster, DEADLINE};
use crate::kafka::Kafka;
use crate::offsets::SILENCE;
use crate::pair::{replicas, send, shares, shares_of, stop_all, wait_for_shares};
use crate::protocol::Protocol;
use crate::stage::Stage;

claims! {
    when_a_replica_is_killed_the_idle_eleventh_takes_over(11) on Protocol::ALL;
    of_eleven_replicas_ten_have_one_partition_each_and_one_is_idle(11) on Protocol::ALL;
    ten_replicas_have_one_partition_each(10) on Protocol::ALL;
    three_replicas_have_four_three_and_three_partitions(4) on Protocol::ALL;
    two_replicas_have_five_partitions_each(3) on Protocol::ALL;
    one_replica_has_all_ten_partitions(2) on Protocol::ALL;
    a_partition_with_two_owners_or_none_is_noticed(0);
}

fn one_replica_has_all_ten_partitions(stage: &Stage, protocol: Protocol) -> Result<String> {
    ten_partitions_are_shared(stage, protocol, &[10])
}

fn two_replicas_have_five_partitions_each(stage: &Stage, protocol: Protocol) -> Result<String> {
    ten_partitions_are_shared(stage, protocol, &[5, 5])
}

fn three_replicas_have_four_three_and_three_partitions(stage: &Stage, protocol: Protocol) -> Result<String> {
    ten_partitions_are_shared(stage, protocol, &[4, 3, 3])
}

fn ten_replicas_have_one_partition_each(stage: &Stage, protocol: Protocol) -> Result<String> {
    ten_partitions_are_shared(stage, protocol, &[1; 10])
}

fn of_eleven_replicas_ten_have_one_partition_each_and_one_is_idle(stage: &Stage, protocol: Protocol) -> Result<String> {
    ten_partitions_are_shared(stage, protocol, &[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0])
}

fn ten_partitions_are_shared(stage: &Stage, protocol: Protocol, expected: &[usize]) -> Result<String> {
    let cluster = stage.topic(10)?;
    let mut replicas = replicas(&cluster, "g", expected.len(), protocol.variables());
    wait_for_shares(&replicas, 10, expected)?;
    let by_broker = the_broker_agrees(stage.kafka()?, &cluster, &replicas)?;
    let producer = send(&cluster, 100)?;
    cluster.offsets("g")?.wait_for_all(100)?;
    for replica in &replicas {
        let owned = replica.owned().map_or(0, |owned| owned.len() as u64);
        // The key says the partition in turn, so each partition has ten of them.
        ensure!(replica.received_count() == 10 * owned, "it owns {owned} partitions: {}", replica.text());
    }
    stop_all(&mut replicas)?;
    let report = report(replicas.iter().chain([&producer]));
    ensure!(report.verdict(0) == Verdict::Proven, "{report}");
    Ok(format!("{by_broker:?} by log and broker; 100 received, 0 repeated"))
}

/// Compares the broker's view with the replicas' logs until they agree; how many partitions each has.
fn the_broker_agrees(kafka: &Kafka, cluster: &Cluster, replicas: &[Process]) -> Result<Vec<usize>> {
    let by_log: BTreeMap<String, Vec<i64>> = (0..)
        .zip(replicas)
        .map(|(number, it): (usize, _)| (format!("replica-{number}"), it.owned().unwrap_or_default()))
        .collect();
    let deadline = Instant::now() + DEADLINE;
    loop {
        let by_broker = cluster.owners(kafka, "g")?;
        if by_broker == by_log {
            let owned: Vec<_> = by_broker.into_values().collect();
            return shares_of(&owned, 10).context("not one owner a partition");
        }
        // A member tells what it has taken only with its next heartbeat.
        ensure!(Instant::now() < deadline, "the logs say {by_log:?}, the broker {by_broker:?}");
    }
}

fn when_a_replica_is_killed_the_idle_eleventh_takes_over(stage: &Stage, protocol: Protocol) -> Result<String> {
    let cluster = stage.topic(10)?;
    let mut variables = protocol.with_short_session();
    variables.push(("HTTP_ADDR", "127.0.0.1:0"));
    let mut replicas = replicas(&cluster, "g", 11, &variables);
    wait_for_shares(&replicas, 10, &[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0])?;
    let is_idle = |it: &Process| it.owned().unwrap_or_default().is_empty();
    let eleventh = replicas.iter().position(is_idle).context("none is idle")?;
    ensure!(replicas[eleventh].stays(SILENCE, is_idle), "it was not to get a partition");
    ensure!(replicas[eleventh].ask("/readyz").0 == 200, "{:?}", replicas[eleventh].ask("/readyz"));
    let text = replicas[eleventh].text();
    ensure!(!text.contains(r#""level":"WARN""#) && !text.contains(r#""level":"ERROR""#), "not healthy: {text}");
    ensure!(replicas[eleventh].with_message("service stopped").is_empty(), "it has ended: {text}");

    let mut killed = replicas.remove((eleventh + 1) % 11);
    let eleventh = replicas.iter().position(is_idle).context("none is idle")?;
    let start = Instant::now();
    killed.kill();
    replicas[eleventh].wait_until("a partition", |it| !is_idle(it));
    let waited = start.elapsed();
    wait_for_shares(&replicas, 10, &[1; 10])?;
    // The others learn of the new division with their next heartbeat, and a busy machine needs its time too.
    let limit = protocol.short_session(stage.kafka()?) + Duration::from_secs(1 + 5);
    ensure!(waited <= limit, "it took {waited:?}");

    let producer = send(&cluster, 100)?;
    cluster.offsets("g")?.wait_for_all(100)?;
    ensure!(replicas[eleventh].received_count() == 10, "{}", replicas[eleventh].text());
    stop_all(&mut replicas)?;
    let report = report(replicas.iter().chain([&producer, &killed]));
    ensure!(report.verdict(0) == Verdict::Proven, "{report}");
    Ok(format!("after {:.1} s (at most {} s), then 10 messages of 100", waited.as_secs_f64(), limit.as_secs()))
}

/// Negative control of the tests above.
fn a_partition_with_two_owners_or_none_is_noticed(_: &Stage) -> Result<String> {
    ensure!(shares_of(&[vec![0, 1], vec![2]], 3) == Some(vec![2, 1]), "that is as it should be");
    ensure!(shares_of(&[vec![0, 1], vec![1, 2]], 3).is_none(), "1 has two owners");
    ensure!(shares_of(&[vec![0, 1], vec![]], 3).is_none(), "2 has no owner");
    ensure!(shares(&[], 1).is_none(), "nobody is there");
    Ok("control: both are found".to_owned())
}
