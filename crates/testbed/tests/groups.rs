//! What the tutorial says of consumer groups, with its own numbers, on the embedded broker with the real services.

use std::collections::BTreeSet;
use std::time::Duration;

use audit::{Report, Verdict};
use testbed::{Broker, Process, consumer, producer, report};

/// A replica with nothing to read says nothing for so long.
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

fn in_sum(report: &Report) -> (u64, u64) {
    report.groups.iter().fold((0, 0), |(received, distinct), it| (received + it.received, distinct + it.distinct))
}

#[test]
fn two_replicas_of_a_group_neither_repeat_nor_miss_a_message() {
    let broker = Broker::start(10);
    let mut replicas = [consumer(&broker.variables(), "g", &[]), consumer(&broker.variables(), "g", &[])];
    let mut producer =
        producer(&broker.variables(), &[("PRODUCER_RATE_PER_SEC", "20"), ("PRODUCER_MAX_MESSAGES", "100")]);
    assert_eq!(producer.wait().code(), Some(0));
    broker.wait_for_commits("g", 10, 100);
    replicas.iter_mut().for_each(stop);

    let report = report([&producer, &replicas[0], &replicas[1]]);
    assert_eq!(report.verdict(0), Verdict::Proven, "{report}");
    assert_eq!(in_sum(&report), (100, 100));
    let [one, other] = replicas.each_ref().map(numbers);
    assert!(!one.is_empty() && !other.is_empty(), "each gets some");
    assert_eq!(one.union(&other).copied().collect::<BTreeSet<_>>(), (0..100).collect());
}

/// Negative control of the test above: two replicas that each read everything are found out.
#[test]
fn two_replicas_that_do_not_share_are_found_to_repeat() {
    let broker = Broker::start(10);
    let producer = send_hundred(&broker);
    let mut replicas = [consumer(&broker.variables(), "g", &[]), consumer(&broker.variables(), "h", &[])];
    replicas.iter().for_each(|replica| replica.wait_until("all", |it| it.received_count() == 100));
    replicas.iter_mut().for_each(stop);
    let mut account = audit::Account::default();
    for process in [&producer, &replicas[0], &replicas[1]] {
        let text = process.text().replace(r#""group_id":"h""#, r#""group_id":"g""#);
        audit::each_line(text.as_bytes(), &mut audit::Lines::default(), |line| account.add(line)).unwrap();
    }
    let report = account.report();
    assert_eq!(report.verdict(0), Verdict::Violated);
    assert_eq!(report.groups[0].repeated(), 100);
}

#[test]
fn what_a_group_has_read_is_not_read_again_and_another_group_reads_it_all() {
    let broker = Broker::start(10);
    send_hundred(&broker);
    let mut replicas = [consumer(&broker.variables(), "g", &[]), consumer(&broker.variables(), "g", &[])];
    broker.wait_for_commits("g", 10, 100);
    replicas.iter_mut().for_each(stop);

    let mut late = consumer(&broker.variables(), "g", &[]);
    late.wait_until("an assignment", |it| it.owned().is_some_and(|owned| owned.len() == 10));
    assert!(late.stays(SILENCE, |it| it.received_count() == 0), "{}", late.text());
    // Negative control: where there is something to read, the same wait sees it.
    let mut other = consumer(&broker.variables(), "other", &[]);
    assert!(!other.stays(SILENCE * 5, |it| it.received_count() < 100));
    assert_eq!(numbers(&other), (0..100).collect());
    stop(&mut other);
    assert!(late.stays(SILENCE / 3, |it| it.received_count() == 0), "another group's reading moves nothing here");
    stop(&mut late);
}

#[test]
fn a_new_group_with_earliest_reads_all_hundred() {
    let broker = Broker::start(10);
    send_hundred(&broker);
    let mut replica = consumer(&broker.variables(), "g", &[("KAFKA_AUTO_OFFSET_RESET", "earliest")]);
    replica.wait_until("all", |it| it.received_count() == 100);
    stop(&mut replica);
    assert_eq!(numbers(&replica), (0..100).collect());
}

#[test]
fn a_new_group_with_latest_reads_nothing_old_and_then_the_first_new_one() {
    let broker = Broker::start(1);
    send_hundred(&broker);
    let mut replica = consumer(&broker.variables(), "g", &[("KAFKA_AUTO_OFFSET_RESET", "latest")]);
    replica.wait_until("an assignment", |it| it.owned().is_some_and(|owned| owned == [0]));
    assert!(replica.stays(SILENCE, |it| it.received_count() == 0), "{}", replica.text());
    let mut producer = producer(&broker.variables(), &[("PRODUCER_MAX_MESSAGES", "1")]);
    assert_eq!(producer.wait().code(), Some(0));
    replica.wait_until("the first new one", |it| it.received() == [0]);
    stop(&mut replica);
}

#[test]
fn a_group_stopped_after_fifty_goes_on_with_the_fifty_first_even_with_latest() {
    let broker = Broker::start(1);
    send_hundred(&broker);
    let mut first = consumer(&broker.variables(), "g", &[("CONSUMER_MAX_MESSAGES", "50")]);
    assert_eq!(first.wait().code(), Some(0), "{}", first.text());
    assert_eq!(first.received(), (0..50).collect::<Vec<_>>());
    let mut second = consumer(&broker.variables(), "g", &[("KAFKA_AUTO_OFFSET_RESET", "latest")]);
    second.wait_until("the rest", |it| it.received_count() == 50);
    stop(&mut second);
    assert_eq!(second.received(), (50..100).collect::<Vec<_>>());
}

#[test]
fn without_an_offset_and_with_error_the_service_ends_and_names_the_partition() {
    let broker = Broker::start(2);
    let mut replica = consumer(&broker.variables(), "g", &[("KAFKA_AUTO_OFFSET_RESET", "error")]);
    assert_eq!(replica.wait().code(), Some(1));
    let stopped = &replica.with_message("service stopped")[0];
    let reason = stopped["reason"].as_str().unwrap();
    assert!(reason.contains("partition 0, 1 in topic"), "{reason}");
}

/// How many partitions each owner has, most first; `None` unless each partition has exactly one.
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
        assert_eq!(Some(replica.received_count()), owned.map(|owned| 10 * owned), "each gets its partitions' messages");
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
fn two_replicas_have_five_each() {
    ten_partitions_are_shared(2, &[5, 5]);
}

#[test]
fn three_replicas_have_four_three_and_three() {
    ten_partitions_are_shared(3, &[4, 3, 3]);
}

#[test]
fn ten_replicas_have_one_each() {
    ten_partitions_are_shared(10, &[1; 10]);
}

#[test]
fn the_eleventh_replica_has_none_and_reads_nothing() {
    ten_partitions_are_shared(11, &[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0]);
}

/// Negative control of the sharing tests.
#[test]
fn a_partition_with_two_owners_or_none_is_noticed() {
    assert_eq!(shares_of(&[vec![0, 1], vec![2]], 3), Some(vec![2, 1]));
    assert_eq!(shares_of(&[vec![0, 1], vec![1, 2]], 3), None);
    assert_eq!(shares_of(&[vec![0, 1], vec![]], 3), None);
}
