//! What a process shows of itself: log, health, metrics and traces.

pub(crate) mod complaint;
pub(crate) mod health;
pub(crate) mod healthcheck;
pub(crate) mod http;
pub(crate) mod logging;
pub(crate) mod metrics;
pub(crate) mod throttle;
#[cfg(feature = "otel")]
pub(crate) mod traces;
#[cfg(not(feature = "otel"))]
#[path = "observability/no_traces.rs"]
pub(crate) mod traces;
