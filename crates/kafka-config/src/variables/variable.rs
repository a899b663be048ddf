//! The table of all environment variables. The code that applies a default reads it from here, and `docs/settings.md`,
//! `--help` and `.env.example` are generated from it.

/// Which service reads a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppliesTo {
    /// Both services.
    Both,
    /// Only the producer.
    Producer,
    /// Only the consumer.
    Consumer,
}

/// One environment variable.
#[derive(Debug, Clone, Copy)]
pub struct Variable {
    /// The full name.
    pub name: &'static str,
    /// Which service reads it.
    pub applies_to: AppliesTo,
    /// What the variable means: a phrase in lower case without a full stop.
    pub meaning: &'static str,
    /// Unit and permitted values. Code is in backquotes, here and in the other texts.
    pub values: &'static str,
    /// The default as it would be set in the environment. Empty if there is no default or if it is derived from other
    /// settings.
    pub default: &'static str,
    /// Why the default is what it is, or how it is derived. Starts with `required` if the variable must be set.
    pub reason: &'static str,
    /// Whether the value is a secret. A secret can also be read from the file that `<NAME>_FILE` names.
    pub secret: bool,
}

macro_rules! variables {
    ($($name:ident: $applies_to:ident, $meaning:literal, $values:literal, $default:literal, $reason:literal $(, $secret:ident)?;)*) => {
        $(pub(crate) static $name: Variable = Variable {
            name: stringify!($name),
            applies_to: AppliesTo::$applies_to,
            meaning: $meaning,
            values: $values,
            default: $default,
            reason: $reason,
            secret: variables!(@secret $($secret)?),
        };)*
        /// Every environment variable that the services know, in the order of the documentation. The
        /// `KAFKA_PROP_<NAME>` variables, which set any other librdkafka property, are not listed.
        pub static VARIABLES: &[&Variable] = &[$(&$name),*];
    };
    (@secret) => { false };
    (@secret secret) => { true };
}

