//! Reaching the broker and the topic.

pub(crate) mod access;
pub(crate) mod cluster;
mod leaders;
mod obstacle;
