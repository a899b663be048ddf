//! librdkafka's callbacks of the producer: delivery reports, errors and log lines.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use journal::Outcome;
use kafka_config::Rate;
use parking_lot::{Mutex, MutexGuard};
use rdkafka::Statistics;
use rdkafka::bindings::{rd_kafka_message_latency, rd_kafka_message_status, rd_kafka_msg_status_t};
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::producer::{DeliveryResult, ProducerContext};
use service::{Access, Right, Traces};

use crate::books::{Books, Report, Undelivered};
use crate::metrics::Reason;

/// The callbacks. They run while the loop polls, on the loop's thread.
pub(crate) struct Delivery {
    pub(crate) access: Arc<Access>,
    pub(crate) traces: Traces,
    books: Mutex<Books>,
    /// Each message carries the time since this at which it was due, so that no state per message in flight is needed.
    start: Instant,
    /// Whether a message is due when it is handed to librdkafka.
    is_due_at_handover: AtomicBool,
    errors: AtomicU64,
    /// The last error, unless rdkafka has reported it for the second time.
    first_report: Mutex<Option<(Option<RDKafkaErrorCode>, String)>>,
}

impl Delivery {
    pub(crate) fn new(access: Arc<Access>, books: Books, traces: Traces, rate: Rate) -> Self {
        let is_due_at_handover = AtomicBool::new(matches!(rate, Rate::Max));
        Self {
            access,
            traces,
            books: Mutex::new(books),
            start: Instant::now(),
            is_due_at_handover,
            errors: AtomicU64::new(0),
            first_report: Mutex::default(),
        }
    }

    pub(crate) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock()
    }

    /// How many errors librdkafka has reported that do not concern single messages.
    pub(crate) fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    /// Notes that messages are sent at this rate from now on.
    pub(crate) fn set_rate(&self, rate: Rate) {
        self.is_due_at_handover.store(matches!(rate, Rate::Max), Ordering::Relaxed);
    }

    /// What a message carries that is due at this time.
    pub(crate) fn due_micros(&self, due: Instant) -> usize {
        due.saturating_duration_since(self.start).as_micros() as usize
    }
}

impl ClientContext for Delivery {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.access.log(level, facility, text);
    }

    fn stats(&self, statistics: Statistics) {
        self.books().enter_statistics(&statistics);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code();
        // rdkafka reports each error of a producer twice, one after the other.
        let report = (code, reason.trim().to_owned());
        let mut first = self.first_report.lock();
        if first.as_ref() == Some(&report) {
            *first = None;
            return;
        }
        *first = Some(report);
        drop(first);
        self.errors.fetch_add(1, Ordering::Relaxed);
        self.access.handle_error(code, reason, Right::Use);
    }
}

impl ProducerContext for Delivery {
    /// When the message was due, in microseconds since the start.
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, due_micros: usize) {
        let (message, result) = match result {
            Ok(message) => (message, Ok(message.offset())),
            Err((error, message)) => {
                let code = error.rdkafka_error_code();
                self.access.note_obstacle(code, &error.to_string(), Right::Use);
                (
                    message,
                    Err(Undelivered {
                        outcome: outcome(message),
                        reason: Reason::from_code(code),
                        error: code.map_or_else(|| error.to_string(), |code| code.to_string()),
                    }),
                )
            }
        };
        let mut books = self.books();
        let due = self.start + Duration::from_micros(due_micros as u64);
        let latency_from_due = books.now().saturating_duration_since(due);
        // librdkafka reads the clock for each message.
        let is_due_at_handover = self.is_due_at_handover.load(Ordering::Relaxed);
        let latency = if is_due_at_handover { latency_from_due } else { latency(message) };
        self.traces.sent(message, latency, result.as_ref().err().map(|undelivered| undelivered.reason.name()));
        let (partition, key, value) = (message.partition(), message.key(), message.payload());
        books.enter_outcome(Report { partition, key, value, latency, latency_from_due, result });
    }
}

/// Time since the message was handed to librdkafka, by librdkafka's clock.
#[expect(unsafe_code, reason = "rdkafka has no safe way to read the latency of a message")]
fn latency(message: &BorrowedMessage<'_>) -> Duration {
    // SAFETY: the pointer belongs to the message that librdkafka reports, which lives as long as the reference. The call reads one of
    // its fields.
    let micros = unsafe { rd_kafka_message_latency(message.ptr()) };
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

/// The outcome of a message that was not acknowledged: rejected if it cannot be on the broker, unknown otherwise.
///
/// The error code does not tell. A message that was purged from the queue, for example, may have been put back there after an attempt
/// whose answer was lost.
#[expect(unsafe_code, reason = "rdkafka has no safe way to read the status of a message")]
fn outcome(message: &BorrowedMessage<'_>) -> Outcome {
    // SAFETY: the pointer belongs to the message that librdkafka reports, which lives as long as the reference. The call reads two of
    // its fields.
    match unsafe { rd_kafka_message_status(message.ptr()) } {
        rd_kafka_msg_status_t::RD_KAFKA_MSG_STATUS_NOT_PERSISTED => Outcome::Rejected,
        _ => Outcome::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::ClientConfig;
    use rdkafka::producer::{BaseProducer, Producer as _};

    use super::*;

    #[derive(Default)]
    struct Reports(Mutex<Vec<String>>);

    impl ClientContext for Reports {
        fn error(&self, error: KafkaError, reason: &str) {
            self.0.lock().push(format!("{error} {}", reason.trim()));
        }
    }

    impl ProducerContext for Reports {
        type DeliveryOpaque = ();

        fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
    }

    /// If this fails, [`Delivery`] would leave out every second of several equal errors, and has to take each report as it is.
    #[test]
    fn rdkafka_reports_each_error_of_a_producer_twice() {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", "127.0.0.1:1").set_log_level(RDKafkaLogLevel::Emerg);
        let producer: BaseProducer<Reports> = config.create_with_context(Reports::default()).unwrap();
        let until = Instant::now() + Duration::from_secs(20);
        let reports = || producer.context().0.lock().clone();
        while reports().len() < 2 {
            assert!(Instant::now() < until);
            producer.poll(Duration::from_millis(10));
        }
        for pair in reports().chunks(2) {
            assert_eq!(pair.first(), pair.last());
        }
        assert_eq!(reports().len() % 2, 0);
    }
}