variables! {
    KAFKA_BOOTSTRAP_SERVERS: Both, "brokers to contact first; the client learns the other brokers from them", "`host:port`, comma-separated", "", "required";
    KAFKA_TOPIC: Both, "topic to write to or read from", "name", "", "required; the topic must exist, because the services do not create topics";
    KAFKA_CLIENT_ID: Both, "name of the client in the broker's logs, quotas and metrics", "text", "", "the service's name, the same for all replicas, so that one quota covers them together";
    KAFKA_SECURITY_PROTOCOL: Both, "whether the connection uses TLS (`SSL`) and SASL", "`PLAINTEXT`, `SSL`, `SASL_PLAINTEXT`, `SASL_SSL`", "", "derived: SASL if a user name, a password or anything for a token is set, TLS if any `KAFKA_SSL_*` or `KAFKA_PROP_SSL_*` is set";
    KAFKA_SASL_MECHANISM: Both, "SASL mechanism to log in with", "`PLAIN`, `SCRAM-SHA-256`, `SCRAM-SHA-512`, `OAUTHBEARER`", "PLAIN", "derived: `OAUTHBEARER` if a token is configured; otherwise what other clients use with only a user name and a password; it sends the password as it is, so use it with TLS, or use SCRAM";
    KAFKA_SASL_USERNAME: Both, "user name; together with the password it turns SASL on", "text", "", "no account";
    KAFKA_SASL_PASSWORD: Both, "password; together with the user name it turns SASL on; its file is read again every 30 s, and each second while the broker refuses the login", "text", "", "no account", secret;
    KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL: Both, "where to get tokens for OAUTHBEARER (OAuth 2.0, client credentials); turns SASL on", "URL, `https://...` or `http://...`", "", "no tokens";
    KAFKA_SASL_OAUTHBEARER_CLIENT_ID: Both, "name of the client at the identity server", "text", "", "no tokens";
    KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET: Both, "secret of the client; its file is read again for each token", "text", "", "no tokens", secret;
    KAFKA_SASL_OAUTHBEARER_SCOPE: Both, "scopes to ask for", "space-separated", "", "what the identity server gives by default";
    KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_PARAMETERS: Both, "more parameters of the request for a token, such as `audience=kafka`", "`key=value`, comma-separated", "", "none";
    KAFKA_SASL_OAUTHBEARER_EXTENSIONS: Both, "what to send to the broker together with the token, such as `logicalCluster=lkc-1` for Confluent Cloud", "`key=value`, comma-separated", "", "none";
    KAFKA_HTTPS_CA_LOCATION: Both, "file with the CA certificates to trust when the token endpoint is contacted (PEM)", "path", "", "the CA certificates of the system; those of `KAFKA_SSL_*` are for the brokers only";
    KAFKA_HTTPS_CA_PEM: Both, "the CA certificates to trust when the token endpoint is contacted, instead of `KAFKA_HTTPS_CA_LOCATION`", "PEM; in one line, with `\\n` for each line end", "", "the CA certificates of the system", secret;
    KAFKA_SASL_OAUTHBEARER_CONFIG: Both, "claims of an unsecured token, for development only and instead of an identity server; the token is not renewed, so set `lifeSeconds` to the time that you need", "`key=value`, space-separated", "", "no token", secret;
    KAFKA_SSL_CA_LOCATION: Both, "file with the CA certificates to trust (PEM)", "path", "", "the CA certificates of the system";
    KAFKA_SSL_CA_PEM: Both, "the CA certificates to trust, instead of `KAFKA_SSL_CA_LOCATION`", "PEM; in one line, with `\\n` for each line end", "", "the CA certificates of the system", secret;
    KAFKA_SSL_CERTIFICATE_LOCATION: Both, "file with the certificate of this client (PEM)", "path", "", "no client certificate; requires a key";
    KAFKA_SSL_CERTIFICATE_PEM: Both, "the certificate of this client, instead of `KAFKA_SSL_CERTIFICATE_LOCATION`", "PEM; in one line, with `\\n` for each line end", "", "no client certificate; requires a key", secret;
    KAFKA_SSL_KEY_LOCATION: Both, "file with the private key of this client (PEM)", "path", "", "no client certificate; requires a certificate";
    KAFKA_SSL_KEY_PEM: Both, "the private key of this client, instead of `KAFKA_SSL_KEY_LOCATION`", "PEM; in one line, with `\\n` for each line end", "", "no client certificate; requires a certificate", secret;
    KAFKA_SSL_KEY_PASSWORD: Both, "password of the private key", "text", "", "the key is not encrypted", secret;
    KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM: Both, "whether the broker's certificate must contain its host name", "`https`, `none`", "https", "with `none`, everybody who has any certificate of a trusted CA can pose as the broker";
    PRODUCER_RATE_PER_SEC: Producer, "messages to send per second", "decimal number from 0.00001 to 10000000, or `max`", "1", "the rate of the Python tutorial \"How to read and write Kafka with Python\"";
    PRODUCER_MAX_MESSAGES: Producer, "number of messages after which the producer stops", "messages; 0 means no limit", "0", "a service runs until it is stopped";
    KAFKA_ACKS: Producer, "which brokers must have a message before it counts as written", "`all` (every in-sync broker of the partition)", "all", "with fewer, a broker that fails takes acknowledged messages with it, and idempotence is not possible";
    KAFKA_COMPRESSION_TYPE: Producer, "compression of batches", "`none`, `gzip`, `snappy`, `lz4`, `zstd`", "none", "messages of 50 bytes at a low rate gain nothing from compression";
    KAFKA_LINGER_MS: Producer, "how long a message waits for more messages to share a batch with", "milliseconds, 0 to 900000", "", "derived: 0 up to 1,000 messages/s, for latency; 5 above, for throughput";
    KAFKA_DELIVERY_TIMEOUT_MS: Producer, "how long the delivery of a message can take before its outcome counts as unknown", "milliseconds, 1000 to 3600000; greater than `KAFKA_LINGER_MS`", "120000", "longer than the restart of a broker takes";
    KAFKA_GROUP_ID: Consumer, "consumer group", "name", "", "required: with a default, two independent deployments would share one group, and each would miss the messages that the other reads";
    KAFKA_AUTO_OFFSET_RESET: Consumer, "where to start in a partition for which the group has no committed offset, or one that the broker no longer has", "`earliest`, `latest`, `error` (stop and name the partition)", "earliest", "`latest` skips what was written before the first assignment, and what is left if the committed offset has expired";
    KAFKA_GROUP_PROTOCOL: Consumer, "rebalance protocol", "`classic` (cooperative-sticky), `consumer` (KIP-848)", "classic", "in this librdkafka (2.12.1), `consumer` has known stalls, which are fixed in 2.15, and a replica that the group refuses, if only for a moment, ends with exit code 1";
    KAFKA_GROUP_INSTANCE_ID: Consumer, "name of this replica as a static member: unique in the group, and the same after a restart", "name", "", "dynamic membership";
    KAFKA_AUTO_COMMIT_INTERVAL_MS: Consumer, "interval at which processed offsets are committed", "milliseconds, 100 to 3600000", "1000", "after a replica is killed, the messages that it processed in one interval and during one commit are repeated";
    KAFKA_SESSION_TIMEOUT_MS: Consumer, "time without a heartbeat after which the partitions of a replica are assigned to other replicas; cannot be set with `KAFKA_GROUP_PROTOCOL=consumer`, where the broker decides", "milliseconds, 1000 to 3600000; at least three heartbeats, which is 3000 by default; by default, brokers reject less than 6000", "10000", "the partitions of a killed replica are not read for this long";
    KAFKA_MAX_POLL_INTERVAL_MS: Consumer, "time without a poll after which a replica gives up its partitions", "milliseconds, 1000 to 86400000; with `classic`, not less than `KAFKA_SESSION_TIMEOUT_MS`", "60000", "processing a message takes microseconds, so a replica that does not poll for a minute hangs";
    CONSUMER_MAX_MESSAGES: Consumer, "number of messages after which the consumer stops", "messages; 0 means no limit", "0", "a service runs until it is stopped";
    HTTP_ADDR: Both, "address to serve `/livez`, `/readyz` and `/metrics` on", "`address:port`, such as `127.0.0.1:8080`", "", "no listener; the images set `0.0.0.0:8080`";
    LOG_FORMAT: Both, "format of log lines", "`auto`, `text`, `json`", "auto", "text on a terminal, JSON otherwise";
    LOG_MESSAGES: Both, "whether the log has a line per message or a summary per second", "`auto`, `each`, `summary`", "auto", "a line per message up to 1,000 messages/s, summaries above";
    METRICS_BY_PARTITION: Both, "whether `/metrics` has series for each partition besides the lag", "`true`, `false`", "true", "three series for each partition in a producer and two in a replica; use `false` for thousands of partitions";
    RUST_LOG: Both, "which other lines are logged; lines that account for messages are always written", "`tracing` filter directives", "info", "`librdkafka=debug` adds librdkafka's own lines";
    OTEL_EXPORTER_OTLP_ENDPOINT: Both, "collector to send traces to; requires a binary that was built with `--features otel`", "`http://host:port`", "", "no traces";
    OTEL_TRACES_SAMPLER: Both, "which messages are traced", "`always_on`, `always_off`, `traceidratio`, or one of these with the prefix `parentbased_`", "parentbased_always_on", "OpenTelemetry's default; use a ratio above a few hundred messages/s";
    OTEL_TRACES_SAMPLER_ARG: Both, "fraction of the messages that is traced, for the samplers with a ratio", "decimal number from 0 to 1", "1", "OpenTelemetry's default";
    OTEL_SDK_DISABLED: Both, "turns traces off, whatever else is set", "`true`, `false`", "false", "OpenTelemetry's default";
    SHUTDOWN_TIMEOUT_MS: Both, "deadline of a shutdown, after which the service logs what is left to do and exits", "milliseconds, 100 to 600000", "8000", "less than the 10 s after which Docker kills the container";
}
