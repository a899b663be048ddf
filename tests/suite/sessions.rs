//! Where sessions begin: exactly where their lines say, and such that the group misses nothing that it was owed.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use audit::{Class, Verdict};
use journal::{Entry, Line};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rustix::process::Signal;
use testbed::{Process, producer, report};

use crate::claim::claims;
use crate::pair::{replica, send, stop_all, wait_for_shares};
use crate::protocol::Protocol;
use crate::resources::Resources;
use crate::topic::ANSWER_TIMEOUT;

claims! {
    a_latest_group_whose_only_replica_is_killed_before_its_first_message_misses_nothing(1) on Protocol::ALL;
    a_latest_group_that_starts_under_load_begins_exactly_where_its_log_says(2) on Protocol::ALL;
    messages_deleted_while_a_replica_is_frozen_are_logged_and_reported_as_expired(2) on Protocol::ALL;
    a_latest_group_begins_before_the_messages_of_an_open_transaction(1);
}

const LATEST: (&str, &str) = ("KAFKA_AUTO_OFFSET_RESET", "latest");

fn with_latest(protocol: Protocol) -> Vec<(&'static str, &'static str)> {
    protocol.with_short_session().into_iter().chain([LATEST]).collect()
}

/// The offset at which the first session of a replica begins in partition 0, by `latest`.
fn beginning(replica: &Process) -> Option<i64> {
    replica.lines().iter().find_map(|Line { entry, .. }| match entry {
        Entry::Assigned(assigned) => assigned.begin.latest.first().map(|(_, offset)| *offset),
        _ => None,
    })
}

fn a_latest_group_whose_only_replica_is_killed_before_its_first_message_misses_nothing(
    resources: &Resources,
    protocol: Protocol,
) -> Result<String> {
    let topic = resources.topic(1)?;
    let old = send(&topic, 10)?;
    let mut killed = replica(&topic, "g", 0, &with_latest(protocol));
    topic.offsets("g")?.wait_for_all(10)?;
    killed.kill();
    let new = send(&topic, 20)?;
    let mut heir = replica(&topic, "g", 1, &with_latest(protocol));
    heir.wait_until("the new messages", |replica| replica.received_count() >= 20);
    stop_all([&mut heir])?;
    let whole = report([&old, &new, &killed, &heir]);
    ensure!(whole.verdict(0) == Verdict::Proven && whole.groups[0].not_owed == 10, "{whole}");
    // Negative control: without the heir, the group would have missed them.
    let control = report([&old, &new, &killed]);
    ensure!(control.verdict(0) == Verdict::Insufficient && control.groups[0].in_flight == 20, "{control}");
    Ok("10 not owed, 20 of 20 received by the next replica".to_owned())
}

fn a_latest_group_that_starts_under_load_begins_exactly_where_its_log_says(
    resources: &Resources,
    protocol: Protocol,
) -> Result<String> {
    let topic = resources.topic(1)?;
    let load = [("PRODUCER_RATE_PER_SEC", "500"), ("LOG_MESSAGES", "each")];
    let mut producer = producer(&topic.variables(), &load);
    producer.wait_for("message delivered");
    let settings: Vec<_> = protocol.variables().iter().copied().chain([LATEST]).collect();
    let mut replica = replica(&topic, "g", 0, &settings);
    replica.wait_until("messages", |replica| replica.received_count() >= 200);
    stop_all([&mut producer])?;
    topic.offsets("g")?.wait_until("commits of all messages", |committed, ends| committed == ends)?;
    stop_all([&mut replica])?;
    let begun = beginning(&replica).context("no session began by `latest`")?;
    let report = report([&producer, &replica]);
    // Were one of the messages from that offset on not received, it would be missing.
    // On a busy machine the replica may lose its session, which causes repeats.
    ensure!(report.verdict(u64::MAX) == Verdict::Proven, "{report}");
    let (sent, not_owed, received) =
        (report.runs[0].acknowledged, report.groups[0].not_owed, report.groups[0].distinct);
    ensure!(not_owed == begun.unsigned_abs() && not_owed + received == sent && not_owed > 0, "{report}");
    Ok(format!("began at {begun} of {sent} and received the other {received}"))
}

fn messages_deleted_while_a_replica_is_frozen_are_logged_and_reported_as_expired(
    resources: &Resources,
    protocol: Protocol,
) -> Result<String> {
    let topic = resources.topic(1)?;
    let mut replica = replica(&topic, "g", 0, protocol.variables());
    wait_for_shares(std::slice::from_ref(&replica), 1, &[1])?;
    let first = send(&topic, 50)?;
    replica.wait_until("the first messages", |replica| replica.received_count() >= 50);
    replica.signal(Signal::STOP);
    let second = send(&topic, 100)?;
    topic.delete_before(&[140])?;
    replica.signal(Signal::CONT);
    replica.wait_for("position reset");
    topic.offsets("g")?.wait_for_all(150)?;
    stop_all([&mut replica])?;
    let report = report([&first, &second, &replica]);
    let (expired, missing) = (report.groups[0].count(Class::Expired), report.groups[0].count(Class::Missing));
    ensure!(report.verdict(u64::MAX) == Verdict::Violated && expired > 0 && missing == 0, "{report}");
    ensure!(expired + report.groups[0].received == 150, "{report}");
    Ok(format!("{expired} of 150 expired, {} received, 0 missing", report.groups[0].received))
}

fn a_latest_group_begins_before_the_messages_of_an_open_transaction(resources: &Resources) -> Result<String> {
    let topic = resources.topic(1)?;
    send(&topic, 10)?;
    let mut config = topic.client_config();
    let writer: BaseProducer = config.set("transactional.id", &topic.name).create()?;
    writer.init_transactions(ANSWER_TIMEOUT)?;
    writer.begin_transaction()?;
    for _ in 0..5 {
        let record = BaseRecord::<(), [u8]>::to(&topic.name).payload(br#"{"num": 0, "ts": "x"}"#);
        writer.send(record).map_err(|(error, _)| error)?;
    }
    writer.flush(ANSWER_TIMEOUT)?;
    let mut replica = replica(&topic, "g", 0, &with_latest(Protocol::Cooperative));
    wait_for_shares(std::slice::from_ref(&replica), 1, &[1])?;
    // It waits at the open transaction.
    ensure!(replica.stays(Duration::from_secs(1), |replica| replica.received_count() == 0), "{}", replica.text());
    writer.commit_transaction(ANSWER_TIMEOUT)?;
    replica.wait_until("the messages of the transaction", |replica| replica.received_count() >= 5);
    stop_all([&mut replica])?;
    ensure!(beginning(&replica) == Some(10), "{}", replica.text());
    Ok("began at 10, before 5 open messages, and received them after the commit".to_owned())
}
