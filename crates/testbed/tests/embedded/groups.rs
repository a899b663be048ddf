//! The claims of the Python tutorial "How to read and write Kafka with Python" about consumer groups, with its numbers: the real
//! services on the embedded broker.

use std::collections::BTreeSet;
use std::time::Duration;

use audit::{GroupReport, Report, Verdict};
use testbed::{Broker, Process, consumer, producer, report};

/// How long a replica that has nothing to read is watched.
const SILENCE: Duration = Duration::from_secs(3);

fn send_hundred(broker: &Broker) -> Process {
    let mut producer =
        producer(&broker.variables(), &[("PRODUCER_RATE_PER_SEC", "200"), ("PRODUCER_MAX_MESSAGES", "100")]);
    assert_eq!(producer.wait().code(), Some(0), "{}", producer.text());
    producer
}

fn stop(replica: &mut Process) {
    assert_eq!(replica.stop().0, Some(0), "{}", replica.text());
}

fn numbers(replica: &Process) -> BTreeSet<u64> {
    replica.received().into_iter().collect()
}

/// Received messages, and distinct ones among them, of all groups.
fn received_and_distinct(report: &Report) -> (u64, u64) {
    let count = |counts: (u64, u64), group: &GroupReport| (counts.0 + group.received, counts.1 + group.distinct);
    report.groups.iter().fold((0, 0), count)
}

#[test]
fn two_replicas_of_a_group_share_all_messages_without_loss_or_repeats() {
    let broker = Broker::start(10);
    let mut replicas = [consumer(&broker.variables(), "g", &[]), consumer(&broker.variables(), "g", &[])];
    let mut producer =
        producer(&broker.variables(), &[("PRODUCER_RATE_PER_SEC", "20"), ("PRODUCER_MAX_MESSAGES", "100")]);
    assert_eq!(producer.wait().code(), Some(0));
    broker.wait_for_commits("g", 10, 100);
    replicas.iter_mut().for_each(stop);

    let report = report([&producer, &replicas[0], &replicas[1]]);
    assert_eq!(report.verdict(0), Verdict::Proven, "{report}");
    assert_eq!(received_and_distinct(&report), (100, 100));
    let [first, second] = replicas.each_ref().map(numbers);
    assert!(!first.is_empty() && !second.is_empty(), "each replica receives some messages");
    assert_eq!(first.union(&second).copied().collect::<BTreeSet<_>>(), (0..100).collect());
}

