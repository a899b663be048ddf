//! The logs of a real run in which a replica is killed, damaged at random: the audit must never report a violation, and must call the
//! evidence sufficient only if every line that accounts for messages is there.

use testbed::damage::{Written, assert_that_damage_is_never_a_violation_and_never_a_proof};
use testbed::{Broker, Process, consumer, producer};

const MESSAGES: i64 = 400;

/// The lines of one producer and three replicas, one of which was killed.
fn written(detail: &str) -> Vec<Written> {
    let broker = Broker::start(6);
    let settings = [("LOG_MESSAGES", detail), ("KAFKA_SESSION_TIMEOUT_MS", "4000")];
    let mut replicas: Vec<Process> = (0..3).map(|_| consumer(&broker.variables(), "g", &settings)).collect();
    for replica in &replicas {
        replica.wait_until("two partitions", |replica| replica.owned().is_some_and(|owned| owned.len() == 2));
    }
    let messages = MESSAGES.to_string();
    let load = [("PRODUCER_RATE_PER_SEC", "100"), ("PRODUCER_MAX_MESSAGES", messages.as_str()), settings[0]];
    let mut producer = producer(&broker.variables(), &load);
    replicas[0].wait_until("messages", |replica| replica.received_count() >= 20);
    replicas[0].kill();
    assert_eq!(producer.wait().code(), Some(0), "{}", producer.text());
    broker.wait_for_commits("g", 6, MESSAGES);
    replicas[1..].iter_mut().for_each(|replica| assert_eq!(replica.stop().0, Some(0), "{}", replica.text()));
    testbed::damage::written([&producer].into_iter().chain(&replicas))
}

#[test]
fn damaged_evidence_is_never_a_violation_and_incomplete_evidence_never_a_proof() {
    let [each, summary] = ["each", "summary"].map(written);
    assert_that_damage_is_never_a_violation_and_never_a_proof(&each, &summary);
    assert_that_damage_is_never_a_violation_and_never_a_proof(&summary, &each);
}
