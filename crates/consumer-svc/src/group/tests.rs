//! The callbacks, with a client on librdkafka's mock cluster.

use std::time::{Duration, Instant};

use journal::{Beginnings, Detail};
use kafka_config::{ConsumerSettings, Environment};
use rdkafka::consumer::CommitMode;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer as _};
use rdkafka::types::RDKafkaApiKey;
use rdkafka::{ClientConfig, Offset};
use service::Metrics;

use super::*;

fn consumer(bootstrap_servers: &str) -> Arc<BaseConsumer<Group>> {
    let variables = [("KAFKA_BOOTSTRAP_SERVERS", bootstrap_servers), ("KAFKA_TOPIC", "t"), ("KAFKA_GROUP_ID", "g")];
    let settings = ConsumerSettings::from_environment(&Environment::from_pairs(variables)).unwrap();
    let access = Arc::new(Access::new(&settings.connection, settings.properties));
    let journal = journal::Journal::new(journal::Format::Json, "c", "0a1b2c3d", Box::new(io::sink()));
    let metrics = Arc::new(ConsumerMetrics::new(&Metrics::new(&[], &service::Identity::default()), "t", true));
    let books = Books::new(Arc::new(journal), Arc::clone(&metrics), "t", "g", Detail::Each);
    let traces = Traces::start(None, &service::Identity::default(), &[]).unwrap();
    let (reset, positions) = (settings.auto_offset_reset, Positions::new("t"));
    let group = Group::new(Arc::clone(&access), metrics, "t", reset, traces, books, positions);
    Arc::new(access.properties().client_config().create_with_context(group).unwrap())
}

/// A replica that owns the only partition of a topic with five messages, and has received none of them yet.
struct Setup {
    consumer: Arc<BaseConsumer<Group>>,
    inbox: Arc<Inbox<Group>>,
    /// When a test gives up.
    until: Instant,
    // Dropped after its clients.
    _broker: MockCluster<'static, DefaultProducerContext>,
}

fn setup() -> Setup {
    setup_after(|_| {})
}

