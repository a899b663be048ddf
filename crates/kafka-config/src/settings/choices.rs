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

/// Whether the connection to the brokers is encrypted, and whether the client logs in (`security.protocol`). Default: derived from the
/// account and the TLS settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecurityProtocol {
    /// Neither.
    Plaintext,
    /// Encrypted with TLS. The client may show a certificate of its own.
    Ssl,
    /// The client logs in with SASL.
    SaslPlaintext,
    /// Encrypted with TLS, and the client logs in with SASL.
    SaslSsl,
}

impl SecurityProtocol {
    /// Whether the connection is encrypted.
    #[must_use]
    pub fn has_tls(self) -> bool {
        matches!(self, Self::Ssl | Self::SaslSsl)
    }

    /// Whether the client logs in with SASL.
    #[must_use]
    pub fn has_sasl(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslSsl)
    }

    /// The value as it is set in the environment.
    #[must_use]
    pub fn name(self) -> &'static str {
        name_of(self, SECURITY_PROTOCOLS)
    }
}

/// How the client logs in (`sasl.mechanism`). Default: [`OauthBearer`](Self::OauthBearer) if there is a token and no user name, otherwise
/// [`Plain`](Self::Plain).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaslMechanism {
    /// With user name and password, which are sent as they are (RFC 4616).
    Plain,
    /// With user name and password, which is not sent (RFC 5802).
    ScramSha256,
    /// The same with a longer hash.
    ScramSha512,
    /// With a token (RFC 7628).
    OauthBearer,
}

impl SaslMechanism {
    /// The value as it is set in the environment.
    #[must_use]
    pub fn name(self) -> &'static str {
        name_of(self, SASL_MECHANISMS)
    }
}

/// How the members of a group agree on who receives what (`group.protocol`). Default: [`Classic`](Self::Classic).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupProtocol {
    /// One of the members assigns the partitions.
    Classic,
    /// The broker assigns the partitions (KIP-848).
    Consumer,
}

impl GroupProtocol {
    /// The value as it is set in the environment.
    #[must_use]
    pub fn name(self) -> &'static str {
        name_of(self, GROUP_PROTOCOLS)
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
        f.write_str(name_of(*self, AUTO_OFFSET_RESETS))
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

/// The name under which a value is set.
fn name_of<T: Copy + PartialEq>(value: T, choices: &[(&'static str, T)]) -> &'static str {
    choices.iter().find(|(_, other)| *other == value).map_or("", |(name, _)| name)
}

pub(crate) const SECURITY_PROTOCOLS: &[(&str, SecurityProtocol)] = &[
    ("PLAINTEXT", SecurityProtocol::Plaintext),
    ("SSL", SecurityProtocol::Ssl),
    ("SASL_PLAINTEXT", SecurityProtocol::SaslPlaintext),
    ("SASL_SSL", SecurityProtocol::SaslSsl),
];
pub(crate) const SASL_MECHANISMS: &[(&str, SaslMechanism)] = &[
    ("PLAIN", SaslMechanism::Plain),
    ("SCRAM-SHA-256", SaslMechanism::ScramSha256),
    ("SCRAM-SHA-512", SaslMechanism::ScramSha512),
    ("OAUTHBEARER", SaslMechanism::OauthBearer),
];
pub(crate) const COMPRESSION_TYPES: &[(&str, &str)] =
    &[("none", "none"), ("gzip", "gzip"), ("snappy", "snappy"), ("lz4", "lz4"), ("zstd", "zstd")];
pub(crate) const AUTO_OFFSET_RESETS: &[(&str, AutoOffsetReset)] =
    &[("earliest", AutoOffsetReset::Earliest), ("latest", AutoOffsetReset::Latest), ("error", AutoOffsetReset::Error)];
pub(crate) const GROUP_PROTOCOLS: &[(&str, GroupProtocol)] =
    &[("classic", GroupProtocol::Classic), ("consumer", GroupProtocol::Consumer)];
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
