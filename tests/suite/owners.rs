//! Which replica owns which of ten partitions, with 1, 2, 3, 10 and 11 replicas, by the replicas' logs and by the broker.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use audit::Verdict;
use testbed::{Process, report};

use crate::claim::claims;
use crate::kafka::Kafka;
use crate::offsets::SILENCE;
use crate::pair::{replicas, send, shares, shares_of, stop_all, wait_for_shares};
use crate::protocol::Protocol;
use crate::resources::Resources;
use crate::topic::{DEADLINE, Topic};

claims! {
    the_idle_eleventh_replica_takes_over_when_another_is_killed(11) on Protocol::ALL;
    of_eleven_replicas_ten_have_one_partition_each_and_one_is_idle(11) on Protocol::ALL;
    ten_replicas_have_one_partition_each(10) on Protocol::ALL;
    three_replicas_have_four_three_and_three_partitions(4) on Protocol::ALL;
    two_replicas_have_five_partitions_each(3) on Protocol::ALL;
    one_replica_has_all_ten_partitions(2) on Protocol::ALL;
    a_partition_with_two_owners_or_none_is_detected(0);
}

fn one_replica_has_all_ten_partitions(resources: &Resources, protocol: Protocol) -> Result<String> {
    ten_partitions_are_shared(resources, protocol, &[10])
}

fn two_replicas_have_five_partitions_each(resources: &Resources, protocol: Protocol) -> Result<String> {
    ten_partitions_are_shared(resources, protocol, &[5, 5])
}

fn three_replicas_have_four_three_and_three_partitions(resources: &Resources, protocol: Protocol) -> Result<String> {
    ten_partitions_are_shared(resources, protocol, &[4, 3, 3])
}

fn ten_replicas_have_one_partition_each(resources: &Resources, protocol: Protocol) -> Result<String> {
    ten_partitions_are_shared(resources, protocol, &[1; 10])
}

fn of_eleven_replicas_ten_have_one_partition_each_and_one_is_idle(
    resources: &Resources,
    protocol: Protocol,
) -> Result<String> {
    ten_partitions_are_shared(resources, protocol, &[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0])
}

fn ten_partitions_are_shared(resources: &Resources, protocol: Protocol, expected: &[usize]) -> Result<String> {
    let topic = resources.topic(10)?;
    let mut replicas = replicas(&topic, "g", expected.len(), protocol.variables());
    wait_for_shares(&replicas, 10, expected)?;
    let by_broker = wait_for_agreement(resources.kafka()?, &topic, &replicas)?;
    let producer = send(&topic, 100)?;
    topic.offsets("g")?.wait_for_all(100)?;
    for replica in &replicas {
        let owned = replica.owned().map_or(0, |owned| owned.len() as u64);
        // The producer sends to the partitions in turn, so each of them has ten messages.
        ensure!(
            replica.received_count() == 10 * owned,
            "expected 10 messages from each of its {owned} partitions: {}",
            replica.text()
        );
    }
    stop_all(&mut replicas)?;
    let report = report(replicas.iter().chain([&producer]));
    ensure!(report.verdict(0) == Verdict::Proven, "{report}");
    Ok(format!("{by_broker:?} by log and broker; 100 received, 0 repeated"))
}

/// Waits until the broker reports the same owners as the replicas' logs. Returns how many partitions each replica owns.
fn wait_for_agreement(kafka: &Kafka, topic: &Topic, replicas: &[Process]) -> Result<Vec<usize>> {
    let by_log: BTreeMap<String, Vec<i64>> = (0..)
        .zip(replicas)
        .map(|(number, replica): (usize, _)| (format!("replica-{number}"), replica.owned().unwrap_or_default()))
        .collect();
    let deadline = Instant::now() + DEADLINE;
    loop {
        let by_broker = topic.owners(kafka, "g")?;
        if by_broker == by_log {
            let owned: Vec<_> = by_broker.into_values().collect();
            return shares_of(&owned, 10).context("a partition has two owners or none");
        }
        // A member reports a new partition to the broker only with its next heartbeat.
        ensure!(Instant::now() < deadline, "the logs show {by_log:?}, the broker reports {by_broker:?}");
    }
}

fn the_idle_eleventh_replica_takes_over_when_another_is_killed(
    resources: &Resources,
    protocol: Protocol,
) -> Result<String> {
    let topic = resources.topic(10)?;
    let mut variables = protocol.with_short_session();
    variables.push(("HTTP_ADDR", "127.0.0.1:0"));
    let mut replicas = replicas(&topic, "g", 11, &variables);
    wait_for_shares(&replicas, 10, &[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0])?;
    let is_idle = |replica: &Process| replica.owned().unwrap_or_default().is_empty();
    let eleventh = replicas.iter().position(is_idle).context("no replica is idle")?;
    ensure!(replicas[eleventh].stays(SILENCE, is_idle), "the idle replica got a partition before another was killed");
    ensure!(replicas[eleventh].ask("/readyz").0 == 200, "{:?}", replicas[eleventh].ask("/readyz"));
    let text = replicas[eleventh].text();
    ensure!(
        !text.contains(r#""level":"WARN""#) && !text.contains(r#""level":"ERROR""#),
        "the idle replica logged a problem: {text}"
    );
    ensure!(replicas[eleventh].with_message("service stopped").is_empty(), "the idle replica has stopped: {text}");

    let mut killed = replicas.remove((eleventh + 1) % 11);
    let eleventh = replicas.iter().position(is_idle).context("no replica is idle")?;
    let start = Instant::now();
    killed.kill();
    replicas[eleventh].wait_until("a partition", |replica| !is_idle(replica));
    let waited = start.elapsed();
    wait_for_shares(&replicas, 10, &[1; 10])?;
    // After the session timeout, the other members learn of the rebalance with their next heartbeat, within 1 s. The other 5 s are
    // for a busy machine.
    let limit = protocol.short_session_timeout(resources.kafka()?) + Duration::from_secs(1 + 5);
    ensure!(waited <= limit, "the takeover took {waited:?}, more than {limit:?}");

    let producer = send(&topic, 100)?;
    topic.offsets("g")?.wait_for_all(100)?;
    ensure!(replicas[eleventh].received_count() == 10, "{}", replicas[eleventh].text());
    stop_all(&mut replicas)?;
    let report = report(replicas.iter().chain([&producer, &killed]));
    ensure!(report.verdict(0) == Verdict::Proven, "{report}");
    Ok(format!(
        "took over after {:.1} s (at most {} s), then received 10 of 100 messages",
        waited.as_secs_f64(),
        limit.as_secs()
    ))
}

/// Negative control of the tests above.
fn a_partition_with_two_owners_or_none_is_detected(_: &Resources) -> Result<String> {
    ensure!(
        shares_of(&[vec![0, 1], vec![2]], 3) == Some(vec![2, 1]),
        "the shares of partitions with one owner each are wrong"
    );
    ensure!(shares_of(&[vec![0, 1], vec![1, 2]], 3).is_none(), "the two owners of partition 1 are not detected");
    ensure!(shares_of(&[vec![0, 1], vec![]], 3).is_none(), "the missing owner of partition 2 is not detected");
    ensure!(shares(&[], 1).is_none(), "the missing replica is not detected");
    Ok("control: both are detected".to_owned())
}
