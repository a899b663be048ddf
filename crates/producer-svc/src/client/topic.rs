//! Calls of librdkafka for which the crate `rdkafka` has no safe function: several messages in one call, and pausing partitions.

use std::ffi::{CString, c_int};
use std::marker::PhantomData;
use std::ptr;

use rdkafka::bindings::{
    RD_KAFKA_MSG_F_COPY, rd_kafka_last_error, rd_kafka_message_t, rd_kafka_pause_partitions, rd_kafka_produce_batch,
    rd_kafka_resume_partitions, rd_kafka_t, rd_kafka_topic_destroy, rd_kafka_topic_new, rd_kafka_topic_t,
};
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::producer::{BaseProducer, Producer as _, ProducerContext};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;

use super::batch::Batch;

/// A topic of a producer, which it borrows: librdkafka wants topics to be released before their client.
#[derive(Debug)]
pub(crate) struct Topic<'p> {
    client: *mut rd_kafka_t,
    topic: *mut rd_kafka_topic_t,
    name: String,
    /// Filled anew by each call.
    messages: Vec<rd_kafka_message_t>,
    _producer: PhantomData<&'p ()>,
}

/// What librdkafka did with a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Handover {
    /// It accepted this many messages from the beginning of the batch, and none of the others.
    pub(crate) accepted: usize,
    /// Why it refused the others.
    pub(crate) refusal: Option<Code>,
}

#[expect(unsafe_code, reason = "rdkafka hands over one message a call, and cannot pause partitions of a producer")]
impl<'p> Topic<'p> {
    /// Creates a handle. Contacts no broker.
    ///
    /// # Errors
    /// librdkafka rejects the name of the topic or one of its properties.
    pub(crate) fn new<C: ProducerContext<DeliveryOpaque = usize>>(
        producer: &'p BaseProducer<C>,
        name: &str,
    ) -> Result<Self, Code> {
        let client = producer.client().native_ptr();
        let c_name = CString::new(name).map_err(|_| Code::InvalidArgument)?;
        // SAFETY: the client lives as long as the reference, whose lifetime is ours. The name is copied. Without properties of its own the
        // topic gets those that the client was created with.
        let topic = unsafe { rd_kafka_topic_new(client, c_name.as_ptr(), ptr::null_mut()) };
        if topic.is_null() {
            // SAFETY: reads the error of this thread's last call.
            return Err(Code::from(unsafe { rd_kafka_last_error() }));
        }
        Ok(Self { client, topic, name: name.to_owned(), messages: Vec::new(), _producer: PhantomData })
    }

    /// Hands the messages of `batch` to librdkafka, which copies them. Each accepted message is reported later with its `due_micros`.
    ///
    /// The creation time of the messages is librdkafka's time of the call, because the call takes no other.
    pub(crate) fn produce(&mut self, partition: i32, batch: &Batch) -> Handover {
        self.messages.clear();
        self.messages.extend(batch.messages().map(|message| rd_kafka_message_t {
            err: RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR,
            rkt: ptr::null_mut(),
            partition,
            payload: message.value.as_ptr().cast_mut().cast(),
            len: message.value.len(),
            key: message.key.as_ptr().cast_mut().cast(),
            key_len: message.key.len(),
            offset: 0,
            _private: ptr::without_provenance_mut(message.due_micros),
        }));
        let count = c_int::try_from(self.messages.len()).unwrap_or(c_int::MAX);
        // SAFETY: the topic is ours until `drop`. The array has at least `count` elements, whose keys and values live in `batch` during the
        // call. With `RD_KAFKA_MSG_F_COPY`, librdkafka copies them and neither changes nor keeps them. `_private` is a number for which
        // librdkafka has no use, and the context of the producer reads it back as one: `new` accepts no other. The call writes to `err` only.
        unsafe {
            rd_kafka_produce_batch(self.topic, partition, RD_KAFKA_MSG_F_COPY, self.messages.as_mut_ptr(), count);
        }
        let is_accepted = |message: &rd_kafka_message_t| message.err == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR;
        let accepted = self.messages.iter().position(|message| !is_accepted(message)).unwrap_or(self.messages.len());
        let refused = &self.messages[accepted..];
        // A full queue, an unknown partition and a fatal error concern every message from the first refused one on. The only other reason is
        // a message that is larger than `message.max.bytes`, and even the lowest value of that property is ten times the size of ours.
        debug_assert!(!refused.iter().any(is_accepted), "librdkafka refuses the rest of a batch");
        Handover { accepted, refusal: refused.first().map(|message| Code::from(message.err)) }
    }

    /// Makes librdkafka keep the messages to these partitions, until [`resume`](Self::resume).
    pub(crate) fn pause(&self, partitions: &[i32]) {
        let list = self.list(partitions);
        // SAFETY: the client outlives us, and the list lives until the call returns.
        unsafe { rd_kafka_pause_partitions(self.client, list.ptr()) };
    }

    /// Lets librdkafka send the messages to these partitions again.
    pub(crate) fn resume(&self, partitions: &[i32]) {
        let list = self.list(partitions);
        // SAFETY: as in `pause`.
        unsafe { rd_kafka_resume_partitions(self.client, list.ptr()) };
    }

    fn list(&self, partitions: &[i32]) -> TopicPartitionList {
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            list.add_partition(&self.name, *partition);
        }
        list
    }
}

