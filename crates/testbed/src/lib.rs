//! Helpers of the tests: an embedded broker, the real services as processes, and what their log lines say.
//!
//! Every wait is for a condition, under a deadline, and panics with what it has seen when the deadline passes.

mod broker;
#[cfg(feature = "otel")]
mod collector;
mod process;

pub use broker::{Broker, BrokerProcess, topic};
#[cfg(feature = "otel")]
pub use collector::{Collector, Span};
pub use process::{Process, binary, consumer, producer, report};
