//! The reasons for which a service ends without having finished its work.

use std::io;

use kafka_config::Problems;

/// The reason for which a service ends without having finished its work.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A setting is wrong. No broker was contacted.
    #[error("{0}")]
    Settings(Problems),
    /// The broker refuses the account, which has not worked since the process started.
    #[error("the broker refused the account: {reason}")]
    Refused {
        /// What the broker or librdkafka said.
        reason: String,
    },
    /// The identity server refuses the client, and has given no token since the process started.
    #[error("the identity server refused the client: {reason}")]
    ClientRefused {
        /// What the identity server said.
        reason: String,
    },
    /// librdkafka reports a fatal error, after which the client is unusable.
    #[error("the client reports a fatal error: {reason}")]
    Fatal {
        /// What librdkafka said.
        reason: String,
    },
    /// The group has no committed offset, or one that the broker no longer has, and `KAFKA_AUTO_OFFSET_RESET=error` forbids choosing
    /// another.
    #[error("no offset to start from{} in topic {topic}: {reason}", list(.partitions))]
    NoOffset {
        /// Topic.
        topic: String,
        /// The partitions without a committed offset; may be empty.
        partitions: Vec<i32>,
        /// What librdkafka said.
        reason: String,
    },
    /// A line that accounts for messages could not be written.
    #[error("could not write the log")]
    Journal(#[source] io::Error),
    /// A librdkafka call failed that normally cannot fail.
    #[error("could not {step}")]
    Client {
        /// The step that failed, as a verb phrase.
        step: &'static str,
        /// What librdkafka said.
        #[source]
        source: rdkafka::error::KafkaError,
    },
}

impl Failure {
    /// The exit code: 64 for wrong settings, 77 for a refused account, 1 otherwise.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Settings(_) => 64,
            Self::Refused { .. } | Self::ClientRefused { .. } => 77,
            _ => 1,
        }
    }

    /// This error and its sources, on one line.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(error) = source {
            text.push_str(&format!(": {error}"));
            source = error.source();
        }
        text
    }
}

/// The part of the message between `from` and `in topic`.
fn list(partitions: &[i32]) -> String {
    if partitions.is_empty() {
        return String::new();
    }
    format!(" for partition {}", partitions.iter().map(i32::to_string).collect::<Vec<_>>().join(", "))
}
