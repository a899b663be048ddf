//! `KAFKA_PROP_<NAME>`: librdkafka properties that have no setting of their own.

use crate::librdkafka::properties::Properties;
use crate::settings::checker::Checker;
use crate::variables::environment::Environment;
use crate::variables::problem::Problem;

/// Properties that have a setting of their own, and the setting. They are refused here, because with two ways to set one
/// property it would not be obvious which value applies.
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
    ("https.ca.location", "KAFKA_HTTPS_CA_LOCATION"),
    ("https.ca.pem", "KAFKA_HTTPS_CA_PEM"),
    ("linger.ms", "KAFKA_LINGER_MS"),
    ("log_level", "RUST_LOG"),
    ("max.poll.interval.ms", "KAFKA_MAX_POLL_INTERVAL_MS"),
    ("message.timeout.ms", "KAFKA_DELIVERY_TIMEOUT_MS"),
    ("metadata.broker.list", "KAFKA_BOOTSTRAP_SERVERS"),
    ("queue.buffering.max.ms", "KAFKA_LINGER_MS"),
    ("request.required.acks", "KAFKA_ACKS"),
    ("sasl.mechanism", "KAFKA_SASL_MECHANISM"),
    ("sasl.mechanisms", "KAFKA_SASL_MECHANISM"),
    ("sasl.oauthbearer.client.credentials.client.id", "KAFKA_SASL_OAUTHBEARER_CLIENT_ID"),
    ("sasl.oauthbearer.client.credentials.client.secret", "KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET"),
    ("sasl.oauthbearer.client.id", "KAFKA_SASL_OAUTHBEARER_CLIENT_ID"),
    ("sasl.oauthbearer.client.secret", "KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET"),
    ("sasl.oauthbearer.config", "KAFKA_SASL_OAUTHBEARER_CONFIG"),
    ("sasl.oauthbearer.extensions", "KAFKA_SASL_OAUTHBEARER_EXTENSIONS"),
    ("sasl.oauthbearer.method", "KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL"),
    ("sasl.oauthbearer.scope", "KAFKA_SASL_OAUTHBEARER_SCOPE"),
    ("sasl.oauthbearer.token.endpoint.url", "KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL"),
    ("sasl.password", "KAFKA_SASL_PASSWORD"),
    ("sasl.username", "KAFKA_SASL_USERNAME"),
    ("security.protocol", "KAFKA_SECURITY_PROTOCOL"),
    ("session.timeout.ms", "KAFKA_SESSION_TIMEOUT_MS"),
    ("ssl.ca.location", "KAFKA_SSL_CA_LOCATION"),
    ("ssl.ca.pem", "KAFKA_SSL_CA_PEM"),
    ("ssl.certificate.location", "KAFKA_SSL_CERTIFICATE_LOCATION"),
    ("ssl.certificate.pem", "KAFKA_SSL_CERTIFICATE_PEM"),
    ("ssl.endpoint.identification.algorithm", "KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM"),
    ("ssl.key.location", "KAFKA_SSL_KEY_LOCATION"),
    ("ssl.key.password", "KAFKA_SSL_KEY_PASSWORD"),
    ("ssl.key.pem", "KAFKA_SSL_KEY_PEM"),
];

