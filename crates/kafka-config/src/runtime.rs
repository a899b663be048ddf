//! What has nothing to do with Kafka: logging, health, traces and stopping.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;

use crate::check::Check;
use crate::choices::{LOG_FORMATS, LOG_MESSAGES_VALUES, LogFormat, LogMessages};
use crate::environment::Environment;
use crate::problem::Problems;
use crate::traces::{RawTraces, TracesSettings};
use crate::variable::{HTTP_ADDR, LOG_FORMAT, LOG_MESSAGES, SHUTDOWN_TIMEOUT_MS};

#[derive(Deserialize)]
pub(crate) struct RawRuntime {
    http_addr: Option<String>,
    log_format: Option<String>,
    log_messages: Option<String>,
    shutdown_timeout_ms: Option<String>,
}

/// Logging, health, traces and stopping.
#[derive(Debug, Clone)]
pub struct RuntimeSettings {
    /// Where to listen for questions about health; `None`: nowhere.
    pub http_addr: Option<SocketAddr>,
    /// Form of the log lines.
    pub log_format: LogFormat,
    /// One line a message, or one summary a second.
    pub log_messages: LogMessages,
    /// Where traces go; `None`: there are none.
    pub traces: Option<TracesSettings>,
    /// How long a stop may take.
    pub shutdown_timeout: Duration,
}

impl RuntimeSettings {
    pub(crate) fn read(raw: RawRuntime, traces: RawTraces, check: &mut Check<'_>) -> Self {
        Self {
            http_addr: check.address(&HTTP_ADDR, raw.http_addr.as_deref()),
            log_format: check.choice(&LOG_FORMAT, raw.log_format.as_deref(), LOG_FORMATS),
            log_messages: check.choice(&LOG_MESSAGES, raw.log_messages.as_deref(), LOG_MESSAGES_VALUES),
            traces: TracesSettings::read(traces, check),
            shutdown_timeout: check.millis(&SHUTDOWN_TIMEOUT_MS, raw.shutdown_timeout_ms.as_deref(), 100..=600_000),
        }
    }
}

/// Where a service with this environment listens, whatever else is wrong in it.
///
/// # Errors
/// `HTTP_ADDR` is not set, or is no address.
pub fn http_addr(environment: &Environment) -> Result<SocketAddr, Problems> {
    let raw: RawRuntime = environment.fields("").map_err(|problem| Problems(vec![problem]))?;
    let nothing_else = Environment::from_pairs::<&str, &str>([]);
    let mut check = Check::new(&nothing_else);
    let address = check.address(&HTTP_ADDR, raw.http_addr.as_deref());
    if address.is_none() && check.problems.is_empty() {
        check.problem(&HTTP_ADDR, "is not set", "set it as the service has it: there is nobody to ask");
    }
    address.ok_or(Problems(check.problems))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_listener_is_off_unless_it_has_an_address_and_a_port() {
        let of = |value: &str| http_addr(&Environment::from_pairs([("HTTP_ADDR", value)]));
        assert_eq!(of("0.0.0.0:8080").unwrap().port(), 8080);
        assert_eq!(of("[::]:8080").unwrap().port(), 8080);
        for bad in ["8080", ":8080", "localhost:8080", "0.0.0.0"] {
            assert!(of(bad).unwrap_err().to_string().contains("HTTP_ADDR is no address"), "{bad}");
        }
        assert!(of("").unwrap_err().to_string().contains("HTTP_ADDR is not set"));
    }
}
