//! librdkafka's reports to this producer: outcomes, errors, log lines.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use journal::Outcome;
use rdkafka::bindings::{rd_kafka_message_status, rd_kafka_msg_status_t};
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::producer::{DeliveryResult, ProducerContext};
use service::{Access, Traces};

use crate::books::{Books, Report, Undelivered};
use crate::metrics::Reason;

/// Called while the loop polls, on the loop's thread.
pub(crate) struct Delivery {
    pub(crate) access: Arc<Access>,
    pub(crate) traces: Traces,
    books: Mutex<Books>,
    /// Messages carry the time since this, so that no state is kept for what is under way.
    start: Instant,
}

impl Delivery {
    pub(crate) fn new(access: Arc<Access>, books: Books, traces: Traces) -> Self {
        Self { access, traces, books: Mutex::new(books), start: Instant::now() }
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
        self.access.complain(error.rdkafka_error_code(), reason);
    }
}

impl ProducerContext for Delivery {
    /// Microseconds since the start, when the message was handed over.
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, sent_micros: usize) {
        let (message, result) = match result {
            Ok(message) => (message, Ok(message.offset())),
            Err((error, message)) => {
                let code = error.rdkafka_error_code();
                self.access.note(code, &error.to_string());
                (
                    message,
                    Err(Undelivered {
                        outcome: outcome_of(message),
                        reason: Reason::of(code),
                        error: code.map_or_else(|| error.to_string(), |code| code.to_string()),
                    }),
                )
            }
        };
        let latency = Duration::from_micros(self.micros().saturating_sub(sent_micros) as u64);
        self.traces.sent(message, latency, result.as_ref().err().map(|undelivered| undelivered.reason.name()));
        let (partition, key, value) = (message.partition(), message.key(), message.payload());
        self.books().enter(Report { partition, key, value, latency, result });
    }
}

/// Rejected where the message can't be on the broker, unknown in every other case.
///
/// The error's code does not tell: a message that was purged from the queue may have been put back there after an attempt
/// whose answer got lost.
#[expect(unsafe_code, reason = "rdkafka has no safe way to ask for a message's status")]
fn outcome_of(message: &BorrowedMessage<'_>) -> Outcome {
    // SAFETY: the pointer is that of the message which librdkafka reports, and the reference keeps it alive; the call reads
    // two fields of it.
    match unsafe { rd_kafka_message_status(message.ptr()) } {
        rd_kafka_msg_status_t::RD_KAFKA_MSG_STATUS_NOT_PERSISTED => Outcome::Rejected,
        _ => Outcome::Unknown,
    }
}
