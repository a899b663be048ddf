//! What rdkafka has no safe type for: a queue of librdkafka and a message in its memory.

pub(crate) mod message;
pub(crate) mod queue;
