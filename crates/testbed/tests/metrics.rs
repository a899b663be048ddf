//! What `/metrics` shows is what happened, and what `docs/metrics.md` says.

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

/// The sum of the series that begin so.
fn value(service: &Process, series: &str) -> f64 {
    let text = scrape(service);
    let found: Vec<&str> = text.lines().filter(|line| line.starts_with(series)).collect();
    assert!(!found.is_empty(), "no {series} in:\n{text}");
    found.iter().filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
}

#[test]
fn the_counters_agree_with_the_messages() {
    let broker = Broker::start(2);
    broker.write(&[Some(b"rubbish"), None, Some(br#"{"num": 1, "ts": "2026-11-22 10:00:00"}"#)]);
    let once = [LISTEN, ("PRODUCER_RATE_PER_SEC", "100"), ("KAFKA_AUTO_COMMIT_INTERVAL_MS", "100")];
    let [producer, replica] = [producer(&broker.variables(), &once), consumer(&broker.variables(), "g", &once)];
    replica.wait_until("the backlog, and a hundred more", |it| it.received_count() >= 103);
    replica.wait_until("a commit", |it| value(it, "kafka_consumer_commits_total{result=\"ok\"") > 0.0);
    replica.wait_until("the lag", |it| scrape(it).contains("kafka_consumer_lag_messages"));
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
    assert!(last >= start, "{last} {start}");
}

/// Negative control of the zeros above: what goes wrong is counted.
#[test]
fn failures_are_counted_by_outcome_and_reason() {
    let broker = Broker::start(1);
    let refused = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED; 3];
    let producer = producer(&broker.variables(), &[LISTEN, ("PRODUCER_RATE_PER_SEC", "20")]);
    producer.wait_until("an acknowledgement", |it| it.delivered_count() > 0);
    broker.cluster.request_errors(RDKafkaApiKey::Produce, &refused);
    let failed = "kafka_producer_messages_failed_total{outcome=\"rejected\",reason=\"authorization\"";
    producer.wait_until("the failures", |it| value(it, failed) >= 3.0);
    let accepted = value(&producer, "kafka_producer_messages_accepted_total");
    assert!(accepted > value(&producer, "kafka_producer_messages_acknowledged_total"));

    let replica = consumer(&broker.variables(), "g", &[LISTEN, ("KAFKA_AUTO_COMMIT_INTERVAL_MS", "100")]);
    replica.wait_until("a commit", |it| value(it, "kafka_consumer_commits_total{result=\"ok\"") > 0.0);
    let refused = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED; 3];
    broker.cluster.request_errors(RDKafkaApiKey::OffsetCommit, &refused);
    replica.wait_until("a refusal", |it| value(it, "kafka_consumer_commits_total{result=\"failed\"") > 0.0);
}

#[test]
fn messages_are_accepted_at_their_rate_while_the_broker_is_away() {
    let broker = BrokerProcess::start();
    let producer = producer(&broker.variables(), &[LISTEN, ("PRODUCER_RATE_PER_SEC", "100")]);
    producer.wait_until("an acknowledgement", |it| it.delivered_count() > 0);
    broker.process.signal(Signal::KILL);
    producer.wait_for("broker unreachable");
    let accepted = || value(&producer, "kafka_producer_messages_accepted_total");
    let (before, start) = (accepted(), Instant::now());
    producer.wait_until("five seconds", |_| start.elapsed() > Duration::from_secs(5));
    // A fifth of what is due, for a busy machine.
    assert!(accepted() - before >= 100.0, "{before} and five seconds later {}", accepted());
}

/// A replica whose loop goes round, whose group is content, and which gets nothing: only a restart may help.
#[test]
fn a_replica_that_messages_wait_for_in_vain_is_called_dead() {
    let broker = Broker::start(1);
    let limit = [
        LISTEN,
        ("KAFKA_SESSION_TIMEOUT_MS", "6000"),
        ("KAFKA_MAX_POLL_INTERVAL_MS", "6000"),
        ("KAFKA_PROP_STATISTICS_INTERVAL_MS", "500"),
    ];
    let _producer = producer(&broker.variables(), &[("PRODUCER_RATE_PER_SEC", "10")]);
    let replica = consumer(&broker.variables(), "g", &limit);
    replica.wait_until("a message", |it| it.received_count() > 0);
    // Each fetch comes back empty-handed, for longer than the limit.
    let broken = vec![RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN; 100_000];
    broker.cluster.request_errors(RDKafkaApiKey::Fetch, &broken);
    replica.wait_until("not alive", |it| it.ask("/livez") == (503, "messages wait, and none arrives".to_owned()));
    assert_eq!(replica.ask("/readyz").0, 503);
    assert!(value(&replica, "kafka_consumer_lag_messages") > 0.0);
    broker.cluster.clear_request_errors(RDKafkaApiKey::Fetch);
    replica.wait_until("alive again", |it| it.ask("/livez").0 == 200);
}

/// A replica that has nothing to read is well, however long that lasts.
#[test]
fn a_replica_that_nothing_waits_for_stays_alive() {
    let broker = Broker::start(1);
    let limit = [
        LISTEN,
        ("KAFKA_SESSION_TIMEOUT_MS", "6000"),
        ("KAFKA_MAX_POLL_INTERVAL_MS", "6000"),
        ("KAFKA_PROP_STATISTICS_INTERVAL_MS", "100"),
    ];
    let _once = producer(&broker.variables(), &[("PRODUCER_MAX_MESSAGES", "1")]);
    let replica = consumer(&broker.variables(), "g", &limit);
    replica.wait_until("the message", |it| it.received_count() == 1);
    assert!(replica.stays(Duration::from_secs(10), |it| it.ask("/livez").0 == 200));
}

/// Rows of the table in the documentation, as a scrape shows them.
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
        assert!(!series.is_empty(), "{name} is there from the start");
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
fn the_documentation_lists_what_is_shown() {
    let broker = Broker::start(1);
    let producer = producer(&broker.variables(), &[LISTEN]);
    let replica = consumer(&broker.variables(), "g", &[LISTEN, ("KAFKA_PROP_STATISTICS_INTERVAL_MS", "200")]);
    replica.wait_until("the lag", |it| scrape(it).contains("kafka_consumer_lag_messages{"));
    let (mut of_producer, mut of_replica) =
        (rows(&producer, "producer", &["topic"]), rows(&replica, "replica", &["topic", "group_id"]));
    let both: BTreeSet<String> = of_producer
        .iter()
        .map(|row| row.replace("| producer |", "| both |"))
        .filter(|row| of_replica.contains(&row.replace("| both |", "| replica |")))
        .collect();
    of_producer.retain(|row| !both.contains(&row.replace("| producer |", "| both |")));
    of_replica.retain(|row| !both.contains(&row.replace("| replica |", "| both |")));
    let shown: Vec<&String> = both.iter().chain(&of_producer).chain(&of_replica).collect();
    let documented = include_str!("../../../docs/metrics.md");
    let documented: Vec<&str> = documented.lines().filter(|line| line.starts_with("| `")).collect();
    assert_eq!(
        documented,
        shown,
        "the table should be:\n{}",
        shown.iter().map(|row| format!("{row}\n")).collect::<String>()
    );
}
