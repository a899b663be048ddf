//! What the producer and the consumer services have in common, in three rooms:
//!
//! - `process`: the life of a process, from the command line and the settings to signals, the shutdown deadline and the exit code;
//! - `observability`: what a process shows of itself, which is its log, health, metrics and traces;
//! - `broker`: reaching the broker and the topic, and deciding whether to wait or to give up.
//!
//! A service implements [`Service`], and its `main` calls [`main()`]. See `producer-svc` and `consumer-svc`.

mod broker;
mod observability;
mod process;

pub use broker::access::Access;
pub use observability::health::Health;
pub use observability::metrics::{LastTime, Metrics};
pub use observability::throttle::Throttle;
pub use observability::traces::{Processing, Traces};
pub use process::command::main;
pub use process::failure::Failure;
pub use process::shutdown::{Shutdown, drop_in_background};
pub use process::start::{Handles, Identity, Service, start};
pub use process::supervise::Ending;
