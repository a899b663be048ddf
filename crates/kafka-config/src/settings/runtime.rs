//! Settings that have nothing to do with Kafka: logging, health checks, traces and shutdown.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;

use crate::librdkafka::features::Features;
use crate::settings::checker::Checker;
use crate::settings::choices::{LOG_FORMATS, LOG_MESSAGES_VALUES, LogFormat, LogMessages, SWITCH};
use crate::settings::traces::TracesSettings;
use crate::variables::environment::Environment;
use crate::variables::problem::Problems;
use crate::variables::variable::{HTTP_ADDR, LOG_FORMAT, LOG_MESSAGES, METRICS_BY_PARTITION, SHUTDOWN_TIMEOUT_MS};

#[derive(Default, Deserialize)]
struct RawRuntime {
    http_addr: Option<String>,
    log_format: Option<String>,
    log_messages: Option<String>,
    metrics_by_partition: Option<String>,
    shutdown_timeout_ms: Option<String>,
}

/// Logging, health checks, traces and shutdown.
#[derive(Debug, Clone)]
pub struct RuntimeSettings {
    /// The address that serves `/livez`, `/readyz` and `/metrics` (`HTTP_ADDR`); `None` by default, which means no listener.
    pub http_addr: Option<SocketAddr>,
    /// The format of log lines (`LOG_FORMAT`).
    pub log_format: LogFormat,
    /// Whether each message is logged or a summary per second (`LOG_MESSAGES`).
    pub log_messages: LogMessages,
    /// Whether there are metrics for each partition (`METRICS_BY_PARTITION`).
    pub metrics_by_partition: bool,
    /// Where traces are sent and how many; `None` by default, which means no traces.
    pub traces: Option<TracesSettings>,
    /// The deadline of a shutdown (`SHUTDOWN_TIMEOUT_MS`).
    pub shutdown_timeout: Duration,
}

impl RuntimeSettings {
    pub(crate) fn read(checker: &mut Checker<'_>) -> Self {
        let raw: RawRuntime = checker.fields("");
        Self {
            http_addr: checker.address(&HTTP_ADDR, raw.http_addr.as_deref()),
            log_format: checker.choice(&LOG_FORMAT, raw.log_format.as_deref(), LOG_FORMATS),
            log_messages: checker.choice(&LOG_MESSAGES, raw.log_messages.as_deref(), LOG_MESSAGES_VALUES),
            metrics_by_partition: checker.choice(&METRICS_BY_PARTITION, raw.metrics_by_partition.as_deref(), SWITCH),
            traces: TracesSettings::read(checker),
            shutdown_timeout: checker.millis(&SHUTDOWN_TIMEOUT_MS, raw.shutdown_timeout_ms.as_deref(), 100..=600_000),
        }
    }
}

/// The address that a service with this environment listens on. Other settings are not checked.
///
/// # Errors
/// Returns a problem if `HTTP_ADDR` is unset or is not an IP address with a port.
pub fn http_addr(environment: &Environment) -> Result<SocketAddr, Problems> {
    let raw: RawRuntime = environment.fields("").map_err(|problem| Problems(vec![problem]))?;
    // A checker of `environment` would start with the problems of all its variables.
    let empty = Environment::from_pairs::<&str, &str>([]);
    let mut checker = Checker::new(&empty, Features::linked());
    let address = checker.address(&HTTP_ADDR, raw.http_addr.as_deref());
    if address.is_none() && checker.problems.is_empty() {
        let hint = "set it to the same value as the service: without it, the service does not listen";
        checker.problem(&HTTP_ADDR, "is not set", hint);
    }
    address.ok_or(Problems(checker.problems))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_listener_is_off_unless_http_addr_is_an_address_and_a_port() {
        let parse = |value: &str| http_addr(&Environment::from_pairs([("HTTP_ADDR", value)]));
        assert_eq!(parse("0.0.0.0:8080").unwrap().port(), 8080);
        assert_eq!(parse("[::]:8080").unwrap().port(), 8080);
        for bad in ["8080", ":8080", "localhost:8080", "0.0.0.0"] {
            assert!(parse(bad).unwrap_err().to_string().contains("HTTP_ADDR is not an IP address"), "{bad}");
        }
        assert!(parse("").unwrap_err().to_string().contains("HTTP_ADDR is not set"));
    }
}
