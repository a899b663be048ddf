//! librdkafka's side of the producer: what is handed to it, and what it reports back.

pub(crate) mod batch;
pub(crate) mod delivery;
pub(crate) mod reports;
pub(crate) mod topic;
