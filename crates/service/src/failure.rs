//! Why a service ends without having done what it was asked.

use std::io;

use kafka_config::Problems;

/// Why a service ends without having done what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// librdkafka refuses the settings together; nothing was contacted.
    #[error("{0}")]
    Settings(Problems),
    /// The broker refuses the account, and it never worked before.
    #[error("the broker refused the account: {reason}")]
    Refused {
        /// What the broker or librdkafka said.
        reason: String,
    },
    /// The client can't go on and says so.
    #[error("the client reports a fatal error: {reason}")]
    Fatal {
        /// What librdkafka said.
        reason: String,
    },
    /// The group has no committed offset, or one that the broker no longer has, and `KAFKA_AUTO_OFFSET_RESET=error` asks to end
    /// then.
    #[error("no offset to start from{} in topic {topic}: {reason}", list(.partitions))]
    NoOffset {
        /// Topic.
        topic: String,
        /// Partitions without a committed offset, where there are any.
        partitions: Vec<i32>,
        /// What librdkafka said.
        reason: String,
    },
    /// A line that accounts for messages could not be written.
    #[error("could not write the log")]
    Journal(#[source] io::Error),
    /// A call of librdkafka failed that only fails when something is very wrong.
    #[error("could not {step}")]
    Client {
        /// What was tried.
        step: &'static str,
        /// What librdkafka said.
        #[source]
        source: rdkafka::error::KafkaError,
    },
}

impl Failure {
    /// The exit code: 64 for settings, 77 for a refused account, 1 for everything else.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Settings(_) => 64,
            Self::Refused { .. } => 77,
            _ => 1,
        }
    }

    /// The whole chain in one line.
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

/// What goes between `from` and `in topic`.
fn list(partitions: &[i32]) -> String {
    if partitions.is_empty() {
        return String::new();
    }
    format!(" for partition {}", partitions.iter().map(i32::to_string).collect::<Vec<_>>().join(", "))
}