#[expect(unsafe_code, reason = "what `new` acquired is released")]
impl Drop for Topic<'_> {
    fn drop(&mut self) {
        // SAFETY: the handle is ours and is given up once. The client still lives, because we borrow its producer.
        unsafe { rd_kafka_topic_destroy(self.topic) };
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;
    use std::time::{Duration, Instant};

    use message::{Key, KeyReader, Payload, RunId};
    use rdkafka::ClientConfig;
    use rdkafka::client::ClientContext;
    use rdkafka::message::Message as _;
    use rdkafka::mocking::MockCluster;
    use rdkafka::producer::{DefaultProducerContext, DeliveryResult};

    use super::*;

    const TOPIC: &str = "t";

    /// What a delivery report said.
    #[derive(Debug, PartialEq, Eq)]
    struct Report {
        partition: i32,
        pseq: u64,
        num: u64,
        carried: usize,
        is_acknowledged: bool,
    }

    #[derive(Debug, Default)]
    struct Reports(Mutex<Vec<Report>>);

    impl ClientContext for Reports {}

    impl ProducerContext for Reports {
        type DeliveryOpaque = usize;

        fn delivery(&self, result: &DeliveryResult<'_>, carried: usize) {
            let (message, is_acknowledged) = match result {
                Ok(message) => (message, true),
                Err((_, message)) => (message, false),
            };
            let partition = message.partition();
            let Key { pseq, .. } = KeyReader::default().read(message.key().unwrap()).unwrap();
            let num = Payload::decode(message.payload()).unwrap().num;
            self.0.lock().push(Report { partition, pseq, num, carried, is_acknowledged });
        }
    }

    fn producer(servers: &str, properties: &[(&str, &str)]) -> BaseProducer<Reports> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", servers).set("enable.idempotence", "true");
        for (name, value) in properties {
            config.set(*name, *value);
        }
        config.create_with_context(Reports::default()).unwrap()
    }

    /// A cluster whose topic has two partitions, and a producer for it.
    fn connected() -> (MockCluster<'static, DefaultProducerContext>, BaseProducer<Reports>) {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic(TOPIC, 2, 1).unwrap();
        let producer = producer(&cluster.bootstrap_servers(), &[]);
        (cluster, producer)
    }

    fn batch(messages: u64) -> Batch {
        let mut batch = Batch::new(RunId::new());
        batch.start();
        (0..messages).for_each(|i| batch.push(100 + i, 1 + i, 7000 + i as usize));
        batch
    }

    /// What the reports of a batch of this length say if the broker acknowledged all of it.
    fn acknowledged(partition: i32, messages: u64) -> Vec<Report> {
        (0..messages)
            .map(|i| Report { partition, pseq: 1 + i, num: 100 + i, carried: 7000 + i as usize, is_acknowledged: true })
            .collect()
    }

    fn wait_for_reports(producer: &BaseProducer<Reports>, count: usize) -> Vec<Report> {
        let deadline = Instant::now() + Duration::from_secs(30);
        while producer.context().0.lock().len() < count {
            assert!(Instant::now() < deadline, "{count} reports");
            producer.poll(Duration::from_millis(10));
        }
        std::mem::take(&mut *producer.context().0.lock())
    }

    #[test]
    fn each_message_of_a_batch_is_reported_with_what_it_carried() {
        let (_cluster, producer) = connected();
        let mut topic = Topic::new(&producer, TOPIC).unwrap();
        for partition in [1, 0] {
            assert_eq!(topic.produce(partition, &batch(300)), Handover { accepted: 300, refusal: None });
            assert_eq!(wait_for_reports(&producer, 300), acknowledged(partition, 300));
        }
        assert_eq!(topic.produce(0, &batch(0)), Handover { accepted: 0, refusal: None });
    }

    #[test]
    fn a_full_queue_refuses_the_end_of_a_batch() {
        let producer = producer("127.0.0.1:1", &[("queue.buffering.max.messages", "10")]);
        let mut topic = Topic::new(&producer, TOPIC).unwrap();
        let full = Some(Code::QueueFull);
        assert_eq!(topic.produce(0, &batch(7)), Handover { accepted: 7, refusal: None });
        assert_eq!(topic.produce(0, &batch(7)), Handover { accepted: 3, refusal: full });
        assert_eq!(topic.produce(0, &batch(7)), Handover { accepted: 0, refusal: full });
    }

    #[test]
    fn a_partition_that_does_not_exist_refuses_a_batch() {
        let (_cluster, producer) = connected();
        let mut topic = Topic::new(&producer, TOPIC).unwrap();
        // After an acknowledgement the partitions are known.
        topic.produce(0, &batch(1));
        wait_for_reports(&producer, 1);
        let unknown = Some(Code::UnknownPartition);
        assert_eq!(topic.produce(2, &batch(3)), Handover { accepted: 0, refusal: unknown });
    }

    #[test]
    fn messages_to_a_paused_partition_are_sent_after_it_is_resumed() {
        let (_cluster, producer) = connected();
        let mut topic = Topic::new(&producer, TOPIC).unwrap();
        topic.produce(0, &batch(1));
        wait_for_reports(&producer, 1);
        topic.pause(&[0]);
        topic.produce(0, &batch(5));
        for _ in 0..10 {
            topic.produce(1, &batch(5));
            assert_eq!(wait_for_reports(&producer, 5), acknowledged(1, 5), "only messages to the other partition");
        }
        topic.resume(&[0]);
        assert_eq!(wait_for_reports(&producer, 5), acknowledged(0, 5));
    }

    #[test]
    fn a_name_that_cannot_be_a_topic_is_rejected() {
        let producer = producer("127.0.0.1:1", &[]);
        assert!(Topic::new(&producer, "t\0").is_err());
    }
}
