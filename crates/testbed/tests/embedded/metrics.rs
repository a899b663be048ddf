//! Compares `/metrics` with what happened, and with the table in `docs/metrics.md`.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use rustix::process::Signal;
use testbed::{Broker, BrokerProcess, Process, consumer, producer};

const LISTEN: (&str, &str) = ("HTTP_ADDR", "127.0.0.1:0");

fn scrape(service: &Process) -> String {
    let (status, text) = service.ask("/metrics");
    assert_eq!(status, 200);
    text
}

/// The sum of all series whose line begins with `series`.
fn value(service: &Process, series: &str) -> f64 {
    let text = scrape(service);
    let found: Vec<&str> = text.lines().filter(|line| line.starts_with(series)).collect();
    assert!(!found.is_empty(), "no {series} in:\n{text}");
    found.iter().filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
}

#[test]
fn counters_agree_with_the_messages() {
    let broker = Broker::start(2);
    broker.write(&[Some(b"rubbish"), None, Some(br#"{"num": 1, "ts": "2026-11-22 10:00:00"}"#)]);
    let variables = [LISTEN, ("PRODUCER_RATE_PER_SEC", "100"), ("KAFKA_AUTO_COMMIT_INTERVAL_MS", "100")];
    let [producer, replica] =
        [producer(&broker.variables(), &variables), consumer(&broker.variables(), "g", &variables)];
    replica.wait_until("the backlog and 100 more messages", |replica| replica.received_count() >= 103);
    replica.wait_until("a commit", |replica| value(replica, "kafka_consumer_commits_total{result=\"ok\"") > 0.0);
    replica.wait_until("the lag", |replica| scrape(replica).contains("kafka_consumer_lag_messages"));
    for (series, at_least) in [
        ("kafka_consumer_messages_received_total", 103.0),
        ("kafka_consumer_messages_processed_total", 103.0),
        ("kafka_consumer_end_to_end_latency_seconds_count", 103.0),
        ("kafka_consumer_rebalances_total{event=\"assigned\"", 1.0),
        ("kafka_client_ready", 1.0),
    ] {
        assert!(value(&replica, series) >= at_least, "{series} in:\n{}", scrape(&replica));
    }
    for (series, exactly) in [
        ("kafka_consumer_messages_bad_total{kind=\"not_json\"", 1.0),
        ("kafka_consumer_messages_bad_total{kind=\"null\"", 1.0),
        ("kafka_consumer_messages_bad_total", 2.0),
        ("kafka_consumer_owned_partitions", 2.0),
        ("kafka_consumer_rebalances_total{event=\"lost\"", 0.0),
        ("kafka_consumer_commits_total{result=\"failed\"", 0.0),
    ] {
        assert_eq!(value(&replica, series), exactly, "{series}");
    }
    assert!(value(&producer, "kafka_producer_messages_acknowledged_total") >= 100.0);
    assert!(value(&producer, "kafka_producer_acknowledgement_latency_seconds_count") >= 100.0);
    assert_eq!(value(&producer, "kafka_producer_messages_failed_total"), 0.0);
    let (last, start) = (value(&producer, "kafka_producer_last_ack"), value(&producer, "process_start_time_seconds"));
    assert!(last >= start, "last acknowledgement at {last}, process started at {start}");
}

/// Negative control of the zeros above: failures are counted when they happen.
#[test]
fn failures_are_counted_by_outcome_and_reason() {
    let broker = Broker::start(1);
    let refused = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED; 3];
    let producer = producer(&broker.variables(), &[LISTEN, ("PRODUCER_RATE_PER_SEC", "20")]);
    producer.wait_until("an acknowledgement", |producer| producer.delivered_count() > 0);
    broker.cluster.request_errors(RDKafkaApiKey::Produce, &refused);
    let failed = "kafka_producer_messages_failed_total{outcome=\"rejected\",reason=\"authorization\"";
    producer.wait_until("the failures", |producer| value(producer, failed) >= 3.0);
    let accepted = value(&producer, "kafka_producer_messages_accepted_total");
    assert!(accepted > value(&producer, "kafka_producer_messages_acknowledged_total"));

    let replica = consumer(&broker.variables(), "g", &[LISTEN, ("KAFKA_AUTO_COMMIT_INTERVAL_MS", "100")]);
    replica.wait_until("a commit", |replica| value(replica, "kafka_consumer_commits_total{result=\"ok\"") > 0.0);
    let refused = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED; 3];
    broker.cluster.request_errors(RDKafkaApiKey::OffsetCommit, &refused);
    replica.wait_until("a refusal", |replica| value(replica, "kafka_consumer_commits_total{result=\"failed\"") > 0.0);
}

#[test]
fn the_producer_accepts_messages_at_the_set_rate_while_the_broker_is_away() {
    let broker = BrokerProcess::start();
    let producer = producer(&broker.variables(), &[LISTEN, ("PRODUCER_RATE_PER_SEC", "100")]);
    producer.wait_until("an acknowledgement", |producer| producer.delivered_count() > 0);
    broker.process.signal(Signal::KILL);
    producer.wait_for("broker unreachable");
    let accepted = || value(&producer, "kafka_producer_messages_accepted_total");
    let assert_rate = |when: &str| {
        let (before, start) = (accepted(), Instant::now());
        producer.wait_until("five seconds", |_| start.elapsed() > Duration::from_secs(5));
        // 500 are due; a fifth of them is enough on a busy machine.
        assert!(accepted() - before >= 100.0, "{when}: {before} accepted, {} five seconds later", accepted());
    };
    assert_rate("at first");
    // After ten seconds the partitions are late, and the producer looks for the broker itself.
    let late = |producer: &Process| value(producer, "kafka_producer_late_partitions") > 0.0;
    producer.wait_until("late partitions", late);
    assert_rate("with late partitions");
}

/// The replica polls and the group is stable, but no message arrives although messages wait: only a restart may help.
#[test]
fn a_replica_that_receives_none_of_its_waiting_messages_is_not_alive() {
    let broker = Broker::start(1);
    let limit = [
        LISTEN,
        ("KAFKA_SESSION_TIMEOUT_MS", "6000"),
        ("KAFKA_MAX_POLL_INTERVAL_MS", "6000"),
        ("KAFKA_PROP_STATISTICS_INTERVAL_MS", "500"),
    ];
    let _producer = producer(&broker.variables(), &[("PRODUCER_RATE_PER_SEC", "10")]);
    let replica = consumer(&broker.variables(), "g", &limit);
    replica.wait_until("a message", |replica| replica.received_count() > 0);
    // Every fetch fails, for longer than the limit.
    let broken = vec![RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN; 100_000];
    broker.cluster.request_errors(RDKafkaApiKey::Fetch, &broken);
    replica.wait_until("not alive", |replica| {
        replica.ask("/livez") == (503, "messages are waiting but none arrives".to_owned())
    });
    assert_eq!(replica.ask("/readyz").0, 503);
    assert!(value(&replica, "kafka_consumer_lag_messages") > 0.0);
    broker.cluster.clear_request_errors(RDKafkaApiKey::Fetch);
    replica.wait_until("alive again", |replica| replica.ask("/livez").0 == 200);
}

#[test]
fn a_replica_without_waiting_messages_stays_alive() {
    let broker = Broker::start(1);
    let limit = [
        LISTEN,
        ("KAFKA_SESSION_TIMEOUT_MS", "6000"),
        ("KAFKA_MAX_POLL_INTERVAL_MS", "6000"),
        ("KAFKA_PROP_STATISTICS_INTERVAL_MS", "100"),
    ];
    let _producer = producer(&broker.variables(), &[("PRODUCER_MAX_MESSAGES", "1")]);
    let replica = consumer(&broker.variables(), "g", &limit);
    replica.wait_until("the message", |replica| replica.received_count() == 1);
    assert!(replica.stays(Duration::from_secs(10), |replica| replica.ask("/livez").0 == 200));
}

/// The rows that the table in the documentation should have for this service, from a scrape.
fn rows(service: &Process, who: &str, common: &[&str]) -> BTreeSet<String> {
    let text = scrape(service);
    let mut rows = BTreeSet::new();
    for help in text.lines().filter_map(|line| line.strip_prefix("# HELP ")) {
        let (name, help) = help.split_once(' ').expect("a help text");
        if name.starts_with("process_") {
            continue;
        }
        let kind = format!("# TYPE {name} ");
        let kind = text.lines().find_map(|line| line.strip_prefix(&kind)).expect("a type");
        let series: Vec<&str> =
            text.lines().filter(|line| line.starts_with(name) && line[name.len()..].starts_with(['{', '_'])).collect();
        assert!(!series.is_empty(), "{name} has a series from the start");
        let mut labels = BTreeSet::new();
        for labelled in series.iter().filter_map(|line| Some(line.split_once('{')?.1.rsplit_once('}')?.0)) {
            let names = labelled.split("\",").filter_map(|pair| Some(pair.split_once('=')?.0));
            labels.extend(names.filter(|name| *name != "le" && !common.contains(name)).map(str::to_owned));
            assert!(
                common.iter().all(|name| labelled.contains(&format!("{name}=\""))),
                "{name} has every common label"
            );
        }
        let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
        rows.insert(format!("| `{name}` | {kind} | {} | {who} | {help} |", labels.join(", ")));
    }
    rows
}

#[test]
fn the_documentation_lists_every_metric() {
    let broker = Broker::start(1);
    let settings = [LISTEN, ("KAFKA_PROP_STATISTICS_INTERVAL_MS", "200")];
    let producer = producer(&broker.variables(), &settings);
    let replica = consumer(&broker.variables(), "g", &settings);
    producer.wait_until("a broker", |producer| scrape(producer).contains("kafka_client_broker_connected{"));
    replica.wait_until("the lag", |replica| scrape(replica).contains("kafka_consumer_lag_messages{"));
    let (mut producer_rows, mut replica_rows) =
        (rows(&producer, "producer", &["topic"]), rows(&replica, "replica", &["topic", "group_id"]));
    let both: BTreeSet<String> = producer_rows
        .iter()
        .map(|row| row.replace("| producer |", "| both |"))
        .filter(|row| replica_rows.contains(&row.replace("| both |", "| replica |")))
        .collect();
    producer_rows.retain(|row| !both.contains(&row.replace("| producer |", "| both |")));
    replica_rows.retain(|row| !both.contains(&row.replace("| replica |", "| both |")));
    let scraped: Vec<&String> = both.iter().chain(&producer_rows).chain(&replica_rows).collect();
    let documented = include_str!("../../../../docs/metrics.md");
    let documented: Vec<&str> = documented.lines().filter(|line| line.starts_with("| `")).collect();
    assert_eq!(
        documented,
        scraped,
        "the table should be:\n{}",
        scraped.iter().map(|row| format!("{row}\n")).collect::<String>()
    );
}
