//! The command `audit` on the log of real services: complete, in another order, and with lines removed, repeated or damaged.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use testbed::{Broker, Process, binary, consumer, producer};

/// The logs of one producer and two replicas.
struct Log {
    producer: String,
    replicas: [String; 2],
}

/// Sends 100 messages through both replicas, with `LOG_MESSAGES` set to `detail`.
fn log_of_100_messages(detail: &str) -> Log {
    let broker = Broker::start(4);
    let detail = [("LOG_MESSAGES", detail)];
    let mut replicas = [consumer(&broker.variables(), "g", &detail), consumer(&broker.variables(), "g", &detail)];
    for replica in &replicas {
        replica.wait_until("an assignment", |replica| replica.owned().is_some_and(|owned| owned.len() == 2));
    }
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
    // With wrong arguments, `audit` exits before it reads its input.
    assert!(written.is_ok() || status.code() == Some(2));
    (status.code(), String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned())
}

/// `text` without the lines for which `drop` is true.
fn without(text: &str, drop: impl Fn(&str) -> bool) -> String {
    text.lines().filter(|line| !drop(line)).map(|line| format!("{line}\n")).collect()
}

/// `text` as if the processes had written exactly these lines: each process numbers its own anew.
fn renumbered(text: &str) -> String {
    let mut next: BTreeMap<String, u64> = BTreeMap::new();
    let renumber = |line: &str| {
        let mut line: Value = serde_json::from_str(line).expect("a line of JSON");
        let seq = next.entry(line["instance"].to_string()).or_default();
        line["seq"] = (*seq).into();
        *seq += 1;
        format!("{line}\n")
    };
    text.lines().map(renumber).collect()
}

fn has_message(line: &str, message: &str) -> bool {
    serde_json::from_str::<Value>(line).is_ok_and(|line| line["message"] == message)
}

/// A line `message received` that a later one of the same partition follows.
fn one_from_the_middle(replica: &str) -> &str {
    let received: Vec<&str> = replica.lines().filter(|line| has_message(line, "message received")).collect();
    let partition = |line: &str| serde_json::from_str::<Value>(line).unwrap_or_default()["partition"].as_i64();
    let middle = received[received.len() / 2];
    assert!(received[received.len() / 2 + 1..].iter().any(|later| partition(later) == partition(middle)));
    middle
}

#[test]
fn a_complete_log_is_proven_and_each_missing_or_repeated_message_is_found() {
    let Log { producer, replicas: [first, second] } = log_of_100_messages("each");
    let whole = format!("{producer}{first}{second}");
    let (code, text) = audit(&[], &whole);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("received 100  distinct 100"), "{text}");

    let victim = one_from_the_middle(&first);
    let num = serde_json::from_str::<Value>(victim).unwrap()["num"].clone();
    let (code, text) = audit(&[], &renumbered(&without(&whole, |line| line == victim)));
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.lines().any(|line| line.contains("missing topic") && line.contains(&format!("num {num} sent by"))),
        "{text}"
    );

    let repeated = renumbered(&format!("{whole}{victim}\n"));
    let (code, text) = audit(&[], &repeated);
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.lines().any(|line| line.contains("repeated topic") && line.contains(&format!("num {num} received by"))),
        "{text}"
    );
    assert_eq!(
        audit(&["--max-repeats", "1"], &repeated).0,
        Some(3),
        "the repeat is permitted, but the count that the replica stated differs"
    );

    assert_eq!(audit(&[], &format!("{first}{second}")).0, Some(3), "without the producer's lines");
    assert_eq!(audit(&[], &producer).0, Some(3), "without the replicas' lines");
    for service in [&producer, &first] {
        let start = service.lines().next().unwrap();
        assert_eq!(audit(&[], &without(&whole, |line| line == start)).0, Some(3), "without a start line");
    }
    let acknowledgement = producer.lines().find(|line| has_message(line, "message delivered")).unwrap();
    assert_eq!(audit(&[], &without(&whole, |line| line == acknowledgement)).0, Some(3), "without an acknowledgement");

    // What no session has reached is in flight: that is neither a loss nor a proof.
    let is_of_second = |line: &str| second.contains(line) && !has_message(line, "service starting");
    let (code, text) = audit(&[], &without(&whole, is_of_second));
    assert!(code == Some(3) && text.contains("still in flight"), "{text}");
    // A session that has gone past the last message of a partition without receiving it has lost it.
    let last = second.lines().rev().find(|line| has_message(line, "message received")).unwrap();
    let (code, text) = audit(&[], &renumbered(&without(&whole, |line| line == last)));
    assert!(code == Some(1) && text.contains("  missing 1 "), "{text}");
}

#[test]
fn what_a_log_shipper_does_to_lines_is_no_violation_and_a_lost_line_is_no_proof() {
    let Log { producer, replicas: [first, second] } = log_of_100_messages("each");
    let whole = format!("{producer}{first}{second}");
    for doubled in [&first, &producer] {
        let (code, text) = audit(&[], &format!("{whole}{doubled}"));
        assert_eq!(code, Some(0), "a file that is read twice: {text}");
    }
    let lost = one_from_the_middle(&first);
    let (code, text) = audit(&[], &without(&whole, |line| line == lost));
    assert!(code == Some(3) && text.contains("are missing: "), "{text}");
    // The lines of both sides about the same message: the numbers still show that something is missing.
    let num = serde_json::from_str::<Value>(lost).unwrap()["num"].clone();
    let of_message = |line: &str| serde_json::from_str::<Value>(line).is_ok_and(|line| line["num"] == num);
    let (code, text) = audit(&[], &without(&whole, of_message));
    assert!(code == Some(3) && text.contains("are missing: "), "{text}");
    // Without its last lines, a replica looks like one that was killed. It may have given up partitions before, when the other one joined.
    let lines: Vec<&str> = first.lines().collect();
    let end = lines.iter().rposition(|line| has_message(line, "partitions revoked")).unwrap();
    let (code, text) = audit(&[], &format!("{producer}{second}{}", lines[..end].join("\n")));
    assert_eq!(code, Some(0), "{text}");
}

