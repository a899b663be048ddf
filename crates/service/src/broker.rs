//! Reaching the broker and the topic.

pub(crate) mod access;
mod cause;
mod handshake;
mod obstacle;
mod password;
