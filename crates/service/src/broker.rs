//! Reaching the broker and the topic.

pub(crate) mod access;
mod cause;
pub(crate) mod cluster;
mod explanation;
mod handshake;
mod leaders;
mod obstacle;
mod password;
mod quotas;
mod tokens;
