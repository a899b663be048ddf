//! The messages of all owned partitions in one queue of ours, taken in batches.
//!
//! librdkafka delivers everything through the consumer's queue: messages, rebalances, results of commits, statistics, errors. The crate
//! `rdkafka` takes one of them at a time, each as an event with an allocation, a lock and several readings of the clock. Here each
//! partition is forwarded to a second queue instead, which holds messages and nothing else. The loop takes what is in it in one call,
//! finishes these messages, and only then polls the consumer for the rest. A rebalance, which arrives by that poll, therefore never
//! meets a message that was taken and is not accounted for.
//!
//! A partition is forwarded before it is assigned, so that its first message already arrives here. When it is taken away, librdkafka
//! ends the forwarding, and drops the messages that are still in the queue: each of them carries the version of the assignment for which
//! it was fetched, which is compared when it is taken.

use std::ffi::CString;
use std::fmt;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings::{
    rd_kafka_consume_batch_queue, rd_kafka_message_destroy, rd_kafka_message_t, rd_kafka_queue_forward,
    rd_kafka_queue_get_consumer, rd_kafka_queue_get_partition, rd_kafka_queue_new,
};
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use service::{NativeMessage, NativeQueue};

/// How many messages are taken at once. A rebalance waits until they are accounted for, and so does everything else that the loop does,
/// even if the reader of the log takes only a few lines a second.
pub(crate) const BATCH_MAX: usize = 256;

/// The queue of messages, and the consumer's own queue. Both wake the loop.
pub(crate) struct Inbox<C: ConsumerContext + 'static> {
    messages: NativeQueue,
    events: NativeQueue,
    /// Dropped last: the queues must not outlive the client.
    consumer: Arc<BaseConsumer<C>>,
}

impl<C: ConsumerContext> fmt::Debug for Inbox<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").finish_non_exhaustive()
    }
}

impl<C: ConsumerContext> Inbox<C> {
    /// An empty queue. From now on, the present thread is woken when a message or an event arrives.
    ///
    /// # Errors
    /// The consumer is not a member of a group.
    #[expect(unsafe_code, reason = "rdkafka has no safe function for queues of one's own")]
    pub(crate) fn new(consumer: Arc<BaseConsumer<C>>) -> KafkaResult<Self> {
        let client = consumer.client().native_ptr();
        // SAFETY: the client lives as long as `consumer`, which is dropped after both queues. All calls return a handle that is ours to
        // give back, or null.
        let (messages, events) = unsafe {
            (NativeQueue::new(rd_kafka_queue_new(client)), NativeQueue::new(rd_kafka_queue_get_consumer(client)))
        };
        let (Some(mut messages), Some(mut events)) = (messages, events) else {
            return Err(KafkaError::ClientCreation("the consumer has no queue".to_owned()));
        };
        messages.wake_this_thread();
        events.wake_this_thread();
        Ok(Self { messages, events, consumer })
    }

    /// Sends the messages of these partitions here from now on. To be called before each assignment of a partition.
    #[expect(unsafe_code, reason = "rdkafka has no safe function to forward a queue")]
    pub(crate) fn forward(&self, topic: &str, partitions: &[i32]) {
        let Ok(topic) = CString::new(topic) else { return };
        for partition in partitions {
            let client = self.consumer.client().native_ptr();
            // SAFETY: the client and the topic's name are valid. The call returns null or a handle that is ours to give back.
            let queue = unsafe { NativeQueue::new(rd_kafka_queue_get_partition(client, topic.as_ptr(), *partition)) };
            if let Some(queue) = queue {
                // SAFETY: both queues are valid. librdkafka keeps a reference of its own to the destination.
                unsafe { rd_kafka_queue_forward(queue.as_ptr(), self.messages.as_ptr()) };
            }
        }
    }

