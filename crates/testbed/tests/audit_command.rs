//! The audit command on a real log, whole and with something done to it.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use testbed::{Broker, Process, binary, consumer, producer};

/// The lines of one producer and two replicas, each in its own text.
struct Log {
    producer: String,
    replicas: [String; 2],
}

fn log_of_a_run(detail: &str) -> Log {
    let broker = Broker::start(4);
    let detail = [("LOG_MESSAGES", detail)];
    let mut replicas = [consumer(&broker.variables(), "g", &detail), consumer(&broker.variables(), "g", &detail)];
    replicas
        .iter()
        .for_each(|it| it.wait_until("an assignment", |it| it.owned().is_some_and(|owned| owned.len() == 2)));
    let mut variables = broker.variables();
    variables.extend([("PRODUCER_RATE_PER_SEC".into(), "50".into()), ("PRODUCER_MAX_MESSAGES".into(), "100".into())]);
    let mut producer = producer(&variables, &detail);
    assert_eq!(producer.wait().code(), Some(0));
    broker.wait_for_commits("g", 4, 100);
    replicas.iter_mut().for_each(|replica| assert_eq!(replica.stop().0, Some(0), "{}", replica.text()));
    Log { producer: producer.text(), replicas: replicas.each_ref().map(Process::text) }
}

fn audit(arguments: &[&str], input: &str) -> (Option<i32>, String) {
    let mut child = Command::new(binary("audit"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("audit starts");
    let written = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    let Output { status, stdout, stderr } = child.wait_with_output().expect("audit ends");
    // With wrong arguments it ends before it reads.
    assert!(written.is_ok() || status.code() == Some(2));
    (status.code(), String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned())
}

fn without(text: &str, drop: impl Fn(usize, &str) -> bool) -> String {
    text.lines().enumerate().filter(|(i, line)| !drop(*i, line)).map(|(_, line)| format!("{line}\n")).collect()
}

fn is(line: &str, message: &str) -> bool {
    serde_json::from_str::<Value>(line).is_ok_and(|line| line["message"] == message)
}

/// A received line with later ones of the same partition behind it.
fn one_from_the_middle(replica: &str) -> &str {
    let received: Vec<&str> = replica.lines().filter(|line| is(line, "message received")).collect();
    let partition = |line: &str| serde_json::from_str::<Value>(line).unwrap_or_default()["partition"].as_i64();
    let middle = received[received.len() / 2];
    assert!(received[received.len() / 2 + 1..].iter().any(|later| partition(later) == partition(middle)));
    middle
}

#[test]
fn a_real_log_is_proven_and_each_thing_done_to_it_is_found() {
    let Log { producer, replicas: [one, other] } = log_of_a_run("each");
    let whole = format!("{producer}{one}{other}");
    let (code, text) = audit(&[], &whole);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("received 100  different 100"), "{text}");

    let victim = one_from_the_middle(&one);
    let num = serde_json::from_str::<Value>(victim).unwrap()["num"].clone();
    let (code, text) = audit(&[], &without(&whole, |_, line| line == victim));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.lines().any(|it| it.contains("missing topic") && it.contains(&format!("num {num} by"))), "{text}");

    let (code, text) = audit(&[], &format!("{whole}{victim}\n"));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.lines().any(|it| it.contains("repeated topic") && it.contains(&format!("num {num} by"))), "{text}");
    assert_eq!(audit(&["--max-repeats", "1"], &format!("{whole}{victim}\n")).0, Some(3), "the count no longer fits");

    assert_eq!(audit(&[], &format!("{one}{other}")).0, Some(3), "without the producer's lines");
    assert_eq!(audit(&[], &producer).0, Some(3), "without the replicas' lines");
    for service in [&producer, &one] {
        let start = service.lines().next().unwrap();
        assert_eq!(audit(&[], &without(&whole, |_, line| line == start)).0, Some(3), "without a start line");
    }
    let acknowledgement = producer.lines().find(|line| is(line, "message delivered")).unwrap();
    assert_eq!(
        audit(&[], &without(&whole, |_, line| line == acknowledgement)).0,
        Some(3),
        "without an acknowledgement"
    );

    // The last messages of the replicas are not there: nothing is wrong, but it is not over.
    let last: Vec<&str> = other.lines().rev().filter(|line| is(line, "message received")).take(1).collect();
    assert_eq!(audit(&[], &without(&whole, |_, line| line == last[0])).0, Some(3), "in flight");
}

#[test]
fn order_and_prefixes_do_not_matter_and_lines_of_others_are_skipped() {
    let Log { producer, replicas: [one, other] } = log_of_a_run("each");
    let mut lines: Vec<String> = producer.lines().map(|line| format!("producer-1  | {line}")).collect();
    lines.extend(one.lines().map(|line| format!("[pod/consumer-7d4-x/consumer] {line}")));
    lines.extend(other.lines().map(str::to_owned));
    lines.push("kafka-1  | [2026-11-22 10:00:00,000] INFO [Broker id=1] Transition {} (kafka.server)".into());
    let damaged = one.lines().last().unwrap()[..60].to_owned();
    lines.push(damaged);
    assert_eq!(audit(&[], &lines.join("\n")).0, Some(3), "nobody was killed, and yet a line is cut");
    let killed = other.lines().find(|line| is(line, "service starting")).unwrap();
    let instance = serde_json::from_str::<Value>(killed).unwrap()["instance"].as_str().unwrap().to_owned();
    lines.push(killed.replace(&instance, "0a1b2c3d"));
    lines.reverse();
    let (code, text) = audit(&["-"], &lines.join("\n"));
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("1 of others skipped, 1 damaged"), "{text}");
}

#[test]
fn summaries_are_as_good_as_lines() {
    let Log { producer, replicas: [one, other] } = log_of_a_run("summary");
    let whole = format!("{producer}{one}{other}");
    let (code, text) = audit(&[], &whole);
    assert_eq!(code, Some(0), "{text}");
    let summaries: Vec<&str> = one.lines().filter(|line| is(line, "messages received")).collect();
    assert!(summaries.len() > 1 && !one.contains("\"message received\""));
    let (code, text) = audit(&[], &without(&whole, |_, line| line == summaries[0]));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("missing topic"), "{text}");
    assert_eq!(audit(&[], &format!("{whole}{}\n", summaries[0])).0, Some(1));
}

#[test]
fn wrong_usage_is_2() {
    assert_eq!(audit(&["--no-such-option"], "").0, Some(2));
    assert_eq!(audit(&["/no/such/file"], "").0, Some(2));
    assert_eq!(audit(&["--help"], "").0, Some(0));
}
