//! The loop: hands each message to librdkafka when it is due, serves delivery reports, and finally waits for the outstanding ones.
//!
//! The end of a run, in order: no further message is issued. librdkafka delivers what it has accepted, either until the deadline of a
//! requested shutdown, or, after the last message, until each has its outcome. Messages that are left are purged, which reports each of
//! them once more. Only then is the producer dropped, because dropping it earlier would purge without reports.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kafka_config::{ProducerSettings, Rate};
use message::{KeyWriter, RunId, Stamp, encode};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, PurgeConfig};
use service::{Access, Ending, Failure, Handles, Health, Shutdown, drop_in_background};
use tracing::warn;

use crate::books::Books;
use crate::control::{Control, Controlled};
use crate::delivery::Delivery;
use crate::health::DeliveryHealth;
use crate::metrics::ProducerMetrics;
use crate::partitions::Partitions;
use crate::reports::Reports;
use crate::schedule::Schedule;

/// How long the loop may block at once, and therefore how late it notices a shutdown request.
const POLL: Duration = Duration::from_millis(100);
/// Events served at once, so that the loop gets to its other duties however many there are.
const EVENTS_AT_ONCE: usize = 1024;
/// While the loop waits for the last outcomes, how long it waits at once.
const LAST_WAIT: Duration = Duration::from_millis(2);
/// Messages handed over between two polls at full speed.
const MESSAGES_PER_POLL: u32 = 1024;
const UPKEEP_INTERVAL: Duration = Duration::from_millis(200);
const METADATA_INTERVAL: Duration = Duration::from_secs(30);
/// Time to receive the reports of purged messages. Purging needs no broker.
const PURGE: Duration = Duration::from_millis(500);

/// Sends messages until all are sent, an error occurs, or `shutdown` is requested.
pub(crate) fn send_messages(
    settings: ProducerSettings,
    run: RunId,
    metrics: ProducerMetrics,
    handles: Handles,
    control: &Control,
    shutdown: &Shutdown,
) -> Ending {
    let ProducerSettings { connection, rate, max_messages, queue_messages, properties, .. } = settings;
    let Handles { journal, health, traces, detail } = handles;
    let expected_per_sec = match rate {
        Rate::PerSec(rate) => rate,
        Rate::Max => f64::INFINITY,
    };
    let books = Books::new(journal, metrics, run, &connection.topic, detail, queue_messages, expected_per_sec);
    let access = Arc::new(Access::new(&connection, properties));
    let config = access.properties().client_config();
    let producer = match config.create_with_context(Delivery::new(Arc::clone(&access), books, traces)) {
        Ok(producer) => producer,
        Err(error) => return Failure::Settings(access.properties().refused(&error)).into(),
    };
    let topic = connection.topic;
    let reports = Reports::new(&producer);
    let mut sender = Sender { producer, reports, access, health, topic, run, rate, max_messages, partitions: None };
    let mut failure = sender.send_until_stopped(control, shutdown).err();
    shutdown.request();
    sender.finish(shutdown);

    let mut books = sender.producer.context().books();
    books.close(sender.partitions.iter().flat_map(Partitions::last_pseqs));
    if let Some(error) = books.take_write_error() {
        failure.get_or_insert(Failure::Journal(error));
    }
    let (count, not_delivered) = (books.accepted(), books.not_delivered());
    drop(books);
    sender.producer.context().traces.finish(shutdown);
    let Sender { producer, reports, .. } = sender;
    // Before the producer, and on this thread: it is this thread that the reports wake.
    drop(reports);
    drop_in_background(producer);
    Ending { failure, count, not_delivered, not_committed: Vec::new() }
}

struct Sender {
    /// Before the producer, so that it is also dropped before it.
    reports: Reports,
    producer: BaseProducer<Delivery>,
    access: Arc<Access>,
    health: Arc<Health>,
    topic: String,
    run: RunId,
    rate: Rate,
    max_messages: u64,
    /// Set once the broker has returned the metadata of the topic.
    partitions: Option<Partitions>,
}

/// The result of handing a message to librdkafka.
enum SendResult {
    Accepted {
        partition: i32,
    },
    /// Neither the queue nor any partition's share of it has room.
    NoRoom,
    Refused(KafkaError),
}

