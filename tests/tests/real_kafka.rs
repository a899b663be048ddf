//! The pair against a real Kafka, with an account if it wants one, and beside a plain Python client.

use std::time::{Duration, Instant};

use audit::Verdict;
use e2e_tests::{Cluster, Python};
use serde_json::Value;
use testbed::{Process, consumer, producer, report};

const SCRAM: (&str, &str) = ("KAFKA_SASL_MECHANISM", "SCRAM-SHA-512");

fn stop(service: &mut Process) {
    assert_eq!(service.stop().0, Some(0), "{}", service.text());
}

#[test]
fn two_replicas_receive_each_of_a_hundred_messages_exactly_once() {
    let cluster = Cluster::with_topic(10).unwrap();
    // Both mechanisms at once.
    let scram = &[SCRAM];
    let mut replicas =
        [consumer(&cluster.variables(), &cluster.topic, &[]), consumer(&cluster.variables(), &cluster.topic, scram)];
    replicas
        .iter()
        .for_each(|it| it.wait_until("half of the partitions", |it| it.owned().is_some_and(|owned| owned.len() == 5)));
    let mut variables = cluster.variables();
    variables.extend([("PRODUCER_RATE_PER_SEC".into(), "50".into()), ("PRODUCER_MAX_MESSAGES".into(), "100".into())]);
    let mut producer = producer(&variables, scram);
    assert_eq!(producer.wait().code(), Some(0), "{}", producer.text());
    replicas[0].wait_until("all", |one| one.received_count() + replicas[1].received_count() >= 100);
    // At once, and with offsets that are not committed yet.
    replicas.iter().for_each(|replica| replica.signal(rustix::process::Signal::TERM));
    replicas.iter_mut().for_each(|replica| assert_eq!(replica.wait().code(), Some(0), "{}", replica.text()));

    let mut late = consumer(&cluster.variables(), &cluster.topic, &[]);
    late.wait_until("all partitions", |it| it.owned().is_some_and(|owned| owned.len() == 10));
    assert!(late.stays(Duration::from_secs(3), |it| it.received_count() == 0), "{}", late.text());
    stop(&mut late);

    let report = report(replicas.iter().chain([&producer, &late]));
    assert_eq!(report.verdict(0), Verdict::Proven, "{report}");
    assert_eq!((report.groups[0].received, report.groups[0].distinct), (100, 100));
    assert!(replicas.iter().all(|replica| replica.received_count() == 50));
}

#[test]
fn full_speed_is_accounted_for_to_the_last_message() {
    const MESSAGES: &str = "300000";
    let cluster = Cluster::with_topic(10).unwrap();
    let full_speed = [("PRODUCER_RATE_PER_SEC", "max"), ("PRODUCER_MAX_MESSAGES", MESSAGES)];
    let mut producer = producer(&cluster.variables(), &full_speed);
    assert_eq!(producer.wait().code(), Some(0), "{}", producer.text());
    let mut replica = consumer(&cluster.variables(), &cluster.topic, &[("CONSUMER_MAX_MESSAGES", MESSAGES)]);
    assert_eq!(replica.wait().code(), Some(0), "{}", replica.text());
    let report = report([&producer, &replica]);
    assert_eq!(report.verdict(0), Verdict::Proven, "{report}");
}

#[test]
fn a_wrong_password_ends_with_77_within_ten_seconds_and_is_not_shown() {
    let cluster = Cluster::with_topic(1).unwrap();
    for mechanism in ["PLAIN", "SCRAM-SHA-512"] {
        let wrong = [("KAFKA_SASL_PASSWORD", "hunter2-not-this-one"), ("KAFKA_SASL_MECHANISM", mechanism)];
        for mut service in [producer(&cluster.variables(), &wrong), consumer(&cluster.variables(), "g", &wrong)] {
            let start = Instant::now();
            assert_eq!(service.wait().code(), Some(77), "{}", service.text());
            assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
            assert!(service.text().contains("refused the account"), "{}", service.text());
            assert!(!service.text().contains("hunter2"));
        }
    }
}

#[test]
fn a_plain_python_consumer_reads_our_messages() {
    let cluster = Cluster::with_topic(3).unwrap();
    let python = Python::with_kafka().unwrap();
    let mut variables = cluster.variables();
    variables.extend([("PRODUCER_RATE_PER_SEC".into(), "100".into()), ("PRODUCER_MAX_MESSAGES".into(), "100".into())]);
    let mut producer = producer(&variables, &[]);
    assert_eq!(producer.wait().code(), Some(0));
    let printed = python
        .run(
            &cluster,
            "consumer = KafkaConsumer(topic, group_id='python-' + topic, auto_offset_reset='earliest',\n\
             \x20   consumer_timeout_ms=10000, value_deserializer=json.loads, **connection)\n\
             for count, message in enumerate(consumer, 1):\n\
             \x20   assert isinstance(message.value['num'], int) and len(message.value['ts']) == 19\n\
             \x20   print(message.value['num'])\n\
             \x20   if count == 100: break\n",
        )
        .unwrap();
    let mut numbers: Vec<u64> = printed.lines().map(|line| line.parse().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..100).collect::<Vec<_>>());
}

#[test]
fn our_consumer_reads_what_a_plain_python_producer_sends() {
    let cluster = Cluster::with_topic(3).unwrap();
    let python = Python::with_kafka().unwrap();
    python
        .run(
            &cluster,
            "import datetime\n\
             producer = KafkaProducer(value_serializer=lambda value: json.dumps(value).encode(), **connection)\n\
             for i in range(100):\n\
             \x20   producer.send(topic, {'num': i, 'ts': datetime.datetime.now().strftime('%Y-%m-%d %H:%M:%S')})\n\
             producer.flush()\n",
        )
        .unwrap();
    let mut replica = consumer(&cluster.variables(), &cluster.topic, &[("CONSUMER_MAX_MESSAGES", "100")]);
    assert_eq!(replica.wait().code(), Some(0), "{}", replica.text());
    let mut numbers = replica.received();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..100).collect::<Vec<_>>());
    let received = replica.with_message("message received");
    assert!(received.iter().all(|line| line["pseq"] == Value::Null), "foreign messages have no key of ours");
}
