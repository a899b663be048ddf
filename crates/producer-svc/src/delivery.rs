//! librdkafka's reports to this producer: outcomes, errors, log lines.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use journal::Outcome;
use message::Key;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::Message as _;
use rdkafka::producer::{DeliveryResult, ProducerContext};
use service::{Access, code_of};

use crate::books::{Books, Report};

/// Called while the loop polls, on the loop's thread.
pub(crate) struct Delivery {
    pub(crate) access: Arc<Access>,
    books: Mutex<Books>,
    /// Messages carry the time since this, so that no state is kept for what is under way.
    start: Instant,
}

impl Delivery {
    pub(crate) fn new(access: Arc<Access>, books: Books) -> Self {
        Self { access, books: Mutex::new(books), start: Instant::now() }
    }

    pub(crate) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a message takes along.
    pub(crate) fn micros(&self) -> usize {
        self.start.elapsed().as_micros() as usize
    }
}

impl ClientContext for Delivery {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.access.log(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.access.complain(code_of(&error), reason);
    }
}

impl ProducerContext for Delivery {
    /// Microseconds since the start, when the message was handed over.
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, sent_micros: usize) {
        let (message, result) = match result {
            Ok(message) => (message, Ok(message.offset())),
            Err((error, message)) => {
                let code = code_of(error);
                self.access.note(code, &error.to_string());
                (message, Err((outcome_of(code), code.map_or_else(|| error.to_string(), |code| code.to_string()))))
            }
        };
        let latency = Duration::from_micros(self.micros().saturating_sub(sent_micros) as u64);
        let mut books = self.books();
        // Every message of ours has a key of ours.
        let Some(Key { pseq, .. }) = message.key().and_then(|key| books.keys.read(key)) else { return };
        books.enter(Report { partition: message.partition(), pseq, value: message.payload(), latency, result });
    }
}

/// What an error tells about the message: rejected where it can't be on the broker, unknown in every other case.
fn outcome_of(code: Option<Code>) -> Outcome {
    match code {
        Some(
            // Never left the queue.
            Code::PurgeQueue
            | Code::UnknownPartition
            | Code::UnknownTopic
            | Code::MessageSizeTooLarge
            // Refused by the broker before it was written.
            | Code::TopicAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::UnknownTopicOrPartition
            | Code::InvalidMessage
            | Code::InvalidTimestamp
            | Code::InvalidRecord
            | Code::InvalidTopic
            | Code::MessageBatchTooLarge
            | Code::PolicyViolation
            | Code::UnsupportedForMessageFormat,
        ) => Outcome::Rejected,
        _ => Outcome::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cannot_be_on_the_broker_is_called_rejected() {
        for code in [Code::PurgeQueue, Code::MessageSizeTooLarge, Code::TopicAuthorizationFailed] {
            assert_eq!(outcome_of(Some(code)), Outcome::Rejected);
        }
        for code in [
            Code::PurgeInflight,
            Code::MessageTimedOut,
            Code::NotEnoughReplicasAfterAppend,
            Code::BrokerTransportFailure,
        ] {
            assert_eq!(outcome_of(Some(code)), Outcome::Unknown);
        }
        assert_eq!(outcome_of(None), Outcome::Unknown);
    }
}
