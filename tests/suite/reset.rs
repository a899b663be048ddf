//! `auto.offset.reset` matters only while the group has no committed offset. The numbers are those of the Python tutorial "How to
//! read and write Kafka with Python".

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use audit::{Class, Verdict};
use testbed::report;

use crate::claim::claims;
use crate::offsets::SILENCE;
use crate::pair::{replica, send, stop_all, wait_for_shares};
use crate::protocol::Protocol;
use crate::resources::Resources;

claims! {
    a_new_group_with_earliest_reads_all_100_messages(2) on Protocol::ALL;
    a_new_group_with_latest_skips_old_messages_and_reads_the_first_new_one(2) on Protocol::ALL;
    a_group_stopped_after_50_messages_continues_with_the_51st_even_with_latest(2) on Protocol::ALL;
    with_reset_error_and_no_committed_offset_the_service_stops_and_names_the_partitions(2) on Protocol::ALL;
    a_group_whose_next_messages_the_broker_deleted_waits_and_stays_healthy(2);
}

const RESET: &str = "KAFKA_AUTO_OFFSET_RESET";

fn with<'a>(protocol: Protocol, more: (&'a str, &'a str)) -> Vec<(&'a str, &'a str)> {
    protocol.variables().iter().copied().chain([more]).collect()
}

fn a_new_group_with_earliest_reads_all_100_messages(resources: &Resources, protocol: Protocol) -> Result<String> {
    let topic = resources.topic(1)?;
    send(&topic, 100)?;
    let mut replica = replica(&topic, "g", 0, &with(protocol, (RESET, "earliest")));
    replica.wait_until("all messages", |replica| replica.received_count() >= 100);
    stop_all([&mut replica])?;
    ensure!(replica.received() == (0..100).collect::<Vec<_>>(), "{}", replica.text());
    Ok("received 0 to 99".to_owned())
}

fn a_new_group_with_latest_skips_old_messages_and_reads_the_first_new_one(
    resources: &Resources,
    protocol: Protocol,
) -> Result<String> {
    let topic = resources.topic(1)?;
    let old = send(&topic, 100)?;
    let mut replicas = [replica(&topic, "g", 0, &with(protocol, (RESET, "latest")))];
    wait_for_shares(&replicas, 1, &[1])?;
    ensure!(replicas[0].stays(SILENCE, |replica| replica.received_count() == 0), "{}", replicas[0].text());
    let new = send(&topic, 1)?;
    replicas[0].wait_until("the first new message", |replica| replica.received() == [0]);
    stop_all(&mut replicas)?;
    let report = report([&old, &new, &replicas[0]]);
    ensure!(report.verdict(0) == Verdict::Proven && report.groups[0].not_owed == 100, "{report}");
    Ok(format!("nothing for {} s, then the 101st; the audit: 100 not owed, proven", SILENCE.as_secs()))
}

fn a_group_stopped_after_50_messages_continues_with_the_51st_even_with_latest(
    resources: &Resources,
    protocol: Protocol,
) -> Result<String> {
    let topic = resources.topic(1)?;
    send(&topic, 100)?;
    let mut first = replica(&topic, "g", 0, &with(protocol, ("CONSUMER_MAX_MESSAGES", "50")));
    ensure!(first.wait().code() == Some(0), "{}", first.text());
    let mut second = replica(&topic, "g", 1, &with(protocol, (RESET, "latest")));
    second.wait_until("the rest", |replica| replica.received_count() >= 50);
    stop_all([&mut second])?;
    ensure!(first.received() == (0..50).collect::<Vec<_>>(), "{}", first.text());
    ensure!(second.received() == (50..100).collect::<Vec<_>>(), "{}", second.text());
    Ok("received 0 to 49, then 50 to 99".to_owned())
}

fn with_reset_error_and_no_committed_offset_the_service_stops_and_names_the_partitions(
    resources: &Resources,
    protocol: Protocol,
) -> Result<String> {
    let topic = resources.topic(2)?;
    let mut replica = replica(&topic, "g", 0, &with(protocol, (RESET, "error")));
    let code = replica.wait().code();
    ensure!(code == Some(1), "{}", replica.text());
    let stopped = replica.with_message("service stopped");
    let reason = stopped.first().and_then(|line| line["reason"].as_str()).context("`service stopped` has no reason")?;
    ensure!(reason.contains("for partition 0, 1 in topic"), "{reason}");
    Ok("exit code 1, partitions 0 and 1 named".to_owned())
}

/// The replica starts at the beginning of the log, where nothing is left to read. Its committed offset stays far below the end, but
/// that is no reason to restart it. Its log says that the group had come to the committed offset, so what it missed is known.
fn a_group_whose_next_messages_the_broker_deleted_waits_and_stays_healthy(resources: &Resources) -> Result<String> {
    let topic = resources.topic(1)?;
    let producer = send(&topic, 100)?;
    let mut first = replica(&topic, "g", 0, &[("CONSUMER_MAX_MESSAGES", "50")]);
    ensure!(first.wait().code() == Some(0), "{}", first.text());
    topic.delete_before(&[100])?;
    let limit = Duration::from_secs(6);
    let short_limits = [
        ("HTTP_ADDR", "127.0.0.1:0"),
        ("KAFKA_SESSION_TIMEOUT_MS", "6000"),
        ("KAFKA_MAX_POLL_INTERVAL_MS", "6000"),
        ("KAFKA_PROP_STATISTICS_INTERVAL_MS", "100"),
    ];
    let mut second = [replica(&topic, "g", 1, &short_limits)];
    wait_for_shares(&second, 1, &[1])?;
    let [replica] = &second;
    // The deleted messages are no lag.
    replica.wait_until("the lag", |replica| {
        replica.ask("/metrics").1.lines().any(|line| line.starts_with(LAG) && line.ends_with(" 0"))
    });
    ensure!(replica.stays(limit * 2, |replica| replica.ask("/livez").0 == 200), "{}", replica.text());
    let later = send(&topic, 1)?;
    replica.wait_until("a new message", |replica| replica.received_count() == 1);
    stop_all(&mut second)?;
    let [second] = &second;
    // Also without the log of the replica that read before.
    for report in [report([&producer, &later, &first, second]), report([&producer, &later, second])] {
        let expired = report.groups[0].count(Class::Expired);
        ensure!(report.verdict(0) == Verdict::Violated && expired == 50, "{report}");
    }
    Ok(format!(
        "committed 50, the log begins at 100: alive for {} s, then received the 101st; the audit: 50 expired",
        (limit * 2).as_secs()
    ))
}

const LAG: &str = "kafka_consumer_lag_messages{";
