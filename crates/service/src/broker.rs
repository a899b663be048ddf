//! Reaching the broker and the topic.

pub(crate) mod access;
mod cause;
pub(crate) mod cluster;
mod connections;
mod explanation;
mod handshake;
mod leaders;
pub(crate) mod obstacle;
mod password;
mod quotas;
pub mod statistics;
mod tokens;
