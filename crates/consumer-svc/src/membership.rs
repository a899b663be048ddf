//! Whether the group counts this replica among its members, before any partition says so.

use rdkafka::bindings::{
    rd_kafka_consumer_group_metadata, rd_kafka_consumer_group_metadata_destroy,
    rd_kafka_consumer_group_metadata_generation_id,
};
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};

/// Whether the coordinator has given it a generation (`classic`) or a member epoch (`consumer`, KIP-848).
///
/// With `consumer`, a replica that gets no partition hears of no assignment either, so this is all there is to see.
#[expect(unsafe_code, reason = "rdkafka has no safe way to ask for the generation")]
pub(crate) fn has_generation<C: ConsumerContext>(consumer: &BaseConsumer<C>) -> bool {
    // SAFETY: the pointer is that of a client which the reference keeps alive. What the first call gives is null or ours,
    // and is destroyed once, after its last use.
    unsafe {
        let metadata = rd_kafka_consumer_group_metadata(consumer.client().native_ptr());
        if metadata.is_null() {
            return false;
        }
        let generation = rd_kafka_consumer_group_metadata_generation_id(metadata);
        rd_kafka_consumer_group_metadata_destroy(metadata);
        generation > 0
    }
}
