//! What a process calls itself.

/// What a process calls itself in logs, metrics and traces.
#[derive(Debug, Clone, Default)]
pub struct Identity {
    /// Name of the service.
    pub service: String,
    /// Version of the service.
    pub version: String,
    /// Name of this process: 16 random hex digits. With 8, two of 95,000 processes would share a name with a probability of 65 %.
    pub instance: String,
    /// Client id, as the broker sees it.
    pub client_id: String,
}