impl Sender {
    fn send_until_stopped(&mut self, control: &Control, shutdown: &Shutdown) -> Result<(), Failure> {
        // Requesting the topic before the first message reports a missing topic at once.
        let client = self.producer.client();
        let poll = || self.serve_reports(POLL);
        let Some(found) = self.access.wait_for_topic(client, poll, &self.health, shutdown)? else {
            return Ok(());
        };
        let count = found.partitions;
        self.producer.context().books().enter_topic(found);
        // A second request saves half a second. librdkafka tries to acquire its producer id on each metadata answer. That fails while
        // its first connection is being replaced, and librdkafka would otherwise retry only after a timer.
        self.access.probe(client);
        let mut partitions = Partitions::new(self.rate, count);
        let result = self.send_all(&mut partitions, control, shutdown);
        self.partitions = Some(partitions);
        result?;
        self.wait_for_outcomes(shutdown)
    }

    fn send_all(&self, partitions: &mut Partitions, control: &Control, shutdown: &Shutdown) -> Result<(), Failure> {
        let mut controlled = Controlled::new(control, self.rate);
        let mut schedule = Schedule::new(self.rate, Instant::now());
        let mut upkeep = Upkeep::new();
        let mut buffers = Buffers { stamp: Stamp::default(), keys: KeyWriter::new(self.run), value: Vec::new() };
        let mut sent_since_poll = 0;
        let mut num = 0;
        while !shutdown.is_requested() && (self.max_messages == 0 || num < self.max_messages) {
            if let Some(rate) = controlled.new_rate() {
                schedule = Schedule::new(rate, Instant::now());
                partitions.set_rate(rate);
            }
            let wait = if controlled.is_paused() { POLL } else { schedule.wait(Instant::now) };
            if wait > Duration::ZERO {
                self.serve_reports(wait);
            } else {
                match self.send(num, partitions, schedule.due(), &mut buffers) {
                    SendResult::Accepted { partition } => {
                        self.producer.context().books().enter_accepted(partition);
                        partitions.advance();
                        schedule.sent();
                        num += 1;
                        if sent_since_poll < MESSAGES_PER_POLL {
                            sent_since_poll += 1;
                            continue;
                        }
                        self.serve_waiting_reports();
                    }
                    // Back-pressure, until a message has its outcome. The message was not issued, so the next attempt uses the same
                    // number.
                    SendResult::NoRoom => {
                        self.reports.wait(POLL);
                        self.serve_waiting_reports();
                    }
                    // Either the topic has changed, or the client has a fatal error, which the upkeep detects.
                    SendResult::Refused(error) => {
                        self.access.handle_error(error.rdkafka_error_code(), &error.to_string());
                        partitions.skip();
                        self.serve_reports(POLL);
                        upkeep.metadata_at = None;
                    }
                }
            }
            sent_since_poll = 0;
            self.do_upkeep(&mut upkeep, Some(partitions))?;
        }
        Ok(())
    }

    fn send(&self, num: u64, partitions: &mut Partitions, due: Option<Instant>, buffers: &mut Buffers) -> SendResult {
        let delivery = self.producer.context();
        let Some((partition, pseq)) = partitions.next(|partition| delivery.books().backlog.room(partition)) else {
            return SendResult::NoRoom;
        };
        let (ts, timestamp) = buffers.stamp.now();
        encode(num, ts, &mut buffers.value);
        let mut record = BaseRecord::with_opaque_to(&self.topic, delivery.due_micros(due))
            .partition(partition)
            .key(buffers.keys.write(pseq))
            .payload(buffers.value.as_slice())
            .timestamp(timestamp);
        record.headers = delivery.traces.headers();
        match self.producer.send(record) {
            Ok(()) => SendResult::Accepted { partition },
            Err((KafkaError::MessageProduction(Code::QueueFull), _)) => SendResult::NoRoom,
            Err((error, _)) => SendResult::Refused(error),
        }
    }

    /// After the last message, waits until every message has its outcome or the shutdown is requested.
    fn wait_for_outcomes(&self, shutdown: &Shutdown) -> Result<(), Failure> {
        let mut upkeep = Upkeep::new();
        while !shutdown.is_requested() && self.outstanding() > 0 {
            self.serve_reports(POLL);
            self.do_upkeep(&mut upkeep, None)?;
        }
        Ok(())
    }

