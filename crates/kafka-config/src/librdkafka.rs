//! librdkafka: what the linked library can do, and the properties that a client is created with.

pub(crate) mod defaults;
pub(crate) mod features;
pub(crate) mod properties;
