//! One replica: messages that can't be decoded, a log that can't be written, and stopping while the broker does not answer.

use std::io::Read as _;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use testbed::{Broker, BrokerProcess, Process, binary, consumer, producer};

/// The longest time that stopping may take while the broker answers, and while it does not.
const STOP_LIMIT: Duration = Duration::from_secs(3);
const STOP_LIMIT_WITHOUT_BROKER: Duration = Duration::from_secs(10);

/// Values that a replica can't decode, and the kind under which it counts each.
fn bad_values() -> Vec<(Option<Vec<u8>>, &'static str)> {
    vec![
        (Some(b"hello".to_vec()), "not_json"),
        (Some(b"".to_vec()), "not_json"),
        (Some(br#"{"num": "1", "ts": "x"}"#.to_vec()), "wrong_type"),
        (Some(b"[]".to_vec()), "wrong_type"),
        (None, "null"),
        (Some("9".repeat(1_000_000).into_bytes()), "too_large"),
        (Some(format!("{}{}", "[".repeat(1000), "]".repeat(1000)).into_bytes()), "wrong_type"),
        (Some(b"{\"num\": 1, \"ts\": \"\xff\"}".to_vec()), "invalid_utf8"),
        (Some(b"\x1b[2J\nERROR everything is lost".to_vec()), "not_json"),
    ]
}

/// Writes all bad values to partition 0, and a good message with the number 7 after them.
fn write_bad_values(broker: &Broker) {
    let bad = bad_values();
    let mut values: Vec<Option<&[u8]>> = bad.iter().map(|(value, _)| value.as_deref()).collect();
    values.push(Some(br#"{"num": 7, "ts": "the good message after all the bad ones"}"#));
    broker.write(&values);
}

#[test]
fn bad_messages_are_counted_by_kind_logged_safely_and_skipped() {
    let broker = Broker::start(1);
    write_bad_values(&broker);
    let mut replica = consumer(&broker.variables(), "g", &[("LOG_MESSAGES", "each")]);
    replica.wait_until("the good message", |replica| replica.received() == [7]);
    broker.wait_for_commits("g", 1, bad_values().len() as i64 + 1);
    assert_eq!(replica.stop().0, Some(0));

    let skipped = replica.with_message("bad message skipped");
    let kinds: Vec<&str> = skipped.iter().filter_map(|line| line["kind"].as_str()).collect();
    assert_eq!(kinds, bad_values().iter().map(|(_, kind)| *kind).collect::<Vec<_>>());
    for line in &skipped {
        let payload = line["payload"].as_str().unwrap_or_default();
        assert!(payload.is_ascii() && !payload.contains(['\u{1b}', '\n']), "{payload}");
        assert!(payload.len() <= 200 * 4 + 4, "the payload is cut to 200 bytes, escaped: {}", payload.len());
    }
    assert!(!replica.text().contains('\u{1b}'));
    assert!(
        replica.text().lines().all(|line| serde_json::from_str::<Value>(line).is_ok()),
        "each line is one JSON object"
    );
}

#[test]
fn a_summary_counts_bad_messages_and_includes_their_offsets() {
    let broker = Broker::start(1);
    write_bad_values(&broker);
    let mut replica = consumer(&broker.variables(), "g", &[("LOG_MESSAGES", "summary")]);
    let all = bad_values().len() as u64 + 1;
    replica.wait_until("all messages", |replica| replica.received_count() == all);
    assert_eq!(replica.stop().0, Some(0));
    let summaries = replica.with_message("messages received");
    let bad: u64 = summaries
        .iter()
        .filter_map(|line| line["bad"].as_object())
        .flat_map(|counts| counts.values())
        .filter_map(Value::as_u64)
        .sum();
    assert_eq!(bad, all - 1);
    assert_eq!(summaries.last().unwrap()["ranges"][0]["offset"][1], all - 1);
}

#[test]
fn messages_that_could_not_be_logged_are_left_to_the_next_replica() {
    let broker = Broker::start(1);
    let mut producer =
        producer(&broker.variables(), &[("PRODUCER_RATE_PER_SEC", "500"), ("PRODUCER_MAX_MESSAGES", "50")]);
    assert_eq!(producer.wait().code(), Some(0));
    let mut variables = broker.variables();
    variables.push(("KAFKA_GROUP_ID".into(), "g".into()));
    for mode in ["each", "summary"] {
        // The log is a pipe that the reader closes after the first lines, so that later lines can't be written.
        let mut with_mode = variables.clone();
        with_mode.push(("LOG_MESSAGES".into(), mode.into()));
        let (reader, writer) = std::io::pipe().unwrap();
        let mut replica = Process::start_with(binary("consumer-svc"), &[], &with_mode, Stdio::from(writer));
        read_until_assigned(reader);
        assert_eq!(replica.wait().code(), Some(1), "{}", replica.text());
        assert!(replica.text().contains("could not write the log"), "{}", replica.text());
    }
    let mut next = consumer(&broker.variables(), "g", &[]);
    next.wait_until("all messages", |replica| replica.received_count() >= 50);
    assert_eq!(next.stop().0, Some(0));
    assert_eq!(next.received(), (0..50).collect::<Vec<_>>());
}

/// The last resort for a log that cannot be written is standard error, and often both have the same reader.
#[test]
fn ends_in_time_although_nobody_reads_its_log_and_its_errors() {
    let broker = Broker::start(1);
    let mut variables = broker.variables();
    let settings = [("KAFKA_GROUP_ID", "g"), ("LOG_MESSAGES", "each"), ("SHUTDOWN_TIMEOUT_MS", "1000")];
    variables.extend(settings.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let (mut reader, writer) = std::io::pipe().unwrap();
    let program = binary("consumer-svc");
    let both = ["-c", "exec \"$0\" 2>&1", program.to_str().unwrap()];
    let mut replica = Process::start_with("/bin/sh".into(), &both, &variables, Stdio::from(writer));
    // One line shows that the service runs. The rest stays in the pipe, which becomes full.
    reader.read_exact(&mut [0]).unwrap();
    let line = br#"{"num": 1, "ts": "2026-11-22 10:00:00"}"#.as_slice();
    broker.write(&vec![Some(line); 2000]);
    replica.wait_until("a full pipe", |_| rustix::io::ioctl_fionread(&reader).is_ok_and(|waiting| waiting > 60_000));
    let (code, took) = replica.stop();
    assert_eq!(code, Some(1));
    assert!(took < STOP_LIMIT_WITHOUT_BROKER, "{took:?}");
}

/// Reads lines up to `topic found`, the last line before messages arrive, and closes the pipe.
fn read_until_assigned(reader: std::io::PipeReader) {
    use std::io::BufRead as _;
    let lines = std::io::BufReader::new(reader).lines();
    let found = lines.map_while(Result::ok).any(|line| line.contains("topic found"));
    assert!(found, "the log ended before `topic found`");
}

/// Starts a producer and a replica, and waits until messages arrive.
fn receiving_from(broker: &BrokerProcess) -> (Process, Process) {
    let replica = consumer(&broker.variables(), "g", &[]);
    let producer = producer(&broker.variables(), &[("PRODUCER_RATE_PER_SEC", "50")]);
    replica.wait_until("messages", |replica| replica.received_count() > 50);
    (producer, replica)
}

#[test]
fn stops_at_once_while_the_broker_answers() {
    let broker = BrokerProcess::start();
    let (_producer, mut replica) = receiving_from(&broker);
    let (code, took) = replica.stop();
    assert_eq!(code, Some(0), "{}", replica.text());
    assert!(took < STOP_LIMIT, "{took:?}");
}

#[test]
fn stops_in_time_without_a_broker_and_logs_which_offsets_are_not_committed() {
    let mut broker = BrokerProcess::start();
    let (_producer, mut replica) = receiving_from(&broker);
    broker.process.kill();
    stops_in_time_and_logs_uncommitted_offsets(&mut replica);
}

#[test]
fn stops_in_time_while_the_broker_is_frozen_and_logs_which_offsets_are_not_committed() {
    let broker = BrokerProcess::start();
    let (_producer, mut replica) = receiving_from(&broker);
    broker.process.signal(Signal::STOP);
    stops_in_time_and_logs_uncommitted_offsets(&mut replica);
}

fn stops_in_time_and_logs_uncommitted_offsets(replica: &mut Process) {
    let (code, took) = replica.stop();
    assert_eq!(code, Some(1), "{}", replica.text());
    assert!(took < STOP_LIMIT_WITHOUT_BROKER, "{took:?}");
    let stopped = &replica.with_message("service stopped")[0];
    let not_committed = stopped["not_committed"].as_array().expect("a list");
    assert!(!not_committed.is_empty(), "{stopped}");
    for next in not_committed {
        let next_offset = |line: &Value| (line["partition"].as_i64(), line["offset"].as_i64().map(|offset| offset + 1));
        let logged = (next["partition"].as_i64(), next["offset"].as_i64());
        assert!(replica.with_message("message received").iter().any(|line| next_offset(line) == logged), "{next}");
    }
}

#[test]
fn a_second_signal_ends_the_process_at_once() {
    let broker = BrokerProcess::start();
    let (_producer, mut replica) = receiving_from(&broker);
    broker.process.signal(Signal::STOP);
    replica.signal(Signal::TERM);
    replica.wait_for("stop requested");
    let (code, took) = replica.stop();
    assert_eq!(code, Some(128 + 15));
    assert!(took < Duration::from_secs(2), "{took:?}");
}
