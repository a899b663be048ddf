//! Names of environment variables: which ones the services know, which `KAFKA_PROP_*` variable sets which librdkafka
//! property, and which known name is closest to an unknown one.

use crate::variables::variable::VARIABLES;

const PREFIXES: [&str; 3] = ["KAFKA_", "PRODUCER_", "CONSUMER_"];
const PROPERTY_PREFIX: &str = "KAFKA_PROP_";
const FILE_SUFFIX: &str = "_FILE";

/// librdkafka properties whose own names end in `.file`. In their variables `_FILE` is a part of the property's name.
const PROPERTIES_ENDING_IN_FILE: &[&str] = &[
    "sasl.oauthbearer.assertion.file",
    "sasl.oauthbearer.assertion.jwt.template.file",
    "sasl.oauthbearer.assertion.private.key.file",
];

/// The librdkafka property that a `KAFKA_PROP_<NAME>` variable sets, or `None` for any other variable.
///
/// Every `_` becomes a `.`. The names of a few librdkafka properties contain a `_`, so they cannot be reached this way.
/// They are callbacks and internals that the client library manages; none of them is useful as a setting.
pub(crate) fn property_of(variable: &str) -> Option<String> {
    let name = variable.strip_prefix(PROPERTY_PREFIX).filter(|name| !name.is_empty())?;
    Some(name.to_ascii_lowercase().replace('_', "."))
}

/// The variable whose value is read from the file that `variable` names: `KAFKA_SASL_PASSWORD` for
/// `KAFKA_SASL_PASSWORD_FILE`. `None` unless that variable is a secret or sets a librdkafka property.
pub(crate) fn target_of_file(variable: &str) -> Option<&str> {
    let target = variable.strip_suffix(FILE_SUFFIX)?;
    let is_secret = VARIABLES.iter().any(|known| known.secret && known.name == target);
    let is_property = property_of(target).is_some()
        && property_of(variable).is_some_and(|property| !PROPERTIES_ENDING_IN_FILE.contains(&property.as_str()));
    (is_secret || is_property).then_some(target)
}

/// Whether the services react to a variable with this name, if only with a warning that nothing reads it.
pub(crate) fn is_ours(name: &str) -> bool {
    let target = name.strip_suffix(FILE_SUFFIX).unwrap_or(name);
    has_our_prefix(name) || is_known(target)
}

/// Whether a variable has one of our prefixes and no service reads it.
///
/// The variables that Kubernetes injects for a Service called `kafka`, `producer` or `consumer` have our prefixes, but
/// nobody set them, so they do not count.
pub(crate) fn is_unknown(name: &str, value: &str) -> bool {
    has_our_prefix(name) && !is_known(name) && property_of(name).is_none() && !is_service_link(name, value)
}

/// The known name that `name` is most likely a misspelling of.
pub(crate) fn nearest(name: &str) -> Option<&'static str> {
    let upper = name.to_ascii_uppercase();
    VARIABLES
        .iter()
        .map(|variable| (strsim::damerau_levenshtein(&upper, variable.name), variable.name))
        .min()
        // A name of which more than a third differs is a different word, not a misspelling.
        .and_then(|(distance, nearest)| (distance * 3 <= nearest.len()).then_some(nearest))
}

fn has_our_prefix(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn is_known(name: &str) -> bool {
    VARIABLES.iter().any(|variable| variable.name == name)
}

/// Whether Kubernetes created this variable for a Service
/// (<https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables>).
fn is_service_link(name: &str, value: &str) -> bool {
    let starts_with_port = |rest: &str| {
        let mut parts = rest.split('_');
        parts.next().is_some_and(|port| port.parse::<u16>().is_ok())
            && parts.next().is_some_and(|protocol| ["TCP", "UDP", "SCTP"].contains(&protocol))
    };
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
        || (name.ends_with("_PORT") && value.contains("://"))
        || name.split_once("_PORT_").is_some_and(|(_, rest)| starts_with_port(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_is_unknown_and_the_nearest_known_name_is_found() {
        for (name, expected) in [
            ("KAFKA_BOOTSTRAP_SERVER", Some("KAFKA_BOOTSTRAP_SERVERS")),
            ("kafka_topic", Some("KAFKA_TOPIC")),
            ("KAFKA_ZOOKEEPER", None),
        ] {
            assert!(is_unknown(name, "x"), "{name}");
            assert_eq!(nearest(name), expected, "{name}");
        }
        assert!(is_unknown("PRODUCER_RATE", "1"));
        assert!(is_unknown("KAFKA_KAFKA_TOPIC", "t"));
    }

    #[test]
    fn variables_that_kubernetes_injects_for_a_service_do_not_count_as_unknown() {
        for (name, value) in [
            ("KAFKA_PORT", "tcp://10.0.0.1:9092"),
            ("KAFKA_SERVICE_HOST", "10.0.0.1"),
            ("KAFKA_SERVICE_PORT", "9092"),
            ("KAFKA_SERVICE_PORT_TCP_CLIENTS", "9092"),
            ("KAFKA_PORT_9092_TCP", "tcp://10.0.0.1:9092"),
            ("KAFKA_PORT_9092_TCP_PROTO", "tcp"),
            ("KAFKA_PORT_9092_TCP_PORT", "9092"),
            ("KAFKA_PORT_9092_TCP_ADDR", "10.0.0.1"),
            ("KAFKA_BOOTSTRAP_SERVICE_HOST", "10.0.0.1"),
            ("PRODUCER_PORT_8080_TCP", "tcp://10.0.0.2:8080"),
        ] {
            assert!(!is_unknown(name, value), "{name}");
        }
        assert!(is_unknown("KAFKA_PORT", "9092"), "Kubernetes writes a URL, so a person set this");
    }

    #[test]
    fn variables_without_our_prefixes_and_properties_are_not_unknown() {
        assert!(!is_unknown("PATH", "/bin"));
        assert!(!is_unknown("KAFKA_PROP_QUEUED_MIN_MESSAGES", "1"));
        assert!(is_unknown("KAFKA_PROP_", "1"), "names no property");
    }

    #[test]
    fn the_suffix_file_means_a_file_unless_the_property_name_ends_with_it() {
        assert_eq!(target_of_file("KAFKA_SASL_PASSWORD_FILE"), Some("KAFKA_SASL_PASSWORD"));
        assert_eq!(target_of_file("KAFKA_PROP_SSL_KEY_PEM_FILE"), Some("KAFKA_PROP_SSL_KEY_PEM"));
        assert_eq!(target_of_file("KAFKA_TOPIC_FILE"), None, "a topic is not a secret");
        assert_eq!(target_of_file("KAFKA_PROP_FILE"), None, "names no property");
        for property in PROPERTIES_ENDING_IN_FILE {
            let name = format!("KAFKA_PROP_{}", property.to_ascii_uppercase().replace('.', "_"));
            assert_eq!(target_of_file(&name), None, "{name}");
        }
    }
}