    /// Takes the waiting messages, `max` or [`BATCH_MAX`] at most, and passes them to `handle` one after the other. The rest of them is
    /// dropped after an error. Does not block.
    ///
    /// What librdkafka reports about a partition comes the same way, and shows itself by [`NativeMessage::error`].
    ///
    /// librdkafka records the position of each partition once it has filled the batch, and only if the position rose. It uses what it has
    /// recorded when a rebalance has interrupted a partition that the replica keeps, so the caller has to restore the positions then: a
    /// batch may have been filled at that very moment, the position may have fallen because the topic was created anew, or what was taken
    /// may have been a report, after which librdkafka records the offset that follows the one it could not read.
    ///
    /// # Errors
    /// That of `handle`.
    #[expect(unsafe_code, reason = "rdkafka has no safe function to take messages in batches")]
    pub(crate) fn take<E>(
        &self,
        max: usize,
        mut handle: impl FnMut(NativeMessage<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut batch = Batch { messages: [ptr::null_mut(); BATCH_MAX], count: 0, next: 0 };
        let max = max.min(BATCH_MAX);
        // SAFETY: the queue is valid, and the array has room for `max` pointers. The messages are ours to destroy.
        let count =
            unsafe { rd_kafka_consume_batch_queue(self.messages.as_ptr(), 0, batch.messages.as_mut_ptr(), max) };
        batch.count = usize::try_from(count).unwrap_or(0);
        while let Some(message) = batch.current() {
            // SAFETY: librdkafka made the message, and nothing destroys it before `advance`, which follows the call.
            handle(unsafe { NativeMessage::from_ptr(message) })?;
            batch.advance();
        }
        Ok(())
    }

    /// Whether polling the consumer would find something.
    pub(crate) fn has_events(&self) -> bool {
        self.events.waiting() > 0
    }

    /// How many messages wait.
    #[cfg(test)]
    fn waiting(&self) -> usize {
        self.messages.waiting()
    }

    /// Blocks until something arrives in one of the two queues or the thread is woken otherwise, for `timeout` at most. Returns at once if
    /// something has arrived since the last call. For the thread that made the inbox.
    pub(crate) fn wait(&self, timeout: Duration) {
        std::thread::park_timeout(timeout);
    }
}

/// Messages that were taken from the queue. Each is destroyed as soon as it is done with, and the others when this is dropped.
struct Batch {
    messages: [*mut rd_kafka_message_t; BATCH_MAX],
    count: usize,
    /// The first message that is not destroyed yet.
    next: usize,
}

impl Batch {
    fn current(&self) -> Option<NonNull<rd_kafka_message_t>> {
        self.messages[..self.count].get(self.next).copied().and_then(NonNull::new)
    }

