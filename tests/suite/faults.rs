//! Faults that are planted on a real broker, each of which the audit must find and name.

use anyhow::{Context as _, Result, ensure};
use audit::{Class, Report, Verdict};
use journal::Entry;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{Offset, TopicPartitionList};
use testbed::report;

use crate::claim::claims;
use crate::load::Load;
use crate::pair::{replica, send, stop_all};
use crate::protocol::Protocol;
use crate::resources::Resources;
use crate::topic::{ANSWER_TIMEOUT, Topic};

claims! {
    offsets_that_an_operator_moves_ahead_are_reported_as_skipped_messages(1);
    offsets_that_an_operator_moves_back_are_reported_as_repeated_messages(1);
    a_second_writer_that_repeats_a_number_of_a_run_is_reported(1);
    damaged_logs_of_a_run_with_a_kill_are_never_a_violation_and_never_a_proof(4) on [Protocol::Cooperative, Protocol::Consumer];
}

/// Commits an offset for a group without members.
fn move_offset(topic: &Topic, offset: i64) -> Result<()> {
    let mut config = topic.client_config();
    let operator: BaseConsumer = config.set("group.id", topic.group("g")).create()?;
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&topic.name, 0, Offset::Offset(offset))?;
    Ok(operator.commit(&list, CommitMode::Sync)?)
}

/// A group reads 100 messages; 100 more are sent, the group's offset is moved, and it reads on.
fn with_moved_offset(resources: &Resources, offset: i64) -> Result<Report> {
    let topic = resources.topic(1)?;
    let first = send(&topic, 100)?;
    let offsets = topic.offsets("g")?;
    let mut before = replica(&topic, "g", 0, &[]);
    offsets.wait_for_all(100)?;
    stop_all([&mut before])?;
    let second = send(&topic, 100)?;
    move_offset(&topic, offset)?;
    let mut after = replica(&topic, "g", 1, &[]);
    after.wait_until("the rest", |replica| i64::try_from(replica.received_count()) == Ok(200 - offset));
    offsets.wait_for_all(200)?;
    stop_all([&mut after])?;
    Ok(report([&first, &second, &before, &after]))
}

fn offsets_that_an_operator_moves_ahead_are_reported_as_skipped_messages(resources: &Resources) -> Result<String> {
    let report = with_moved_offset(resources, 150)?;
    let skipped = report.groups[0].count(Class::Skipped);
    ensure!(report.verdict(u64::MAX) == Verdict::Violated && skipped == 50, "{report}");
    // Negative control: the same steps without a move are proven.
    let control = with_moved_offset(resources, 100)?;
    ensure!(control.verdict(0) == Verdict::Proven, "{control}");
    Ok("moved from 100 to 150: 50 skipped; control: not moved, proven".to_owned())
}

fn offsets_that_an_operator_moves_back_are_reported_as_repeated_messages(resources: &Resources) -> Result<String> {
    let report = with_moved_offset(resources, 60)?;
    let repeated = report.groups[0].count(Class::Repeated);
    ensure!(report.verdict(39) == Verdict::Violated && repeated == 40, "{report}");
    ensure!(report.verdict(40) == Verdict::Proven, "{report}");
    Ok("moved from 100 to 60: 40 repeated, nothing else".to_owned())
}

fn a_second_writer_that_repeats_a_number_of_a_run_is_reported(resources: &Resources) -> Result<String> {
    let topic = resources.topic(1)?;
    let sender = send(&topic, 100)?;
    let run = sender.lines().iter().find_map(|line| match &line.entry {
        Entry::Starting(starting) => starting.run,
        _ => None,
    });
    let key = format!("{}-7", run.context("the producer has no run")?);
    let writer: BaseProducer = topic.client_config().create()?;
    let record = BaseRecord::to(&topic.name).key(&key).payload(r#"{"num": 6, "ts": "again"}"#);
    writer.send(record).map_err(|(error, _)| error)?;
    writer.flush(ANSWER_TIMEOUT)?;
    let mut reader = replica(&topic, "g", 0, &[]);
    topic.offsets("g")?.wait_for_all(101)?;
    stop_all([&mut reader])?;
    let report = report([&sender, &reader]);
    let group = &report.groups[0];
    ensure!(report.verdict(u64::MAX) == Verdict::Violated && group.count(Class::ProducedTwice) == 1, "{report}");
    ensure!(group.count(Class::Repeated) == 0 && group.count(Class::Missing) == 0, "{report}");
    Ok("1 of 101 produced twice, 0 repeated".to_owned())
}

fn damaged_logs_of_a_run_with_a_kill_are_never_a_violation_and_never_a_proof(
    resources: &Resources,
    protocol: Protocol,
) -> Result<String> {
    let run = || -> Result<_> {
        let settings = protocol.with_short_session().into_iter().chain([("LOG_MESSAGES", "summary")]).collect();
        let mut load = Load::start(&resources.kafka()?.endpoint(), 3, settings)?;
        load.kill(0);
        load.wait_for_shares(10, &[5, 5])?;
        load.wait_for_flow()?;
        let report = load.stop_and_report()?;
        ensure!(report.verdict(u64::MAX) == Verdict::Proven, "{report}");
        Ok(load.written())
    };
    let (written, other) = (run()?, run()?);
    testbed::damage::assert_that_damage_is_never_a_violation_and_never_a_proof(&written, &other);
    Ok(format!("{} lines, 300 times damaged and mixed with another run: as stated", written.len()))
}
