//! Values that settings choose from.

use std::fmt;

/// How fast the producer sends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rate {
    /// So many messages a second, more than 0.
    PerSec(f64),
    /// As fast as librdkafka takes them.
    Max,
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PerSec(rate) => write!(f, "{rate}"),
            Self::Max => f.write_str("max"),
        }
    }
}

/// Where a group starts that has no committed offset, or one that the broker no longer has (`auto.offset.reset`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AutoOffsetReset {
    /// At the oldest message.
    Earliest,
    /// After the newest message.
    Latest,
    /// Nowhere: the service ends and names the partition.
    Error,
}

impl fmt::Display for AutoOffsetReset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = AUTO_OFFSET_RESETS.iter().find(|(_, (value, _))| value == self);
        f.write_str(named.map_or("", |(name, _)| name))
    }
}

/// Form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// [`LogFormat::Text`] on a terminal, [`LogFormat::Json`] otherwise.
    Auto,
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// How messages are accounted for in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogMessages {
    /// [`LogMessages::Each`] up to 1,000 messages a second, [`LogMessages::Summary`] above.
    Auto,
    /// One line a message.
    Each,
    /// One line a second.
    Summary,
}

pub(crate) const SECURITY_PROTOCOLS: &[(&str, &str)] =
    &[("PLAINTEXT", "plaintext"), ("SSL", "ssl"), ("SASL_PLAINTEXT", "sasl_plaintext"), ("SASL_SSL", "sasl_ssl")];
pub(crate) const SASL_MECHANISMS: &[(&str, &str)] = &[
    ("PLAIN", "PLAIN"),
    ("SCRAM-SHA-256", "SCRAM-SHA-256"),
    ("SCRAM-SHA-512", "SCRAM-SHA-512"),
    ("OAUTHBEARER", "OAUTHBEARER"),
];
pub(crate) const COMPRESSION_TYPES: &[(&str, &str)] =
    &[("none", "none"), ("gzip", "gzip"), ("snappy", "snappy"), ("lz4", "lz4"), ("zstd", "zstd")];
pub(crate) const AUTO_OFFSET_RESETS: &[(&str, (AutoOffsetReset, &str))] = &[
    ("earliest", (AutoOffsetReset::Earliest, "earliest")),
    ("latest", (AutoOffsetReset::Latest, "latest")),
    ("error", (AutoOffsetReset::Error, "error")),
];
pub(crate) const GROUP_PROTOCOLS: &[(&str, &str)] = &[("classic", "classic"), ("consumer", "consumer")];
pub(crate) const HOST_NAME_CHECKS: &[(&str, &str)] = &[("https", "https"), ("none", "none")];
pub(crate) const LOG_FORMATS: &[(&str, LogFormat)] =
    &[("auto", LogFormat::Auto), ("text", LogFormat::Text), ("json", LogFormat::Json)];
pub(crate) const LOG_MESSAGES_VALUES: &[(&str, LogMessages)] =
    &[("auto", LogMessages::Auto), ("each", LogMessages::Each), ("summary", LogMessages::Summary)];
/// `None`: by the ratio that comes with it. Our spans have no parents, so it is the same with `parentbased_` and without.
pub(crate) const OTEL_TRACES_SAMPLERS: &[(&str, Option<f64>)] = &[
    ("always_on", Some(1.0)),
    ("always_off", Some(0.0)),
    ("traceidratio", None),
    ("parentbased_always_on", Some(1.0)),
    ("parentbased_always_off", Some(0.0)),
    ("parentbased_traceidratio", None),
];
