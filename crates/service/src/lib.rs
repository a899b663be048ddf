//! What both services do alike: logging, signals and deadlines, health, metrics, traces, reaching the broker, and how they end.

mod access;
mod command;
mod detail;
mod failure;
mod health;
mod healthcheck;
mod http;
mod latency;
mod logging;
mod metrics;
mod shutdown;
mod start;
mod supervise;
mod throttle;
#[cfg(feature = "otel")]
mod traces;
#[cfg(not(feature = "otel"))]
#[path = "no_traces.rs"]
mod traces;

pub use access::Access;
pub use command::command;
pub use detail::{Detail, SUMMARY_RANGES_MAX};
pub use failure::Failure;
pub use health::Health;
pub use latency::Latencies;
pub use metrics::{LastTime, Metrics};
pub use shutdown::{Shutdown, release};
pub use start::{Begun, Identity, begin};
pub use supervise::{Ending, supervise};
pub use throttle::Throttle;
pub use traces::{Processing, Traces};
