//! What a process calls itself.

/// What a process calls itself in logs, metrics and traces.
#[derive(Debug, Clone, Default)]
pub struct Identity {
    /// Name of the service.
    pub service: String,
    /// Version of the service.
    pub version: String,
    /// Name of this process: 8 hex digits.
    pub instance: String,
    /// Client id, as the broker sees it.
    pub client_id: String,
}