    fn outstanding(&self) -> u64 {
        self.producer.context().books().outstanding()
    }

    /// Serves the reports and other events that are waiting.
    fn serve_waiting_reports(&self) {
        for _ in 0..EVENTS_AT_ONCE {
            if self.reports.waiting() == 0 {
                return;
            }
            self.producer.poll(Duration::ZERO);
        }
    }

    /// Serves each report as it arrives, for the duration `wait`, but for at most [`POLL`].
    fn serve_reports(&self, wait: Duration) {
        let end = Instant::now() + wait.min(POLL);
        loop {
            self.serve_waiting_reports();
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            self.reports.wait(left);
        }
    }

    /// The regular duties, done every [`UPKEEP_INTERVAL`] whatever the rate. The number of partitions is refreshed only if `partitions`
    /// is given.
    fn do_upkeep(&self, upkeep: &mut Upkeep, partitions: Option<&mut Partitions>) -> Result<(), Failure> {
        let now = Instant::now();
        if now.saturating_duration_since(upkeep.done_at) < UPKEEP_INTERVAL {
            return Ok(());
        }
        upkeep.done_at = now;
        let (acknowledged, outstanding) = {
            let mut books = self.producer.context().books();
            books.tick(now);
            if let Some(error) = books.take_write_error() {
                return Err(Failure::Journal(error));
            }
            (books.acknowledged(), books.outstanding())
        };
        let is_delivering = acknowledged > upkeep.acknowledged;
        if is_delivering {
            upkeep.acknowledged = acknowledged;
            self.producer.context().books().note_acknowledgement();
            self.access.confirm();
        }
        // The outcomes of outstanding messages tell whether the broker is back. A probe would only delay messages that are due.
        self.access.check(self.producer.client(), outstanding > 0)?;
        self.health.tick();
        let count = partitions.as_ref().map_or(usize::MAX, |partitions| partitions.count());
        upkeep.delivery.check(&self.producer.context().books(), count, &self.access, &self.health, now);
        // A probe blocks, so none is made while nothing is delivered: an absent broker is probed by `check`, at its own interval.
        let is_due = upkeep.metadata_at.is_none_or(|at| now.saturating_duration_since(at) >= METADATA_INTERVAL);
        if let Some(partitions) = partitions
            && (is_due && is_delivering || upkeep.metadata_at.is_none())
        {
            upkeep.metadata_at = Some(now);
            if let Some(count) = self.access.probe(self.producer.client()) {
                partitions.resize(count);
                self.producer.context().books().resize(count);
            }
        }
        Ok(())
    }

    /// Waits for the outstanding outcomes under the deadline, then purges the messages that are left, so that each is reported.
    fn finish(&self, shutdown: &Shutdown) {
        self.serve_reports_until(Instant::now() + shutdown.time_left().saturating_sub(PURGE));
        let outstanding = self.outstanding();
        if outstanding > 0 {
            warn!(outstanding, "shutdown deadline reached, giving up unacknowledged messages");
            // `non_blocking`, because one of librdkafka's threads may be in a long address look-up.
            self.producer.purge(PurgeConfig::default().queue().inflight().non_blocking());
            self.serve_reports_until(Instant::now() + PURGE);
        }
    }

    fn serve_reports_until(&self, deadline: Instant) {
        while self.outstanding() > 0 && Instant::now() < deadline {
            self.serve_reports(LAST_WAIT);
            self.producer.context().books().tick(Instant::now());
        }
    }
}

/// Buffers that are reused for every message.
struct Buffers {
    stamp: Stamp,
    keys: KeyWriter,
    value: Vec<u8>,
}

/// What the regular duties remember between two rounds.
struct Upkeep {
    done_at: Instant,
    acknowledged: u64,
    delivery: DeliveryHealth,
    /// When the partitions were last refreshed; `None` asks for a refresh at once.
    metadata_at: Option<Instant>,
}

impl Upkeep {
    fn new() -> Self {
        let now = Instant::now();
        Self { done_at: now, acknowledged: 0, delivery: DeliveryHealth::default(), metadata_at: Some(now) }
    }
}
