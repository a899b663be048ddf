//! The producer: the messages that it sends, and that it reports the outcome of every message that it accepted.

use std::time::Duration;

use journal::{Entry, Line};
use message::KeyReader;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Message as _, OwnedMessage};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{Timestamp, TopicPartitionList};
use serde_json::Value;
use testbed::{Broker, BrokerProcess, Process, producer};

/// All messages of the topic.
fn read_all(broker: &Broker, partitions: i32) -> Vec<OwnedMessage> {
    let mut config = broker.client_config();
    let reader: BaseConsumer =
        config.set("group.id", "reader").set("enable.auto.commit", "false").create().expect("the broker answers");
    let mut list = TopicPartitionList::new();
    let mut expected = 0;
    for partition in 0..partitions {
        list.add_partition_offset(&broker.topic, partition, rdkafka::Offset::Beginning).expect("the broker answers");
        expected +=
            reader.fetch_watermarks(&broker.topic, partition, Duration::from_secs(10)).expect("the broker answers").1;
    }
    reader.assign(&list).expect("the broker answers");
    let mut messages = Vec::new();
    let mut empty_polls = 0;
    while (messages.len() as i64) < expected {
        match reader.poll(Duration::from_millis(100)) {
            Some(message) => messages.push(message.expect("the broker answers").detach()),
            None => empty_polls += 1,
        }
        assert!(empty_polls < 300, "only {} of {expected} messages arrived", messages.len());
    }
    messages
}

/// The line `run closed`.
fn closed(producer: &Process) -> journal::RunClosed {
    let lines = producer.lines();
    lines
        .into_iter()
        .find_map(|line| if let Entry::RunClosed(closed) = line.entry { Some(closed) } else { None })
        .unwrap_or_else(|| panic!("no line `run closed`: {}", producer.text()))
}