/// Properties whose values the services fix, because another value would break a guarantee, and the guarantee
/// as a clause that follows "the services guarantee that".
pub(crate) const FIXED: &[(&str, &str)] = &[
    ("auto.commit.enable", "only processed offsets are committed"),
    ("delivery.report.only.error", "the outcome of every message is reported"),
    ("enable.auto.commit", "processed offsets are committed at intervals, on revocation and on close"),
    ("enable.auto.offset.store", "an offset is stored only after its message has been logged"),
    ("enable.idempotence", "a retry never writes a message twice or out of order"),
    ("enable.partition.eof", "the end of a partition is not reported as an error"),
    ("enable.sasl.oauthbearer.unsecure.jwt", "unsecured tokens are used only if KAFKA_SASL_OAUTHBEARER_CONFIG is set"),
    (
        "enable.ssl.certificate.verification",
        "TLS always verifies the broker's certificate, since it protects from nobody otherwise; name a certificate to \
         trust in KAFKA_SSL_CA_LOCATION",
    ),
    ("enabled_events", "the client library enables exactly the events that the services handle"),
    ("log.queue", "librdkafka's log lines are part of the services' log"),
    ("offset.store.method", "offsets are committed to the group, where the next replica finds them"),
    ("partitioner", "the producer sends to all partitions in turn"),
    ("plugin.library.paths", "no code from outside the binary is loaded"),
    ("sasl.kerberos.kinit.cmd", "no shell command is executed"),
    ("ssl.engine.location", "no code from outside the binary is loaded"),
    ("ssl.providers", "no code from outside the binary is loaded"),
    ("sticky.partitioning.linger.ms", "the producer sends to all partitions in turn"),
    ("test.mock.num.brokers", "messages go to the brokers that KAFKA_BOOTSTRAP_SERVERS names"),
    ("transactional.id", "no message is part of a transaction"),
];

/// Properties whose values do not count as secret. Names of debug contexts are common words in librdkafka's log; redacting
/// them would make the log unreadable.
const NOT_SECRET: &[&str] = &["debug"];

/// The `KAFKA_PROP_*` variables that set an `ssl.*` property. librdkafka ignores these properties without TLS, so a user who
/// sets one expects TLS.
pub(crate) fn tls_variables(environment: &Environment) -> impl Iterator<Item = &str> {
    environment.properties().filter(|(_, property, _)| is_tls(property)).map(|(variable, ..)| variable)
}

/// What the services conclude from librdkafka's statistics, such as that a partition is late by ten seconds, must not be older.
const STATISTICS_INTERVAL_MAX_MS: u64 = 5000;

/// Checks that statistics come often enough.
pub(super) fn check_statistics(checker: &mut Checker<'_>, properties: &Properties) {
    if properties.number("statistics.interval.ms").is_some_and(|interval| interval > STATISTICS_INTERVAL_MAX_MS) {
        let hint = "what is said about late partitions and brokers would be outdated";
        let problem = format!("is more than {STATISTICS_INTERVAL_MAX_MS} ms");
        checker.problems.push(Problem::new("KAFKA_PROP_STATISTICS_INTERVAL_MS", problem, hint));
    }
}

/// Adds the properties of all `KAFKA_PROP_*` variables, which replace the services' own defaults. Values count as secret.
pub(crate) fn apply(checker: &mut Checker<'_>, properties: &mut Properties) {
    let environment = checker.environment;
    for (variable, property, value) in environment.properties() {
        if let Some((name, setting)) = entry(HAS_A_SETTING, &property) {
            let problem = format!("sets `{name}`, which has a setting of its own");
            checker.problems.push(Problem::new(variable, problem, format!("set {setting} instead")));
        } else if let Some((name, guarantee)) = entry(FIXED, &property) {
            let problem = format!("sets `{name}`, whose value is fixed");
            checker.problems.push(Problem::new(
                variable,
                problem,
                format!("unset it: the services guarantee that {guarantee}"),
            ));
        } else if is_tls(&property) && !checker.features.tls {
            checker.needs_tls(variable, &format!("sets `{property}`, which asks for TLS"));
        } else if NOT_SECRET.contains(&property.as_str()) {
            properties.set(&property, value, variable);
        } else {
            properties.set_secret(&property, value, variable);
        }
    }
}

fn is_tls(property: &str) -> bool {
    property.starts_with("ssl.")
}

/// The entry for a property. Variables cannot tell `_` from `.`, and no two librdkafka properties differ in that only.
fn entry(table: &'static [(&str, &str)], property: &str) -> Option<&'static (&'static str, &'static str)> {
    table.iter().find(|(name, _)| name.replace('_', ".") == property)
}
