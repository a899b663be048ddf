//! The producer.

use serde::Serialize;

/// The state of the producer.
#[derive(Debug, Serialize)]
pub(crate) struct Producer {
    pub(crate) pid: i32,
    /// `running`, `paused`, `stopping` or `ended`.
    pub(crate) state: &'static str,
    /// Messages per second that it was asked for.
    pub(crate) rate: f64,
    pub(crate) acknowledged: u64,
    pub(crate) last_latency_ms: Option<f64>,
}

impl Producer {
    pub(crate) fn new(pid: i32, rate: f64) -> Self {
        Self { pid, state: "running", rate, acknowledged: 0, last_latency_ms: None }
    }

    /// Whether it could send, now or after a `resume`.
    pub(crate) fn is_alive(&self) -> bool {
        matches!(self.state, "running" | "paused")
    }
}
