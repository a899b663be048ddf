//! Reaching the broker and the topic.

pub(crate) mod access;
mod cause;
mod explanation;
mod handshake;
mod obstacle;
mod password;
