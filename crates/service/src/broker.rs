//! Reaching the broker and the topic.

pub(crate) mod access;
mod cause;
pub(crate) mod cluster;
mod explanation;
mod handshake;
mod leaders;
pub(crate) mod native_queue;
mod obstacle;
mod password;
mod quotas;
mod tokens;
