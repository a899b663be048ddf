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
    pub(crate) fn new<C: ProducerContext>(producer: &'p BaseProducer<C>, name: &str) -> Result<Self, Code> {
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
        // librdkafka has no use; `Delivery::DeliveryOpaque` is the type that reads it back. The call writes to `err` only.
        unsafe {
            rd_kafka_produce_batch(self.topic, partition, RD_KAFKA_MSG_F_COPY, self.messages.as_mut_ptr(), count);
        }
        let is_accepted =
            |message: &rd_kafka_message_t| message.err == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR;
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