/// Calls `disturb` before the partition is assigned.
fn setup_after(disturb: impl FnOnce(&MockCluster<'static, DefaultProducerContext>)) -> Setup {
    let until = Instant::now() + Duration::from_secs(20);
    let broker = MockCluster::new(1).unwrap();
    broker.create_topic("t", 1, 1).unwrap();
    let servers = broker.bootstrap_servers();
    let producer: BaseProducer = ClientConfig::new().set("bootstrap.servers", &servers).create().unwrap();
    for _ in 0..5 {
        producer.send(BaseRecord::<(), str>::to("t").partition(0).payload("x")).unwrap();
    }
    producer.flush(Duration::from_secs(20)).unwrap();

    let consumer = consumer(&servers);
    let inbox = Arc::new(Inbox::new(Arc::clone(&consumer)).unwrap());
    consumer.context().receive_by(&inbox);
    let begin = Beginnings { committed: vec![(0, 0)], ..Beginnings::default() };
    consumer.context().state().positions.assign(&begin);
    inbox.forward("t", &[0]);
    disturb(&broker);
    consumer.assign(&beginnings::assignment("t", &begin).unwrap()).unwrap();
    Setup { consumer, inbox, until, _broker: broker }
}

#[test]
fn nothing_is_accounted_for_after_a_callback_failed_to_write_a_line() {
    let consumer = consumer("127.0.0.1:1");
    let mut was_called = false;
    consumer.context().state().write_error = Some(io::Error::other("no space left"));
    let outcome = consumer.context().account_and_store(&consumer, |_| {
        was_called = true;
        Ok(())
    });
    assert!(outcome.is_err() && !was_called);
}

#[test]
fn a_kept_partition_continues_after_the_last_message_that_was_noted_whatever_librdkafka_recorded() {
    let setup = setup();
    let (consumer, inbox, until) = (&setup.consumer, &setup.inbox, setup.until);
    let group = consumer.context();
    let mut taken = 0;
    while taken < 5 {
        assert!(Instant::now() < until);
        inbox.wait(Duration::from_millis(10));
        let noted: Result<(), io::Error> = inbox.take(5, |message| {
            taken += 1;
            if message.offset() < 2 {
                group.state().positions.advance(0, message.offset());
            }
            Ok(())
        });
        noted.unwrap();
    }
    // librdkafka has recorded position 5.
    group.restore_positions(consumer, &[]).unwrap();
    let mut received = ReceivedCounts::default();
    while received.total() < 3 {
        assert!(Instant::now() < until);
        inbox.wait(Duration::from_millis(10));
        group.receive_batch(consumer, inbox, 5, &mut received).unwrap();
    }
    assert_eq!(group.state().positions.processed().collect::<Vec<_>>(), [(0, Some(5))]);
}

#[test]
fn a_kept_partition_whose_position_is_right_or_not_known_yet_continues_where_it_was() {
    let setup = setup();
    let (consumer, inbox, until) = (&setup.consumer, &setup.inbox, setup.until);
    let group = consumer.context();
    // librdkafka knows no position yet.
    group.restore_positions(consumer, &[]).unwrap();
    let mut received = ReceivedCounts::default();
    let mut receive = |count| {
        while received.total() < count {
            assert!(Instant::now() < until);
            inbox.wait(Duration::from_millis(10));
            let left = usize::try_from(count - received.total()).unwrap();
            group.receive_batch(consumer, inbox, left, &mut received).unwrap();
        }
    };
    receive(3);
    group.restore_positions(consumer, &[]).unwrap();
    receive(5);
    assert_eq!(group.state().positions.processed().collect::<Vec<_>>(), [(0, Some(5))]);
}

/// librdkafka takes the offset in an error for one that was read.
#[test]
fn an_error_before_the_first_message_and_a_rebalance_after_it_skip_no_message() {
    let setup = setup_after(|broker| {
        let error = RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
        broker.request_errors(RDKafkaApiKey::Fetch, &[error]);
    });
    let (consumer, inbox, until) = (&setup.consumer, &setup.inbox, setup.until);
    let group = consumer.context();
    let mut received = ReceivedCounts::default();
    let mut reports = Vec::new();
    while reports.is_empty() {
        assert!(Instant::now() < until);
        inbox.wait(Duration::from_millis(10));
        reports = group.receive_batch(consumer, inbox, 1, &mut received).unwrap();
    }
    assert_eq!((reports, received.total()), (vec![KafkaError::MessageConsumption(Code::TopicAuthorizationFailed)], 0));
    let mut partition = TopicPartitionList::new();
    partition.add_partition("t", 0);
    // What a rebalance does to a partition that stays.
    consumer.pause(&partition).unwrap();
    consumer.resume(&partition).unwrap();
    group.restore_positions(consumer, &[]).unwrap();
    while received.total() < 5 {
        assert!(Instant::now() < until, "{} received", received.total());
        inbox.wait(Duration::from_millis(10));
        group.receive_batch(consumer, inbox, 5, &mut received).unwrap();
    }
}

/// librdkafka by itself commits nothing below the last committed offset.
#[test]
fn what_is_processed_after_the_position_has_fallen_is_committed() {
    let setup = setup();
    let (consumer, inbox, until) = (&setup.consumer, &setup.inbox, setup.until);
    let group = consumer.context();
    let mut received = ReceivedCounts::default();
    let mut receive = |count: u64, max: usize| {
        while received.total() < count {
            assert!(Instant::now() < until);
            inbox.wait(Duration::from_millis(10));
            group.receive_batch(consumer, inbox, max, &mut received).unwrap();
        }
    };
    let committed = || {
        let mut list = TopicPartitionList::new();
        list.add_partition("t", 0);
        let offsets = consumer.committed_offsets(list, Duration::from_secs(5)).unwrap();
        offsets.elements()[0].offset()
    };
    receive(5, 5);
    consumer.commit_consumer_state(CommitMode::Sync).unwrap();
    assert_eq!(committed(), Offset::Offset(5));
    consumer.seek("t", 0, Offset::Offset(1), Duration::from_secs(5)).unwrap();
    receive(6, 1);
    while committed() != Offset::Offset(2) {
        assert!(Instant::now() < until, "{:?} is committed", committed());
        assert!(consumer.poll(Duration::from_millis(10)).is_none());
    }
    while group.state().positions.has_uncommitted() {
        assert!(Instant::now() < until);
        assert!(consumer.poll(Duration::from_millis(10)).is_none());
    }
    // From here on librdkafka goes on by itself.
    receive(7, 1);
    consumer.commit_consumer_state(CommitMode::Sync).unwrap();
    assert_eq!(committed(), Offset::Offset(3));
}
