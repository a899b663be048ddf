//! `auto.offset.reset` matters only while the group has no committed offset. With the numbers of the tutorial.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use audit::Verdict;
use testbed::report;

use crate::claim::claims;
use crate::offsets::SILENCE;
use crate::pair::{replica, send, stop_all, wait_for_shares};
use crate::protocol::Protocol;
use crate::stage::Stage;

claims! {
    a_new_group_with_earliest_reads_all_hundred(2) on Protocol::ALL;
    a_new_group_with_latest_reads_nothing_old_and_then_the_first_new_one(2) on Protocol::ALL;
    a_group_stopped_after_fifty_goes_on_with_the_fifty_first_even_with_latest(2) on Protocol::ALL;
    without_an_offset_and_with_error_the_service_ends_and_names_the_partitions(2) on Protocol::ALL;
    a_group_whose_offset_the_broker_no_longer_has_waits_in_good_health(2);
}

const RESET: &str = "KAFKA_AUTO_OFFSET_RESET";

fn with<'a>(protocol: Protocol, more: (&'a str, &'a str)) -> Vec<(&'a str, &'a str)> {
    protocol.variables().iter().copied().chain([more]).collect()
}

fn a_new_group_with_earliest_reads_all_hundred(stage: &Stage, protocol: Protocol) -> Result<String> {
    let cluster = stage.topic(1)?;
    send(&cluster, 100)?;
    let mut replica = replica(&cluster, "g", 0, &with(protocol, (RESET, "earliest")));
    replica.wait_until("all", |it| it.received_count() >= 100);
    stop_all([&mut replica])?;
    ensure!(replica.received() == (0..100).collect::<Vec<_>>(), "{}", replica.text());
    Ok("0 to 99".to_owned())
}

fn a_new_group_with_latest_reads_nothing_old_and_then_the_first_new_one(
    stage: &Stage,
    protocol: Protocol,
) -> Result<String> {
    let cluster = stage.topic(1)?;
    let old = send(&cluster, 100)?;
    let mut replicas = [replica(&cluster, "g", 0, &with(protocol, (RESET, "latest")))];
    wait_for_shares(&replicas, 1, &[1])?;
    ensure!(replicas[0].stays(SILENCE, |it| it.received_count() == 0), "{}", replicas[0].text());
    let new = send(&cluster, 1)?;
    replicas[0].wait_until("the first new one", |it| it.received() == [0]);
    stop_all(&mut replicas)?;
    // Negative control of all proofs here: the audit sees what this setting has skipped.
    let report = report([&old, &new, &replicas[0]]);
    ensure!(report.verdict(0) == Verdict::Violated && report.groups[0].missing() == 100, "{report}");
    Ok(format!("silent for {} s, then the 101st; control: the audit finds 100 missing", SILENCE.as_secs()))
}

fn a_group_stopped_after_fifty_goes_on_with_the_fifty_first_even_with_latest(
    stage: &Stage,
    protocol: Protocol,
) -> Result<String> {
    let cluster = stage.topic(1)?;
    send(&cluster, 100)?;
    let mut first = replica(&cluster, "g", 0, &with(protocol, ("CONSUMER_MAX_MESSAGES", "50")));
    ensure!(first.wait().code() == Some(0), "{}", first.text());
    let mut second = replica(&cluster, "g", 1, &with(protocol, (RESET, "latest")));
    second.wait_until("the rest", |it| it.received_count() >= 50);
    stop_all([&mut second])?;
    ensure!(first.received() == (0..50).collect::<Vec<_>>(), "{}", first.text());
    ensure!(second.received() == (50..100).collect::<Vec<_>>(), "{}", second.text());
    Ok("0 to 49, then 50 to 99".to_owned())
}

fn without_an_offset_and_with_error_the_service_ends_and_names_the_partitions(
    stage: &Stage,
    protocol: Protocol,
) -> Result<String> {
    let cluster = stage.topic(2)?;
    let mut replica = replica(&cluster, "g", 0, &with(protocol, (RESET, "error")));
    let code = replica.wait().code();
    ensure!(code == Some(1), "{}", replica.text());
    let stopped = replica.with_message("service stopped");
    let reason = stopped.first().and_then(|line| line["reason"].as_str()).context("no reason")?;
    ensure!(reason.contains("for partition 0, 1 in topic"), "{reason}");
    Ok("exit code 1, partitions 0 and 1 named".to_owned())
}

/// It begins where the log does, and nothing is there: its committed offset stays far below the end, and that is no reason to
/// be restarted.
fn a_group_whose_offset_the_broker_no_longer_has_waits_in_good_health(stage: &Stage) -> Result<String> {
    let cluster = stage.topic(1)?;
    send(&cluster, 100)?;
    let mut first = replica(&cluster, "g", 0, &[("CONSUMER_MAX_MESSAGES", "50")]);
    ensure!(first.wait().code() == Some(0), "{}", first.text());
    cluster.delete_before(&[100])?;
    let limit = Duration::from_secs(6);
    let impatient = [
        ("HTTP_ADDR", "127.0.0.1:0"),
        ("KAFKA_SESSION_TIMEOUT_MS", "6000"),
        ("KAFKA_MAX_POLL_INTERVAL_MS", "6000"),
        ("KAFKA_PROP_STATISTICS_INTERVAL_MS", "100"),
    ];
    let mut second = [replica(&cluster, "g", 1, &impatient)];
    wait_for_shares(&second, 1, &[1])?;
    let [replica] = &second;
    replica.wait_until("the lag", |it| {
        it.ask("/metrics").1.lines().any(|line| line.starts_with(LAG) && line.ends_with(" 50"))
    });
    ensure!(replica.stays(limit * 2, |it| it.ask("/livez").0 == 200), "{}", replica.text());
    send(&cluster, 1)?;
    replica.wait_until("a new one", |it| it.received_count() == 1);
    stop_all(&mut second)?;
    Ok(format!("committed 50, the log begins at 100: alive for {} s, then the 101st", (limit * 2).as_secs()))
}

const LAG: &str = "kafka_consumer_lag_messages{";
