//! Compares the lines that the services write with their description in `docs/log.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use serde_json::Value;
use testbed::{Broker, Process, consumer, producer};

/// Fields of every line.
const COMMON: [&str; 6] = ["timestamp", "level", "message", "client_id", "instance", "seq"];

/// The documented levels and fields of each message.
fn documented() -> BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)> {
    let rows = include_str!("../../../../docs/log.md").lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let list = |cell: &str| cell.split(", ").map(|word| word.trim_matches('`').to_owned()).collect();
        (cells[1].trim_matches('`').to_owned(), (list(cells[2]), list(cells[4])))
    })
    .collect()
}

fn lines(processes: &[&Process]) -> Vec<Value> {
    let text: String = processes.iter().map(|process| process.text()).collect();
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

/// The messages that the source of the services logs: of each call of a macro such as `warn!` the first text that is not the value of a
/// field. A message that is put together when it is logged is left out.
fn messages_logged_in(sources: &[String]) -> BTreeSet<String> {
    let calls = sources.iter().flat_map(|source| {
        ["debug!(", "info!(", "warn!(", "error!("].into_iter().flat_map(|call| source.split(call).skip(1))
    });
    let message = |call: &str| {
        // The statement ends before the next one begins.
        let statement = call.split(";\n").next()?;
        let mut texts = statement.split('"');
        while let (Some(before), Some(text)) = (texts.next(), texts.next()) {
            if before.trim_end().ends_with(',') || before.trim().is_empty() {
                return (!text.starts_with('{')).then(|| text.to_owned());
            }
        }
        None
    };
    calls.filter_map(message).collect()
}

/// The source files of what the services consist of.
fn sources() -> Vec<String> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the folder of the crates");
    let mut sources = Vec::new();
    for name in ["consumer-svc", "producer-svc", "service", "journal"] {
        read_sources(&crates.join(name).join("src"), &mut sources);
    }
    sources
}

fn read_sources(folder: &Path, sources: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder that can be read") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            read_sources(&path, sources);
        } else {
            sources.push(std::fs::read_to_string(&path).expect("a source file"));
        }
    }
}

#[test]
fn the_source_logs_what_is_documented_and_nothing_else() {
    let (sources, documented) = (sources(), documented());
    let logged = messages_logged_in(&sources);
    assert!(logged.len() > 25, "too few messages were found: {logged:?}");
    let missing: Vec<&String> = logged.iter().filter(|message| !documented.contains_key(*message)).collect();
    assert!(missing.is_empty(), "docs/log.md lacks {missing:?}");
    let is_in_a_source = |message: &str| sources.iter().any(|source| source.contains(&format!(r#""{message}""#)));
    let surplus: Vec<&String> = documented.keys().filter(|message| !is_in_a_source(message)).collect();
    assert!(surplus.is_empty(), "docs/log.md describes {surplus:?}, which no service logs");
}

#[test]
fn every_line_is_documented_with_its_level_and_fields() {
    let broker = Broker::start(0);
    let noisy = [
        ("HTTP_ADDR", "127.0.0.1:0"),
        ("RUST_LOG", "debug"),
        ("KAFKA_TOPICS", "misspelt"),
        ("KAFKA_AUTO_COMMIT_INTERVAL_MS", "100"),
        ("PRODUCER_RATE_PER_SEC", "100"),
    ];
    let mut each = producer(&broker.variables(), &noisy);
    let mut replicas = [
        consumer(&broker.variables(), "g", &noisy),
        consumer(&broker.variables(), "g", &[("LOG_MESSAGES", "summary")]),
    ];
    each.wait_for("topic missing");
    broker.create_topic(2);
    broker.write(&[Some(b"rubbish"), None]);
    let mut summary = producer(&broker.variables(), &[("LOG_MESSAGES", "summary"), ("PRODUCER_RATE_PER_SEC", "100")]);
    summary.wait_for("messages delivered");
    replicas[0].wait_for("message received");
    replicas[1].wait_for("messages received");
    let refused = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED; 5];
    broker.cluster.request_errors(RDKafkaApiKey::OffsetCommit, &refused);
    replicas[0].wait_for("commit failed");
    let refused = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED; 5];
    broker.cluster.request_errors(RDKafkaApiKey::Produce, &refused);
    each.wait_until("a failure", |producer| {
        !producer.with_message("messages not delivered").is_empty()
            || !summary.with_message("messages not delivered").is_empty()
    });
    each.stop();
    summary.stop();
    for replica in &mut replicas {
        replica.stop();
    }

    let documented = documented();
    let mut compared = BTreeSet::new();
    for line in lines(&[&each, &summary, &replicas[0], &replicas[1]]) {
        let (message, level) = (line["message"].as_str().expect("a message"), line["level"].as_str().expect("a level"));
        let (levels, fields) = documented.get(message).unwrap_or_else(|| panic!("not documented: {line}"));
        assert!(levels.contains(level), "the documentation has another level: {line}");
        for field in line.as_object().expect("an object").keys() {
            assert!(
                COMMON.contains(&field.as_str()) || field == "account" || fields.contains(field),
                "{field} is not documented: {line}"
            );
        }
        assert!(COMMON.iter().all(|field| !line[*field].is_null()), "a common field is missing: {line}");
        compared.insert(message.to_owned());
    }
    for message in [
        "service starting",
        "message delivered",
        "messages delivered",
        "messages not delivered",
        "run closed",
        "message received",
        "messages received",
        "bad message skipped",
        "service stopped",
        "partitions assigned",
        "partitions revoked",
        "topic found",
        "commit failed",
        "unknown variable ignored",
    ] {
        assert!(compared.contains(message), "no service wrote `{message}`, so it was not compared");
    }
}
