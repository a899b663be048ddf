//! The environment variables of the services that the sandbox starts.

use kafka_config::VARIABLES;

use crate::TOPIC;
use crate::broker::EmbeddedBroker;
use crate::model::Reset;

/// Prefixes of settings, which include open families such as `KAFKA_PROP_*` and misspelt names.
const PREFIXES: [&str; 6] = ["KAFKA_", "PRODUCER_", "CONSUMER_", "OTEL_", "LOG_", "SHUTDOWN_"];

/// Changes only what is logged beside the lines that account for messages, so the user's own value stays.
const KEPT: &str = "RUST_LOG";

/// The mock broker answers a fetch that found no messages only after this time, even if a message arrives meanwhile, so it delays
/// messages. Measured at 10 messages/s with two replicas, the median delay and the CPU use of all processes together were 210 ms
/// and 2.1 % of a core with librdkafka's default of 500 ms, 11 ms and 3.7 % with 20 ms, and 4 ms and 4.7 % with 5 ms.
const FETCH_WAIT: (&str, &str) = ("KAFKA_PROP_FETCH_WAIT_MAX_MS", "20");

/// Short, so that the others soon take over a killed replica's partitions: the mock broker waits for this time to declare the
/// replica dead, and then for one second less until it assigns the partitions again. The second wait also follows when the
/// leader of a forming group answers the broker before the other members do: the mock broker sends those back to join again.
const SESSION_TIMEOUT: (&str, &str) = ("KAFKA_SESSION_TIMEOUT_MS", "4000");

/// After an outage the services should be back soon, and librdkafka waits for up to 10 s between two attempts to connect.
const RECONNECT: (&str, &str) = ("KAFKA_PROP_RECONNECT_BACKOFF_MAX_MS", "1000");

/// Returns whether a variable is a setting of the services. The sandbox removes these from its services' environment,
/// because one that was meant for something else would break the demonstration: with `HTTP_ADDR`, for example, all services
/// would try to listen on the same port.
pub(crate) fn is_setting(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let name = name.strip_suffix("_FILE").unwrap_or(&name);
    name != KEPT
        && (PREFIXES.iter().any(|prefix| name.starts_with(prefix))
            || VARIABLES.iter().any(|variable| variable.name == name))
}

/// The settings that connect a service to the broker.
pub(crate) fn connection(broker: &EmbeddedBroker) -> Vec<(&'static str, String)> {
    vec![("KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap_servers()), ("KAFKA_TOPIC", TOPIC.to_owned())]
}

/// What a replica needs beside the connection.
pub(crate) fn replica(group: &str) -> Vec<(&'static str, String)> {
    let fixed = [FETCH_WAIT, SESSION_TIMEOUT].map(|(variable, value)| (variable, value.to_owned()));
    [("KAFKA_GROUP_ID", group.to_owned())].into_iter().chain(fixed).collect()
}

/// What the sandbox's own replicas need beside that: to be back soon after an outage, and perhaps to begin elsewhere than the others, or to
/// end by themselves.
pub(crate) fn own_replica(reset: Reset, max_messages: u64) -> Vec<(&'static str, String)> {
    let reset = (reset != Reset::default()).then(|| ("KAFKA_AUTO_OFFSET_RESET", reset.name().to_owned()));
    let max = (max_messages > 0).then(|| ("CONSUMER_MAX_MESSAGES", max_messages.to_string()));
    [(RECONNECT.0, RECONNECT.1.to_owned())].into_iter().chain(reset).chain(max).collect()
}

/// What the producer needs beside the connection. Without lingering, whatever the rate: the user may change it, and a message should
/// appear when it is due.
pub(crate) fn producer(rate: f64, count: u64) -> Vec<(&'static str, String)> {
    vec![
        ("PRODUCER_RATE_PER_SEC", rate.to_string()),
        ("PRODUCER_MAX_MESSAGES", count.to_string()),
        ("KAFKA_LINGER_MS", "0".to_owned()),
        (RECONNECT.0, RECONNECT.1.to_owned()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_but_the_log_filter_is_removed_and_nothing_else() {
        for variable in VARIABLES {
            assert_eq!(is_setting(variable.name), variable.name != "RUST_LOG", "{}", variable.name);
        }
        for name in ["HTTP_ADDR_FILE", "KAFKA_SASL_PASSWORD_FILE", "KAFKA_PROP_LINGER_MS", "KAFKA_TYPO", "http_addr"] {
            assert!(is_setting(name), "{name}");
        }
        for name in ["PATH", "HOME", "HTTP_PROXY", "RUST_BACKTRACE", "LANG", "TERM"] {
            assert!(!is_setting(name), "{name}");
        }
    }
}