    #[expect(unsafe_code, reason = "rdkafka has no safe type for a message outside of an event")]
    fn advance(&mut self) {
        if let Some(message) = self.current() {
            self.next += 1;
            // SAFETY: the message is ours, and `next` has just moved past it, so it is destroyed only once.
            unsafe { rd_kafka_message_destroy(message.as_ptr()) };
        }
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        while self.current().is_some() {
            self.advance();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::time::Instant;

    use rdkafka::ClientConfig;
    use rdkafka::consumer::DefaultConsumerContext;
    use rdkafka::mocking::MockCluster;
    use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer as _};
    use rdkafka::{Offset, TopicPartitionList};

    use super::*;

    const TOPIC: &str = "t";
    const DEADLINE: Duration = Duration::from_secs(20);

    struct Setup {
        inbox: Inbox<DefaultConsumerContext>,
        producer: BaseProducer,
        // Dropped after its clients.
        _broker: MockCluster<'static, DefaultProducerContext>,
    }

    /// A broker with a topic of two partitions, and a consumer that is a member of no group yet.
    fn setup() -> Setup {
        let broker = MockCluster::new(1).unwrap();
        broker.create_topic(TOPIC, 2, 1).unwrap();
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", broker.bootstrap_servers()).set("group.id", "g");
        let producer = config.create().unwrap();
        config.set("enable.auto.commit", "false").set("enable.auto.offset.store", "false");
        config.set("auto.offset.reset", "error").set("fetch.wait.max.ms", "10");
        let consumer: BaseConsumer = config.create().unwrap();
        Setup { inbox: Inbox::new(Arc::new(consumer)).unwrap(), producer, _broker: broker }
    }

    impl Setup {
        fn send(&self, partition: i32, value: &str) {
            self.producer.send(BaseRecord::<(), str>::to(TOPIC).partition(partition).payload(value)).unwrap();
            self.producer.flush(DEADLINE).unwrap();
        }

        /// Assigns the partitions from these offsets; none is assigned if the list is empty.
        fn assign(&self, offsets: &[(i32, i64)]) {
            let mut list = TopicPartitionList::new();
            for (partition, offset) in offsets {
                list.add_partition_offset(TOPIC, *partition, Offset::Offset(*offset)).unwrap();
            }
            self.inbox.consumer.assign(&list).unwrap();
            // The end of the former assignment is under way when `assign` returns, and complete when a later question is answered. A group
            // waits for it before it assigns anything again.
            self.inbox.consumer.assignment().unwrap();
        }

        /// Waits as the loop does until `count` messages were taken: their partition, offset and value, or their error.
        fn take(&self, count: usize) -> Vec<(i32, i64, String)> {
            let until = Instant::now() + DEADLINE;
            let mut taken = Vec::new();
            while taken.len() < count {
                assert!(Instant::now() < until, "{taken:?}");
                let Ok(()) = self.inbox.take(count - taken.len(), |message| {
                    let value = String::from_utf8_lossy(message.value().unwrap_or_default()).into_owned();
                    let value = message.error().map_or(value, |error| format!("{error:?}"));
                    taken.push((message.partition(), message.offset(), value));
                    Ok::<_, Infallible>(())
                });
                while self.inbox.has_events() {
                    assert!(
                        !matches!(self.inbox.consumer.poll(Duration::ZERO), Some(Ok(_))),
                        "a message beside the inbox"
                    );
                }
                self.inbox.wait(Duration::from_millis(10));
            }
            taken
        }
    }

    fn message(partition: i32, offset: i64, value: &str) -> (i32, i64, String) {
        (partition, offset, value.to_owned())
    }

    #[test]
    fn messages_of_assigned_partitions_arrive_in_order_and_again_after_another_assignment() {
        let setup = setup();
        for value in ["a", "b", "c"] {
            setup.send(0, value);
        }
        setup.send(1, "x");
        setup.inbox.forward(TOPIC, &[0]);
        setup.assign(&[(0, 1)]);
        assert_eq!(setup.take(2), [message(0, 1, "b"), message(0, 2, "c")]);
        // The end of an assignment ends the forwarding.
        setup.assign(&[]);
        setup.inbox.forward(TOPIC, &[0, 1]);
        setup.assign(&[(0, 0), (1, 0)]);
        let mut taken = setup.take(4);
        taken.sort();
        let expected = [message(0, 0, "a"), message(0, 1, "b"), message(0, 2, "c"), message(1, 0, "x")];
        assert_eq!(taken, expected);
    }

    #[test]
    fn messages_that_wait_when_their_partition_is_taken_away_are_dropped() {
        let setup = setup();
        setup.send(0, "old");
        setup.send(1, "other");
        setup.inbox.forward(TOPIC, &[0]);
        setup.assign(&[(0, 0)]);
        // The inbox wakes this thread when the message has arrived.
        let until = Instant::now() + DEADLINE;
        while setup.inbox.waiting() == 0 && Instant::now() < until {
            setup.inbox.wait(Duration::from_millis(10));
        }
        assert_eq!(setup.inbox.waiting(), 1);
        setup.assign(&[]);
        setup.inbox.forward(TOPIC, &[1]);
        setup.assign(&[(1, 0)]);
        assert_eq!(setup.take(1), [message(1, 0, "other")]);
    }

    #[test]
    fn an_error_of_a_partition_arrives_in_the_place_of_a_message() {
        let setup = setup();
        setup.inbox.forward(TOPIC, &[0]);
        setup.assign(&[(0, 100)]);
        let [(partition, _, error)] = &setup.take(1)[..] else { panic!("one error") };
        assert_eq!((*partition, error.as_str()), (0, "RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET"));
    }

    #[test]
    fn after_an_error_of_the_handler_the_rest_of_the_batch_is_dropped() {
        let setup = setup();
        for value in ["a", "b", "c"] {
            setup.send(0, value);
        }
        setup.inbox.forward(TOPIC, &[0]);
        setup.assign(&[(0, 0)]);
        let until = Instant::now() + DEADLINE;
        while setup.inbox.waiting() < 3 && Instant::now() < until {
            setup.inbox.wait(Duration::from_millis(10));
        }
        let mut offsets = Vec::new();
        let outcome = setup.inbox.take(BATCH_MAX, |message| {
            offsets.push(message.offset());
            if message.offset() == 1 { Err("full") } else { Ok(()) }
        });
        assert_eq!((outcome, offsets, setup.inbox.waiting()), (Err("full"), vec![0, 1], 0));
    }

    #[test]
    fn a_message_that_arrives_before_the_wait_ends_it() {
        let setup = setup();
        setup.inbox.forward(TOPIC, &[0]);
        setup.assign(&[(0, 0)]);
        setup.send(0, "a");
        let until = Instant::now() + DEADLINE;
        while setup.inbox.waiting() == 0 && Instant::now() < until {
            std::thread::yield_now();
        }
        let started = Instant::now();
        setup.inbox.wait(DEADLINE);
        assert!(started.elapsed() < DEADLINE);
    }

    #[test]
    fn a_consumer_without_a_group_has_no_inbox() {
        let consumer: BaseConsumer = ClientConfig::new().set("bootstrap.servers", "127.0.0.1:1").create().unwrap();
        assert!(Inbox::new(Arc::new(consumer)).is_err());
    }
}
