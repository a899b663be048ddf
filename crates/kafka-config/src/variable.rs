//! The one table of all environment variables. Defaults are read from here by the code that applies them, and the
//! README, `--help` and `.env.example` are printed from it.

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
    /// Full name.
    pub name: &'static str,
    /// Which service reads it.
    pub applies_to: AppliesTo,
    /// What it means, one sentence without a full stop.
    pub meaning: &'static str,
    /// Unit or permitted values.
    pub values: &'static str,
    /// The default as it would be written in the environment; empty where there is none or where it is derived.
    pub default: &'static str,
    /// Why this default, or how it is derived.
    pub reason: &'static str,
    /// Whether the value is a secret, which may also come from a file named by `<NAME>_FILE`.
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
        /// Every environment variable that the services know, in the order of the documentation. The open family
        /// `KAFKA_PROP_<PROPERTY>` comes on top.
        pub static VARIABLES: &[&Variable] = &[$(&$name),*];
    };
    (@secret) => { false };
    (@secret secret) => { true };
}

variables! {
    KAFKA_BOOTSTRAP_SERVERS: Both, "brokers to ask first", "`host:port`, comma-separated", "", "required";
    KAFKA_TOPIC: Both, "topic to write to or read from", "name", "", "required; it must exist, the services create none";
    KAFKA_CLIENT_ID: Both, "name of the client in the broker's logs, quotas and metrics", "text", "", "the service's name: the same for all replicas, so that a quota covers them together";
    KAFKA_SECURITY_PROTOCOL: Both, "how to talk to the broker", "`PLAINTEXT`, `SSL`, `SASL_PLAINTEXT`, `SASL_SSL`", "", "derived: `SASL_` with user and password, `SSL` with any `KAFKA_SSL_*`";
    KAFKA_SASL_MECHANISM: Both, "how to log in", "`PLAIN`, `SCRAM-SHA-256`, `SCRAM-SHA-512`, `OAUTHBEARER` (development tokens only, this build has no OIDC)", "PLAIN", "what a user name and a password alone mean elsewhere; prefer SCRAM, or TLS beside it";
    KAFKA_SASL_USERNAME: Both, "user name; with the password it turns SASL on", "text", "", "none";
    KAFKA_SASL_PASSWORD: Both, "password; with the user name it turns SASL on", "text", "", "none", secret;
    KAFKA_SASL_OAUTHBEARER_CONFIG: Both, "claims of an unsecured development token, which is not renewed: give `lifeSeconds`", "`key=value`, space-separated", "", "none", secret;
    KAFKA_SSL_CA_LOCATION: Both, "file with the certificates to trust", "path", "", "the system's";
    KAFKA_SSL_CERTIFICATE_LOCATION: Both, "file with this client's certificate", "path", "", "none; goes with the key";
    KAFKA_SSL_KEY_LOCATION: Both, "file with this client's private key", "path", "", "none; goes with the certificate";
    KAFKA_SSL_KEY_PASSWORD: Both, "password of the private key", "text", "", "none", secret;
    KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM: Both, "whether the certificate must carry the broker's host name", "`https`, `none`", "https", "without it anybody with any certificate of that authority is the broker";
    PRODUCER_RATE_PER_SEC: Producer, "messages to send each second", "decimal from 0.00001 to 10000000, or `max`", "1", "as in the tutorial";
    PRODUCER_MAX_MESSAGES: Producer, "stop after so many messages", "messages; 0: for ever", "0", "a service runs until it is stopped";
    KAFKA_ACKS: Producer, "who must have a message before it counts as written", "`all`", "all", "anything less loses acknowledged messages with a broker, and excludes idempotence";
    KAFKA_COMPRESSION_TYPE: Producer, "compression of batches", "`none`, `gzip`, `snappy`, `lz4`, `zstd`", "none", "messages of 50 bytes at a low rate gain nothing";
    KAFKA_LINGER_MS: Producer, "how long a message waits for others to share a request", "milliseconds, 0 to 900000", "", "derived: 0 up to 1,000 messages/s for latency, 5 above for throughput";
    KAFKA_DELIVERY_TIMEOUT_MS: Producer, "how long a message may take before its outcome is called unknown", "milliseconds, 1000 to 3600000", "120000", "longer than a broker's restart";
    KAFKA_GROUP_ID: Consumer, "consumer group", "name", "", "required: two deployments that share one by accident take each other's messages";
    KAFKA_AUTO_OFFSET_RESET: Consumer, "where to start while the group has no committed offset, or one that the broker no longer has", "`earliest`, `latest`, `error`", "earliest", "`latest` loses what was written before the first assignment, and what is left after too long an absence";
    KAFKA_GROUP_PROTOCOL: Consumer, "rebalance protocol", "`classic` (cooperative-sticky), `consumer` (KIP-848)", "classic", "this librdkafka (2.12.1) has known stalls with `consumer`, fixed in 2.15";
    KAFKA_GROUP_INSTANCE_ID: Consumer, "static membership: a name that this replica alone has, and keeps over restarts", "name", "", "none";
    KAFKA_AUTO_COMMIT_INTERVAL_MS: Consumer, "how often processed offsets are committed", "milliseconds, 100 to 3600000", "1000", "a killed replica repeats at most what it processed in this time";
    KAFKA_SESSION_TIMEOUT_MS: Consumer, "after so long without a heartbeat the group gives a replica's partitions to others; not with `KAFKA_GROUP_PROTOCOL=consumer`, where the broker sets it", "milliseconds, 1000 to 3600000; at least three heartbeats, which is 3000; brokers refuse less than 6000 by default", "10000", "a killed replica's partitions stand still for so long";
    KAFKA_MAX_POLL_INTERVAL_MS: Consumer, "after so long without a poll the replica gives up its partitions", "milliseconds, 1000 to 86400000", "60000", "a message takes microseconds, so a minute means that it hangs";
    CONSUMER_MAX_MESSAGES: Consumer, "stop after so many messages", "messages; 0: for ever", "0", "a service runs until it is stopped";
    HTTP_ADDR: Both, "where to answer `/livez`, `/readyz` and `/metrics`", "`address:port`, such as `127.0.0.1:8080`", "", "off; the images listen on `0.0.0.0:8080`";
    LOG_FORMAT: Both, "form of the log lines", "`auto`, `text`, `json`", "auto", "text on a terminal, JSON otherwise";
    LOG_MESSAGES: Both, "one line a message, or one summary a second", "`auto`, `each`, `summary`", "auto", "each up to 1,000 messages/s, summaries above";
    RUST_LOG: Both, "which other lines are logged; lines that account for messages are always written", "tracing filter", "info", "`librdkafka=debug` shows the client's own lines";
    OTEL_EXPORTER_OTLP_ENDPOINT: Both, "collector that traces go to", "`http://host:port`", "", "no traces; it takes binaries that were built with `--features otel`";
    OTEL_TRACES_SAMPLER: Both, "which messages are traced", "`always_on`, `always_off`, `traceidratio`, or the same with `parentbased_`", "parentbased_always_on", "OpenTelemetry's; give a ratio above some hundred messages/s";
    OTEL_TRACES_SAMPLER_ARG: Both, "part of the messages that is traced", "decimal from 0 to 1", "1", "OpenTelemetry's";
    OTEL_SDK_DISABLED: Both, "no traces, whatever else is set", "`true`, `false`", "false", "OpenTelemetry's";
    SHUTDOWN_TIMEOUT_MS: Both, "how long a stop may take before the service tells what is left and ends", "milliseconds, 100 to 600000", "8000", "under the 10 s that Docker waits before it kills";
}
