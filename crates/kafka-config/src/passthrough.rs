//! `KAFKA_PROP_<NAME>`: any other librdkafka property.

use crate::environment::Environment;
use crate::problem::Problem;
use crate::properties::Properties;

const PREFIX: &str = "KAFKA_PROP_";

/// Properties that have a setting of their own: two ways to say one thing would need a rule about which one wins.
pub(crate) const HAS_A_SETTING: &[(&str, &str)] = &[
    ("acks", "KAFKA_ACKS"),
    ("auto.commit.interval.ms", "KAFKA_AUTO_COMMIT_INTERVAL_MS"),
    ("auto.offset.reset", "KAFKA_AUTO_OFFSET_RESET"),
    ("bootstrap.servers", "KAFKA_BOOTSTRAP_SERVERS"),
    ("client.id", "KAFKA_CLIENT_ID"),
    ("compression.codec", "KAFKA_COMPRESSION_TYPE"),
    ("compression.type", "KAFKA_COMPRESSION_TYPE"),
    ("delivery.timeout.ms", "KAFKA_DELIVERY_TIMEOUT_MS"),
    ("group.id", "KAFKA_GROUP_ID"),
    ("group.instance.id", "KAFKA_GROUP_INSTANCE_ID"),
    ("group.protocol", "KAFKA_GROUP_PROTOCOL"),
    ("linger.ms", "KAFKA_LINGER_MS"),
    ("max.poll.interval.ms", "KAFKA_MAX_POLL_INTERVAL_MS"),
    ("message.timeout.ms", "KAFKA_DELIVERY_TIMEOUT_MS"),
    ("metadata.broker.list", "KAFKA_BOOTSTRAP_SERVERS"),
    ("queue.buffering.max.ms", "KAFKA_LINGER_MS"),
    ("request.required.acks", "KAFKA_ACKS"),
    ("sasl.mechanism", "KAFKA_SASL_MECHANISM"),
    ("sasl.mechanisms", "KAFKA_SASL_MECHANISM"),
    ("sasl.oauthbearer.config", "KAFKA_SASL_OAUTHBEARER_CONFIG"),
    ("sasl.password", "KAFKA_SASL_PASSWORD"),
    ("sasl.username", "KAFKA_SASL_USERNAME"),
    ("security.protocol", "KAFKA_SECURITY_PROTOCOL"),
    ("session.timeout.ms", "KAFKA_SESSION_TIMEOUT_MS"),
    ("ssl.ca.location", "KAFKA_SSL_CA_LOCATION"),
    ("ssl.certificate.location", "KAFKA_SSL_CERTIFICATE_LOCATION"),
    ("ssl.endpoint.identification.algorithm", "KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM"),
    ("ssl.key.location", "KAFKA_SSL_KEY_LOCATION"),
    ("ssl.key.password", "KAFKA_SSL_KEY_PASSWORD"),
];

/// Properties that would break a promise of the services, and which one.
pub(crate) const BREAKS_A_PROMISE: &[(&str, &str)] = &[
    ("auto.commit.enable", "only processed offsets are committed"),
    ("delivery.report.only.error", "every message gets its outcome"),
    ("enable.auto.commit", "processed offsets are committed on time, on revocation and at the end"),
    ("enable.auto.offset.store", "an offset is stored only after its message was accounted for"),
    ("enable.idempotence", "a retry never writes a message twice or out of order"),
    ("enable.partition.eof", "the loop's errors are errors"),
    (
        "enable.ssl.certificate.verification",
        "TLS without verification protects from nobody; trust a certificate with KAFKA_SSL_CA_LOCATION",
    ),
    ("offset.store.method", "offsets live in the group, where the next replica finds them"),
    ("plugin.library.paths", "no foreign code is loaded"),
    ("sasl.kerberos.kinit.cmd", "no shell is started"),
    ("ssl.engine.location", "no foreign code is loaded"),
    ("ssl.providers", "no foreign code is loaded"),
    ("test.mock.num.brokers", "messages go to the broker that KAFKA_BOOTSTRAP_SERVERS names"),
    ("transactional.id", "the services use no transactions"),
];

/// Properties that themselves end in `.file`: for these, `_FILE` is part of the name.
const ENDS_IN_FILE: &[&str] =
    &["sasl.oauthbearer.assertion.jwt.template.file", "sasl.oauthbearer.assertion.private.key.file"];

pub(crate) fn is_passthrough(name: &str) -> bool {
    name.strip_prefix(PREFIX).is_some_and(|rest| !rest.is_empty())
}

pub(crate) fn may_come_from_file(name: &str) -> bool {
    is_passthrough(name) && !ENDS_IN_FILE.contains(&property_of(name).as_str())
}

fn property_of(name: &str) -> String {
    name.strip_prefix(PREFIX).unwrap_or(name).to_ascii_lowercase().replace('_', ".")
}

/// Properties whose values are words of the log itself: as secrets, they would be blotted out of it.
const IS_NO_SECRET: &[&str] = &["debug"];

/// Adds the pass-through properties of `environment`; they win over our defaults. Values count as secret.
pub(crate) fn apply(environment: &Environment, properties: &mut Properties, problems: &mut Vec<Problem>) {
    for (name, value) in environment.iter().filter(|(name, _)| is_passthrough(name)) {
        let property = property_of(name);
        if let Some((_, setting)) = HAS_A_SETTING.iter().find(|(refused, _)| *refused == property) {
            let hint = format!("set {setting} instead");
            problems.push(Problem::new(name, format!("gives `{property}`, which has a setting of its own"), hint));
        } else if let Some((_, promise)) = BREAKS_A_PROMISE.iter().find(|(refused, _)| *refused == property) {
            problems.push(Problem::new(name, format!("gives `{property}`, which is fixed"), *promise));
        } else if IS_NO_SECRET.contains(&property.as_str()) {
            properties.set(&property, value, name);
        } else {
            properties.set_secret(&property, value, name);
        }
    }
}
