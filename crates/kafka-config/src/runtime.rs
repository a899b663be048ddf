//! What has nothing to do with Kafka: logging and stopping.

use std::time::Duration;

use serde::Deserialize;

use crate::check::Check;
use crate::choices::{LOG_FORMATS, LOG_MESSAGES_VALUES, LogFormat, LogMessages};
use crate::variable::{LOG_FORMAT, LOG_MESSAGES, SHUTDOWN_TIMEOUT_MS};

#[derive(Deserialize)]
pub(crate) struct RawRuntime {
    log_format: Option<String>,
    log_messages: Option<String>,
    shutdown_timeout_ms: Option<String>,
}

/// Logging and stopping.
#[derive(Debug, Clone)]
pub struct RuntimeSettings {
    /// Form of the log lines.
    pub log_format: LogFormat,
    /// One line a message, or one summary a second.
    pub log_messages: LogMessages,
    /// How long a stop may take.
    pub shutdown_timeout: Duration,
}

impl RuntimeSettings {
    pub(crate) fn read(raw: RawRuntime, check: &mut Check<'_>) -> Self {
        Self {
            log_format: check.choice(&LOG_FORMAT, raw.log_format.as_deref(), LOG_FORMATS),
            log_messages: check.choice(&LOG_MESSAGES, raw.log_messages.as_deref(), LOG_MESSAGES_VALUES),
            shutdown_timeout: check.millis(&SHUTDOWN_TIMEOUT_MS, raw.shutdown_timeout_ms.as_deref(), 100..=600_000),
        }
    }
}
