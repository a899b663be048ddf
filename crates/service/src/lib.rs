//! What the producer and the consumer services have in common, in five rooms. Each uses only those below it:
//!
//! - `lifecycle`: command line, settings, signals, the supervised thread, the shutdown deadline and the exit code;
//! - `broker`: reaching the broker and the topic, and deciding whether to wait or to give up;
//! - `observability`: log, health, metrics and traces;
//! - `process`: who the process is, whether it was asked to stop, and why it failed;
//! - `native`: what rdkafka has no safe type for.
//!
//! A service implements [`Service`], and its `main` calls [`main()`]. See `producer-svc` and `consumer-svc`.

mod broker;
mod lifecycle;
mod native;
mod observability;
mod process;

pub use broker::access::Access;
pub use broker::cluster::Cluster;
pub use broker::obstacle::Right;
pub use broker::statistics;
pub use lifecycle::command::main;
pub use lifecycle::start::{Handles, Service, start};
pub use lifecycle::supervise::Ending;
pub use native::message::NativeMessage;
pub use native::queue::NativeQueue;
pub use observability::complaint::Complaint;
pub use observability::health::Health;
pub use observability::metrics::{LastTime, LastTimes, Metrics};
pub use observability::throttle::Throttle;
#[cfg(feature = "otel")]
pub use observability::traces::sending_span;
pub use observability::traces::{Processing, Traces};
pub use process::failure::Failure;
pub use process::identity::Identity;
pub use process::shutdown::{Shutdown, drop_in_background};
