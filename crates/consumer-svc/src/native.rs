//! Calls of librdkafka for which the crate `rdkafka` has no safe function.

pub(crate) mod inbox;

use std::ffi::CString;
use std::ptr;

use rdkafka::TopicPartitionList;
use rdkafka::bindings::{
    rd_kafka_commit_queue, rd_kafka_consumer_group_metadata, rd_kafka_consumer_group_metadata_destroy,
    rd_kafka_consumer_group_metadata_generation_id, rd_kafka_get_watermark_offsets, rd_kafka_queue_get_consumer,
    rd_kafka_topic_partition_list_del,
};
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::RDKafkaRespErr;
use service::NativeQueue;

/// The generation (`classic`) or member epoch (`consumer`, KIP-848) that the coordinator assigned. Below 1 if there is none.
#[expect(unsafe_code, reason = "rdkafka has no safe way to read the generation")]
pub(crate) fn generation<C: ConsumerContext>(consumer: &BaseConsumer<C>) -> i32 {
    // SAFETY: the client lives as long as the reference. The first call returns null or a pointer that we own, which is destroyed once,
    // after its last use.
    unsafe {
        let metadata = rd_kafka_consumer_group_metadata(consumer.client().native_ptr());
        if metadata.is_null() {
            return -1;
        }
        let generation = rd_kafka_consumer_group_metadata_generation_id(metadata);
        rd_kafka_consumer_group_metadata_destroy(metadata);
        generation
    }
}

/// Asks the coordinator to commit these offsets, even if higher ones were committed before. The result arrives like that of a periodic
/// commit.
///
/// # Errors
/// Nothing was sent.
#[expect(unsafe_code, reason = "rdkafka's own commit passes its result to nobody")]
pub(crate) fn commit<C: ConsumerContext>(consumer: &BaseConsumer<C>, offsets: &TopicPartitionList) -> KafkaResult<()> {
    let client = consumer.client().native_ptr();
    // SAFETY: the client lives as long as the reference, and the handle of its queue is ours to give back.
    let Some(queue) = (unsafe { NativeQueue::new(rd_kafka_queue_get_consumer(client)) }) else {
        return Err(KafkaError::ConsumerCommit(RDKafkaRespErr::RD_KAFKA_RESP_ERR__UNKNOWN_GROUP.into()));
    };
    // SAFETY: the client and the queue are valid, and librdkafka copies the list. Without a function to call, the result goes to the queue.
    let code = unsafe { rd_kafka_commit_queue(client, offsets.ptr(), queue.as_ptr(), None, ptr::null_mut()) };
    if code == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
        Ok(())
    } else {
        Err(KafkaError::ConsumerCommit(code.into()))
    }
}

/// Removes a partition from a list. Unlike in a new list, the others keep what only librdkafka knows about them, such as leader epochs.
#[expect(unsafe_code, reason = "rdkafka's lists can only grow")]
pub(crate) fn remove(list: &mut TopicPartitionList, topic: &str, partition: i32) {
    let Ok(topic) = CString::new(topic) else { return };
    // SAFETY: both arguments are valid during the call. Nothing refers to the entries of the list, which is borrowed mutably.
    unsafe { rd_kafka_topic_partition_list_del(list.ptr(), topic.as_ptr(), partition) };
}

/// The offset at which the log of a partition starts, according to the last fetch. Contacts no broker. `None` if nothing was fetched yet.
#[expect(unsafe_code, reason = "rdkafka can only ask the broker for it")]
pub(crate) fn log_start<C: ConsumerContext>(consumer: &BaseConsumer<C>, topic: &str, partition: i32) -> Option<i64> {
    let topic = CString::new(topic).ok()?;
    let (mut low, mut high) = (-1, -1);
    // SAFETY: the client lives as long as the reference, and the three pointers are to values that outlive the call.
    let result = unsafe {
        rd_kafka_get_watermark_offsets(
            consumer.client().native_ptr(),
            topic.as_ptr(),
            partition,
            &raw mut low,
            &raw mut high,
        )
    };
    (result == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR && low >= 0).then_some(low)
}
