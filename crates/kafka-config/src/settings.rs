//! The settings of the services: raw text becomes checked values and librdkafka properties.

pub(crate) mod checker;
pub(crate) mod choices;
pub(crate) mod connection;
pub(crate) mod consumer;
pub(crate) mod passthrough;
pub(crate) mod producer;
pub(crate) mod runtime;
pub(crate) mod security;
pub(crate) mod traces;
