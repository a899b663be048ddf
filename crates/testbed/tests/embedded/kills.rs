//! Replicas that stop and replicas that are killed, under load.

use audit::Verdict;
use journal::{Entry, Range};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};
use testbed::{Broker, Process, consumer, producer, report};

const RATE: u64 = 200;
/// The most messages that a killed replica can have processed since its last commit. It commits every second; the other second is
/// for the commit itself on a busy machine.
const REPEATS_AFTER_A_KILL: u64 = 2 * RATE;

/// Starts three replicas and then a producer of `messages` messages, and waits until messages arrive.
fn start_three(broker: &Broker, messages: u64) -> (Process, Vec<Process>) {
    let short_session = [("KAFKA_SESSION_TIMEOUT_MS", "6000")];
    let replicas: Vec<Process> = (0..3).map(|_| consumer(&broker.variables(), "g", &short_session)).collect();
    // Send nothing before the group is stable: the mock cluster refuses commits during a rebalance.
    for replica in &replicas {
        replica.wait_until("a share", |replica| replica.owned().is_some_and(|owned| matches!(owned.len(), 3 | 4)));
    }
    let (rate, messages) = (RATE.to_string(), messages.to_string());
    let load = [("PRODUCER_RATE_PER_SEC", rate.as_str()), ("PRODUCER_MAX_MESSAGES", messages.as_str())];
    let producer = producer(&broker.variables(), &load);
    replicas.iter().for_each(|replica| replica.wait_until("messages", |replica| replica.received_count() > RATE / 4));
    (producer, replicas)
}

#[test]
fn a_replica_that_stops_in_good_order_loses_and_repeats_nothing() {
    let broker = Broker::start(10);
    let (mut producer, mut replicas) = start_three(&broker, 2000);
    assert_eq!(replicas[0].stop().0, Some(0));
    assert_eq!(producer.wait().code(), Some(0));
    broker.wait_for_commits("g", 10, 2000);
    replicas[1..].iter_mut().for_each(|replica| assert_eq!(replica.stop().0, Some(0)));
    let report = report(replicas.iter().chain([&producer]));
    assert_eq!(report.verdict(0), Verdict::Proven, "{report}");
}

#[test]
fn after_a_replica_is_killed_nothing_is_lost_and_only_uncommitted_messages_are_repeated() {
    let broker = Broker::start(10);
    let (mut producer, mut replicas) = start_three(&broker, 4000);
    replicas[0].kill();
    assert_eq!(producer.wait().code(), Some(0));
    broker.wait_for_commits("g", 10, 4000);
    replicas[1..].iter_mut().for_each(|replica| assert_eq!(replica.stop().0, Some(0)));
    let report = report(replicas.iter().chain([&producer]));
    assert_eq!(report.verdict(REPEATS_AFTER_A_KILL), Verdict::Proven, "{report}");
}

/// Negative control: a replica that commits messages before it logs them, and dies in between, loses messages. The audit finds them
/// missing.
#[test]
fn a_replica_that_commits_before_it_logs_is_found_to_lose_messages() {
    let broker = Broker::start(1);
    let mut producer =
        producer(&broker.variables(), &[("PRODUCER_RATE_PER_SEC", "500"), ("PRODUCER_MAX_MESSAGES", "100")]);
    assert_eq!(producer.wait().code(), Some(0));

    let mut config = broker.client_config();
    let careless: BaseConsumer = config.set("group.id", "g").set("enable.auto.commit", "false").create().unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&broker.topic, 0, Offset::Offset(50)).unwrap();
    careless.commit(&list, CommitMode::Sync).unwrap();
    drop(careless);
    // It logged 40 of the 50 committed messages before it died.
    let logged = [0, 39];

    let mut careful = consumer(&broker.variables(), "g", &[]);
    careful.wait_until("the rest", |replica| replica.received_count() >= 50);
    careful.stop();
    let run = producer.lines().iter().find_map(|line| match &line.entry {
        Entry::Starting(starting) => starting.run,
        _ => None,
    });
    let mut account = audit::Account::new(audit::Options::complete());
    for line in producer.lines().iter().chain(&careful.lines()) {
        account.add(line);
        if let Entry::Starting(starting) = &line.entry
            && starting.group_id.is_some()
        {
            let mut lines = [line.clone(), line.clone()];
            lines[0].seq = 0;
            lines[1].seq = 1;
            lines[1].entry = Entry::ReceivedSummary(journal::ReceivedSummary {
                count: 40,
                rate_per_sec: 0.0,
                latency_ms: journal::LatencyMillis::default(),
                bad: [].into(),
                topic: broker.topic.clone(),
                group_id: "g".into(),
                ranges: vec![Range { partition: 0, offset: logged, run, pseq: Some([1, 40]) }],
            });
            for line in &mut lines {
                line.instance = "careless".into();
                account.add(line);
            }
        }
    }
    let report = account.report();
    assert_eq!(report.verdict(u64::MAX), Verdict::Violated);
    assert_eq!(report.groups[0].count(audit::Class::Skipped), 10, "{report}");
}