#[test]
fn order_and_prefixes_do_not_matter_and_lines_of_other_programs_are_skipped() {
    let Log { producer, replicas: [first, second] } = log_of_100_messages("each");
    let mut lines: Vec<String> = producer.lines().map(|line| format!("producer-1  | {line}")).collect();
    lines.extend(first.lines().map(|line| format!("[pod/consumer-7d4-x/consumer] {line}")));
    lines.extend(second.lines().map(str::to_owned));
    lines.push("kafka-1  | [2026-11-22 10:00:00,000] INFO [Broker id=1] Transition {} (kafka.server)".into());
    // A process was killed while it wrote its second line.
    let killed = second.lines().find(|line| has_message(line, "service starting")).unwrap();
    let instance = serde_json::from_str::<Value>(killed).unwrap()["instance"].as_str().unwrap().to_owned();
    lines.push(killed.replace(&instance, "0a1b2c3d4e5f6071"));
    lines.push(first.lines().last().unwrap()[..60].to_owned());
    lines.reverse();
    let (code, text) = audit(&["-"], &lines.join("\n"));
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("1 of other programs skipped, 1 damaged"), "{text}");
}

#[test]
fn the_arguments_choose_what_is_judged() {
    let Log { producer, replicas: [first, second] } = log_of_100_messages("each");
    let whole = format!("{producer}{first}{second}");
    assert_eq!(audit(&["--group", "g"], &whole).0, Some(0));
    assert_eq!(audit(&["--group", "other"], &whole).0, Some(3));
    assert_eq!(audit(&["--topic", "other"], &whole).0, Some(3));
    let late: String = [&producer, &first, &second]
        .iter()
        .flat_map(|log| log.lines().skip(log.lines().count() / 2))
        .map(|line| format!("{line}\n"))
        .collect();
    let (code, text) = audit(&[], &late);
    assert!(code == Some(3) && text.contains("are missing: "), "{text}");
    let (code, text) = audit(&["--from-here"], &late);
    assert_eq!(code, Some(0), "{text}");
}

#[test]
fn summaries_prove_as_much_as_single_lines() {
    let Log { producer, replicas: [first, second] } = log_of_100_messages("summary");
    let whole = format!("{producer}{first}{second}");
    let (code, text) = audit(&[], &whole);
    assert_eq!(code, Some(0), "{text}");
    let summaries: Vec<&str> = first.lines().filter(|line| has_message(line, "messages received")).collect();
    assert!(summaries.len() > 1 && !first.contains("\"message received\""));
    let (code, text) = audit(&[], &renumbered(&without(&whole, |line| line == summaries[0])));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("missing topic"), "{text}");
    assert_eq!(audit(&[], &renumbered(&format!("{whole}{}\n", summaries[0]))).0, Some(1));
}

#[test]
fn compressed_files_are_read_and_damaged_ones_are_refused() {
    let Log { producer, replicas: [first, second] } = log_of_100_messages("summary");
    let compress = |text: &str| {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(text.as_bytes()).expect("memory can be written");
        gzip.finish().expect("memory can be written")
    };
    // Rotated logs are often concatenated, and gzip files may be.
    let compressed = [compress(&producer), compress(&first), compress(&second)].concat();
    let directory = tempfile::tempdir().expect("a directory");
    let [whole, cut] = ["whole.log.gz", "cut.log.gz"].map(|name| directory.path().join(name).display().to_string());
    std::fs::write(&whole, &compressed).expect("a file");
    std::fs::write(&cut, &compressed[..compressed.len() - 20]).expect("a file");
    let (code, text) = audit(&[&whole], "");
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = audit(&[&cut], "");
    assert!(code == Some(2) && text.contains("cut.log.gz"), "{text}");
}

#[test]
fn more_files_are_read_than_a_process_may_usually_open() {
    let Log { producer, replicas: [first, second] } = log_of_100_messages("each");
    let directory = tempfile::tempdir().expect("a directory");
    let file_of = |(number, line): (usize, &str)| {
        let path = directory.path().join(format!("{number}.log"));
        std::fs::write(&path, format!("{line}\n")).expect("a file");
        path
    };
    let text = [producer, first, second].concat();
    let files: Vec<_> = text.lines().enumerate().map(file_of).collect();
    assert!(files.len() > 200, "{text}");
    let mut limited = Command::new("sh");
    limited.args(["-c", r#"ulimit -S -n 50 && exec "$0" "$@""#]).arg(binary("audit")).args(&files);
    let output = limited.output().expect("audit starts");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn wrong_arguments_and_unreadable_files_exit_with_2() {
    assert_eq!(audit(&["--no-such-option"], "").0, Some(2));
    assert_eq!(audit(&["/no/such/file"], "").0, Some(2));
    assert_eq!(audit(&["/"], "").0, Some(2), "a directory");
    assert_eq!(audit(&["--help"], "").0, Some(0));
}