#[test]
fn messages_have_the_values_of_the_python_tutorial_and_a_key_with_a_sequence_number() {
    let broker = Broker::start(3);
    let before = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
    let mut producer =
        producer(&broker.variables(), &[("PRODUCER_RATE_PER_SEC", "100"), ("PRODUCER_MAX_MESSAGES", "10")]);
    assert_eq!(producer.wait().code(), Some(0), "{}", producer.text());
    let mut messages = read_all(&broker, 3);
    messages.sort_by_key(|message| (message.offset(), message.partition()));
    assert_eq!(messages.len(), 10);
    for (num, message) in messages.iter().enumerate() {
        let text = std::str::from_utf8(message.payload().unwrap()).unwrap();
        let value: Value = serde_json::from_str(text).unwrap();
        assert_eq!(
            text,
            format!(r#"{{"num": {num}, "ts": {}}}"#, value["ts"]),
            "the same bytes as Python's json.dumps"
        );
        let ts = value["ts"].as_str().unwrap();
        assert!(ts.len() == 19 && ts.as_bytes()[10] == b' ', "{ts}");
        assert_eq!(message.partition(), num as i32 % 3, "partitions take turns");
        let key = KeyReader::default().read(message.key().unwrap()).unwrap();
        assert_eq!(key.pseq, message.offset() as u64 + 1, "pseq counts the messages of a partition from 1");
        assert_eq!(key.run, closed(&producer).run);
        assert!(matches!(message.timestamp(), Timestamp::CreateTime(created) if created >= before));
    }
    let delivered = producer.with_message("message delivered");
    assert_eq!(delivered.len(), 10);
    assert!(delivered.iter().all(|line| line["latency_ms"].as_f64().is_some_and(|latency| latency > 0.0)));
}

#[test]
fn a_producer_stopped_at_full_speed_delivers_everything_it_accepted() {
    let broker = Broker::start(10);
    let mut producer = producer(&broker.variables(), &[("PRODUCER_RATE_PER_SEC", "max")]);
    producer.wait_until("a summary", |producer| producer.delivered_count() > 10_000);
    let (code, took) = producer.stop();
    assert_eq!(code, Some(0), "{}", producer.text());
    assert!(took < Duration::from_secs(10), "{took:?}");
    let closed = closed(&producer);
    assert_eq!((closed.rejected, closed.unknown), (0, 0));
    assert_eq!(closed.acknowledged, closed.accepted);
    assert_eq!(producer.delivered_count(), closed.accepted, "the summaries include every message");
    let last: u64 = closed.partitions.iter().map(|partition| partition.last_pseq).sum();
    assert_eq!(last, closed.accepted);
    let written: i64 = {
        let reader: BaseConsumer = broker.client_config().create().unwrap();
        let high = |partition| reader.fetch_watermarks(&broker.topic, partition, Duration::from_secs(10)).unwrap().1;
        (0..10).map(high).sum()
    };
    assert_eq!(written as u64, closed.accepted, "the broker has exactly the accepted messages");
    let longest = producer.text().lines().map(str::len).max().unwrap();
    assert!(longest < 16 * 1024, "container runtimes split lines of {longest} bytes");
}

#[test]
fn a_run_with_many_partitions_is_closed_by_several_lines_that_no_container_runtime_cuts() {
    let broker = Broker::start(600);
    let variables = [("PRODUCER_RATE_PER_SEC", "1000"), ("PRODUCER_MAX_MESSAGES", "1500")];
    let mut producer = producer(&broker.variables(), &variables);
    assert_eq!(producer.wait().code(), Some(0), "{}", producer.text());
    let closing: Vec<journal::RunClosed> = producer
        .lines()
        .into_iter()
        .filter_map(|line| if let Entry::RunClosed(closed) = line.entry { Some(closed) } else { None })
        .collect();
    assert_eq!(closing.len(), 3);
    assert!(closing.iter().all(|closed| closed.accepted == 1500 && closed.partition_count == Some(600)));
    let last_pseqs = closing.iter().flat_map(|closed| &closed.partitions);
    assert_eq!(last_pseqs.map(|last| last.last_pseq).sum::<u64>(), 1500, "each partition is in one of the lines");
    let longest = producer.text().lines().map(str::len).max().unwrap();
    assert!(longest < 16 * 1024, "container runtimes split lines of {longest} bytes");
}

/// Negative control of the test of full speed above: a producer that is dropped without a flush loses messages that it accepted.
#[test]
fn a_producer_dropped_without_a_flush_loses_its_queue() {
    let broker = Broker::start(1);
    let mut config = broker.client_config();
    let producer: BaseProducer = config.set("linger.ms", "1000").create().unwrap();
    producer.client().fetch_metadata(Some(&broker.topic), Duration::from_secs(10)).unwrap();
    for _ in 0..1000 {
        let record: BaseRecord<'_, str, str> = BaseRecord::to(&broker.topic).partition(0).payload("x");
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    drop(producer);
    assert!(read_all(&broker, 1).len() < 1000);
}

#[test]
fn without_a_broker_the_producer_stops_in_time_and_names_every_message_without_an_acknowledgement() {
    let mut broker = BrokerProcess::start();
    let mut producer = producer(&broker.variables(), &[("PRODUCER_RATE_PER_SEC", "100")]);
    producer.wait_until("deliveries", |producer| producer.delivered_count() > 20);
    broker.process.kill();
    producer.wait_for("broker unreachable");
    let (code, took) = producer.stop();
    assert_eq!(code, Some(1), "{}", producer.text());
    assert!(took < Duration::from_secs(10), "{took:?}");
    let closed = closed(&producer);
    assert_eq!(closed.accepted, closed.acknowledged + closed.rejected + closed.unknown);
    assert!(closed.accepted > closed.acknowledged);
    let count_of = |line: &Line| if let Entry::NotDelivered(entry) = &line.entry { entry.count } else { 0 };
    let named: u64 = producer.lines().iter().map(count_of).sum();
    assert_eq!(named, closed.rejected + closed.unknown, "each undelivered message is named");
}

#[test]
fn without_a_broker_the_producers_memory_is_bounded_and_it_continues_when_the_broker_is_back() {
    const BOUND_BYTES: u64 = 96 * 1024 * 1024;
    let broker = Broker::start(10);
    let mut producer = producer(&broker.variables(), &[("PRODUCER_RATE_PER_SEC", "max")]);
    producer.wait_until("deliveries", |producer| producer.delivered_count() > 1000);
    broker.cluster.broker_down(-1).unwrap();
    producer.wait_for("broker unreachable");
    assert!(producer.resident_bytes() < BOUND_BYTES, "{} bytes", producer.resident_bytes());
    let before = producer.delivered_count();
    broker.cluster.broker_up(-1).unwrap();
    producer.wait_until("deliveries again", |producer| producer.delivered_count() > before + 100_000);
    producer.wait_for("broker reachable again");
    assert_eq!(producer.stop().0, Some(0), "{}", &producer.text()[..2000]);
}
