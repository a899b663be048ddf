//! The values of settings that have a fixed set of values.

use std::fmt;

/// How fast the producer sends. `Display` prints the value as it is set in the environment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rate {
    /// This many messages per second, from 0.00001 to 10,000,000.
    PerSec(f64),
    /// As fast as librdkafka accepts messages.
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

/// Where the consumer starts in a partition for which the group has no committed offset, or one that the broker no longer
/// has (`auto.offset.reset`). Default: [`Earliest`](Self::Earliest).
///
/// `Display` prints the value as it is set in the environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AutoOffsetReset {
    /// At the oldest message.
    Earliest,
    /// After the newest message.
    Latest,
    /// Nowhere: the service stops with an error that names the partition.
    Error,
}

impl fmt::Display for AutoOffsetReset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entry = AUTO_OFFSET_RESETS.iter().find(|(_, (value, _))| value == self);
        f.write_str(entry.map_or("", |(name, _)| name))
    }
}

/// The format of log lines. Default: [`Auto`](Self::Auto).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// [`LogFormat::Text`] on a terminal, [`LogFormat::Json`] otherwise.
    Auto,
    /// One line of text for people.
    Text,
    /// One JSON object per line.
    Json,
}

/// How the log accounts for messages. Default: [`Auto`](Self::Auto).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogMessages {
    /// [`LogMessages::Each`] up to 1,000 messages per second, [`LogMessages::Summary`] above.
    Auto,
    /// One line per message.
    Each,
    /// One line per second.
    Summary,
}

pub(crate) const SECURITY_PROTOCOLS: &[(&str, &str)] =
    &[("PLAINTEXT", "PLAINTEXT"), ("SSL", "SSL"), ("SASL_PLAINTEXT", "SASL_PLAINTEXT"), ("SASL_SSL", "SASL_SSL")];
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
pub(crate) const SWITCH: &[(&str, bool)] = &[("false", false), ("true", true)];
pub(crate) const HOST_NAME_CHECKS: &[(&str, &str)] = &[("https", "https"), ("none", "none")];
pub(crate) const LOG_FORMATS: &[(&str, LogFormat)] =
    &[("auto", LogFormat::Auto), ("text", LogFormat::Text), ("json", LogFormat::Json)];
pub(crate) const LOG_MESSAGES_VALUES: &[(&str, LogMessages)] =
    &[("auto", LogMessages::Auto), ("each", LogMessages::Each), ("summary", LogMessages::Summary)];
/// Name and fraction of traced messages; `None` if `OTEL_TRACES_SAMPLER_ARG` sets the fraction. The services' spans have no
/// parents, so the prefix `parentbased_` makes no difference.
pub(crate) const OTEL_TRACES_SAMPLERS: &[(&str, Option<f64>)] = &[
    ("always_on", Some(1.0)),
    ("always_off", Some(0.0)),
    ("traceidratio", None),
    ("parentbased_always_on", Some(1.0)),
    ("parentbased_always_off", Some(0.0)),
    ("parentbased_traceidratio", None),
];
