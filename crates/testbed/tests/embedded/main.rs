//! The real services, the sandbox and the audit as processes, on librdkafka's embedded broker.
//!
//! One program instead of one for each file: librdkafka is linked once, and a test that waits leaves the processor to those of other
//! files.

mod audit_command;
mod consumer;
mod damaged_evidence;
mod groups;
mod health;
mod kills;
mod log;
mod metrics;
mod offsets;
mod outcomes;
mod page;
mod producer;
mod sandbox;
mod stories;
