//! A broker that throttles a client because of a quota lets it wait on purpose. That is no outage.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use audit::Verdict;
use testbed::{Process, consumer, producer, report};

use crate::claim::claims;
use crate::pair::stop_all;
use crate::resources::Resources;

claims! {
    a_client_that_its_quota_makes_wait_for_longer_than_ten_seconds_is_told_so_and_stays_ready(2);
}

const THROTTLED: &str = "broker throttles this client";
/// Messages a second: about twenty times as many bytes as the quota permits. A request of 2,500 messages, or of half as many on a busy
/// machine, waits for more than ten seconds then.
const RATE: &str = "2000";
const BYTES_PER_SECOND: u32 = 9_000;
const OBSERVED: Duration = Duration::from_secs(45);
/// Without quotas a partition that has no outcome, or no answer, for longer than this is late.
const LATE_AFTER_MS: u64 = 10_000;

fn a_client_that_its_quota_makes_wait_for_longer_than_ten_seconds_is_told_so_and_stays_ready(
    resources: &Resources,
) -> Result<String> {
    let topic = resources.topic(2)?;
    let quotas = |change: &str, quotas: &str| {
        let entity = ["--entity-type", "clients", "--entity-name", &topic.name];
        resources.kafka()?.tool("kafka-configs.sh", &[&["--alter", change, quotas], &entity[..]].concat()).map(drop)
    };
    quotas("--add-config", &format!("producer_byte_rate={BYTES_PER_SECOND},consumer_byte_rate={BYTES_PER_SECOND}"))?;
    let common = [
        ("KAFKA_CLIENT_ID", topic.name.as_str()),
        ("HTTP_ADDR", "127.0.0.1:0"),
        ("LOG_MESSAGES", "summary"),
        ("KAFKA_DELIVERY_TIMEOUT_MS", "300000"),
    ];
    let mut replica = consumer(&topic.variables(), &topic.group("g"), &common[..3]);
    replica.wait_until("partitions", |replica| replica.owned().is_some_and(|owned| owned.len() == 2));
    let mut producer = producer(&topic.variables(), &[&common[..], &[("PRODUCER_RATE_PER_SEC", RATE)]].concat());

    let start = Instant::now();
    let is_ready = |process: &Process| process.ask("/readyz").0 == 200;
    for process in [&producer, &replica] {
        process.wait_until("ready", is_ready);
    }
    while start.elapsed() < OBSERVED {
        for process in [&producer, &replica] {
            let (status, reason) = process.ask("/readyz");
            ensure!(status == 200, "not ready after {:?}: {reason}", start.elapsed());
        }
        std::thread::park_timeout(Duration::from_millis(500));
    }
    let longest = |process: &Process| {
        let lines = process.with_message(THROTTLED);
        lines.iter().filter_map(|line| line["throttle_ms"].as_u64()).max().context("nobody says that it is throttled")
    };
    let (of_producer, of_replica) = (longest(&producer)?, longest(&replica)?);
    ensure!(of_producer > LATE_AFTER_MS, "control: throttled for {of_producer} ms only, which nobody would call late");
    for complaint in ["messages are not acknowledged", "partitions are not received"] {
        for process in [&producer, &replica] {
            ensure!(process.with_message(complaint).is_empty(), "a complaint: {}", process.text());
        }
    }

    quotas("--delete-config", "producer_byte_rate,consumer_byte_rate")?;
    for process in [&producer, &replica] {
        process.wait_for("brokers no longer throttle this client");
    }
    ensure!(producer.stop().0 == Some(0), "the producer did not deliver everything: {}", producer.text());
    let sent = producer.delivered_count();
    replica.wait_until("all messages", |replica| replica.received_count() >= sent);
    stop_all([&mut replica])?;
    let report = report([&producer, &replica]);
    ensure!(report.verdict(0) == Verdict::Proven, "{report}");
    Ok(format!("throttled for up to {of_producer} and {of_replica} ms; {sent} acknowledged, 0 missing, 0 repeated"))
}