/// Negative control of the test above: two replicas in different groups read everything twice, and the audit counts the repeats if
/// it takes both groups for one.
#[test]
fn replicas_of_two_groups_taken_for_one_are_reported_to_repeat_every_message() {
    let broker = Broker::start(10);
    let producer = send_hundred(&broker);
    let mut replicas = [consumer(&broker.variables(), "g", &[]), consumer(&broker.variables(), "h", &[])];
    replicas.iter().for_each(|replica| replica.wait_until("all messages", |replica| replica.received_count() == 100));
    replicas.iter_mut().for_each(stop);
    let mut account = audit::Account::new(audit::Options::complete());
    for process in [&producer, &replicas[0], &replicas[1]] {
        let text = process.text().replace(r#""group_id":"h""#, r#""group_id":"g""#);
        audit::each_line(text.as_bytes(), &mut audit::Lines::default(), |line| account.add(line)).unwrap();
    }
    let report = account.report();
    assert_eq!(report.verdict(0), Verdict::Violated);
    assert_eq!(report.groups[0].count(audit::Class::Repeated), 100);
}

#[test]
fn a_group_does_not_read_messages_again_and_another_group_reads_all_of_them() {
    let broker = Broker::start(10);
    send_hundred(&broker);
    let mut replicas = [consumer(&broker.variables(), "g", &[]), consumer(&broker.variables(), "g", &[])];
    broker.wait_for_commits("g", 10, 100);
    replicas.iter_mut().for_each(stop);

    let mut late = consumer(&broker.variables(), "g", &[]);
    late.wait_until("an assignment", |replica| replica.owned().is_some_and(|owned| owned.len() == 10));
    assert!(late.stays(SILENCE, |replica| replica.received_count() == 0), "{}", late.text());
    // Negative control: another group, which has 100 messages to read, receives them while it is watched in the same way.
    let mut other = consumer(&broker.variables(), "other", &[]);
    assert!(!other.stays(SILENCE * 5, |replica| replica.received_count() < 100));
    assert_eq!(numbers(&other), (0..100).collect());
    stop(&mut other);
    assert!(
        late.stays(SILENCE / 3, |replica| replica.received_count() == 0),
        "the other group does not move the offsets of this one"
    );
    stop(&mut late);
}

#[test]
fn a_new_group_with_earliest_reads_all_100_messages() {
    let broker = Broker::start(10);
    send_hundred(&broker);
    let mut replica = consumer(&broker.variables(), "g", &[("KAFKA_AUTO_OFFSET_RESET", "earliest")]);
    replica.wait_until("all messages", |replica| replica.received_count() == 100);
    stop(&mut replica);
    assert_eq!(numbers(&replica), (0..100).collect());
}

#[test]
fn a_new_group_with_latest_skips_old_messages_and_reads_the_first_new_one() {
    let broker = Broker::start(1);
    send_hundred(&broker);
    let mut replica = consumer(&broker.variables(), "g", &[("KAFKA_AUTO_OFFSET_RESET", "latest")]);
    replica.wait_until("an assignment", |replica| replica.owned().is_some_and(|owned| owned == [0]));
    assert!(replica.stays(SILENCE, |replica| replica.received_count() == 0), "{}", replica.text());
    let mut producer = producer(&broker.variables(), &[("PRODUCER_MAX_MESSAGES", "1")]);
    assert_eq!(producer.wait().code(), Some(0));
    replica.wait_until("the first new message", |replica| replica.received() == [0]);
    stop(&mut replica);
}

#[test]
fn a_group_stopped_after_50_messages_continues_with_the_51st_even_with_latest() {
    let broker = Broker::start(1);
    send_hundred(&broker);
    let mut first = consumer(&broker.variables(), "g", &[("CONSUMER_MAX_MESSAGES", "50")]);
    assert_eq!(first.wait().code(), Some(0), "{}", first.text());
    assert_eq!(first.received(), (0..50).collect::<Vec<_>>());
    let mut second = consumer(&broker.variables(), "g", &[("KAFKA_AUTO_OFFSET_RESET", "latest")]);
    second.wait_until("the rest", |replica| replica.received_count() == 50);
    stop(&mut second);
    assert_eq!(second.received(), (50..100).collect::<Vec<_>>());
}

#[test]
fn with_reset_error_and_no_committed_offset_the_service_stops_and_names_the_partitions() {
    let broker = Broker::start(2);
    let mut replica = consumer(&broker.variables(), "g", &[("KAFKA_AUTO_OFFSET_RESET", "error")]);
    assert_eq!(replica.wait().code(), Some(1));
    let stopped = &replica.with_message("service stopped")[0];
    let reason = stopped["reason"].as_str().unwrap();
    assert!(reason.contains("partition 0, 1 in topic"), "{reason}");
}

/// How many partitions each replica owns, most first; `None` unless each partition has exactly one owner.
fn shares(replicas: &[Process], partitions: i64) -> Option<Vec<usize>> {
    let owned: Vec<Vec<i64>> = replicas.iter().map(Process::owned).collect::<Option<_>>()?;
    shares_of(&owned, partitions)
}

fn shares_of(owned: &[Vec<i64>], partitions: i64) -> Option<Vec<usize>> {
    let mut all: Vec<i64> = owned.iter().flatten().copied().collect();
    all.sort_unstable();
    let mut shares: Vec<usize> = owned.iter().map(Vec::len).collect();
    shares.sort_unstable_by(|a, b| b.cmp(a));
    (all == (0..partitions).collect::<Vec<_>>()).then_some(shares)
}

/// Checks that `replicas` replicas own `expected` partitions each, and that each receives the messages of its partitions.
fn ten_partitions_are_shared(replicas: usize, expected: &[usize]) {
    let broker = Broker::start(10);
    let mut replicas: Vec<Process> = (0..replicas).map(|_| consumer(&broker.variables(), "g", &[])).collect();
    replicas[0].wait_until("one owner of each partition", |_| shares(&replicas, 10).as_deref() == Some(expected));
    let mut producer =
        producer(&broker.variables(), &[("PRODUCER_RATE_PER_SEC", "100"), ("PRODUCER_MAX_MESSAGES", "100")]);
    assert_eq!(producer.wait().code(), Some(0));
    broker.wait_for_commits("g", 10, 100);
    for replica in &replicas {
        let owned = replica.owned().map(|owned| owned.len() as u64);
        assert_eq!(
            Some(replica.received_count()),
            owned.map(|owned| 10 * owned),
            "each replica receives the messages of its partitions"
        );
        for message in ["positions not restored", "rebalance failed"] {
            assert!(replica.with_message(message).is_empty(), "{}", replica.text());
        }
    }
    replicas.iter_mut().for_each(stop);
    let report = report(replicas.iter().chain([&producer]));
    assert_eq!(report.verdict(0), Verdict::Proven, "{report}");
}

#[test]
fn one_replica_has_all_ten_partitions() {
    ten_partitions_are_shared(1, &[10]);
}

#[test]
fn two_replicas_have_five_partitions_each() {
    ten_partitions_are_shared(2, &[5, 5]);
}

#[test]
fn three_replicas_have_four_three_and_three_partitions() {
    ten_partitions_are_shared(3, &[4, 3, 3]);
}

#[test]
fn ten_replicas_have_one_partition_each() {
    ten_partitions_are_shared(10, &[1; 10]);
}

#[test]
fn of_eleven_replicas_one_has_no_partition_and_reads_nothing() {
    ten_partitions_are_shared(11, &[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0]);
}

/// Negative control of the tests above.
#[test]
fn a_partition_with_two_owners_or_none_is_detected() {
    assert_eq!(shares_of(&[vec![0, 1], vec![2]], 3), Some(vec![2, 1]));
    assert_eq!(shares_of(&[vec![0, 1], vec![1, 2]], 3), None);
    assert_eq!(shares_of(&[vec![0, 1], vec![]], 3), None);
}
