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
use crate::delivery::Delivery;
use crate::metrics::ProducerMetrics;
use crate::partitions::Partitions;
use crate::schedule::Schedule;

/// How long the loop may block at once, and therefore how late it notices a shutdown request.
const POLL: Duration = Duration::from_millis(100);
/// The pause between two polls for delivery reports starts at the first value and doubles up to the second.
const SHORTEST_PAUSE: Duration = Duration::from_micros(100);
const LONGEST_PAUSE: Duration = Duration::from_millis(10);
/// Events served per poll for reports. Usually fewer are waiting.
const EVENTS_PER_POLL: u32 = 16;
/// Messages handed over between two polls at full speed.
const MESSAGES_PER_POLL: u32 = 1024;
const UPKEEP_INTERVAL: Duration = Duration::from_millis(200);
const METADATA_INTERVAL: Duration = Duration::from_secs(30);
/// The pause after a full queue starts at this and doubles up to [`POLL`].
const QUEUE_FULL_PAUSE: Duration = Duration::from_millis(1);
/// The producer is not ready if messages were due and none was acknowledged for this long.
const LATE_AFTER: Duration = Duration::from_secs(10);
/// Time to receive the reports of purged messages. Purging needs no broker.
const PURGE: Duration = Duration::from_millis(500);

/// Sends messages until all are sent, an error occurs, or `shutdown` is requested.
pub(crate) fn send_messages(
    settings: ProducerSettings,
    run: RunId,
    metrics: ProducerMetrics,
    handles: Handles,
    shutdown: &Shutdown,
) -> Ending {
    let ProducerSettings { connection, rate, max_messages, properties, .. } = settings;
    let Handles { journal, health, traces, detail } = handles;
    let expected_per_sec = match rate {
        Rate::PerSec(rate) => rate,
        Rate::Max => f64::INFINITY,
    };
    let books = Books::new(journal, metrics, run, &connection.topic, detail, expected_per_sec);
    let access = Arc::new(Access::new(&connection, properties));
    let config = access.properties().client_config();
    let producer = match config.create_with_context(Delivery::new(Arc::clone(&access), books, traces)) {
        Ok(producer) => producer,
        Err(error) => return Failure::Settings(access.properties().refused(&error)).into(),
    };
    let topic = connection.topic;
    let mut sender = Sender { producer, access, health, topic, run, rate, max_messages, partitions: None };
    let mut failure = sender.send_until_stopped(shutdown).err();
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
    drop_in_background(sender);
    Ending { failure, count, not_delivered, not_committed: Vec::new() }
}

struct Sender {
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
    Accepted,
    QueueFull,
    Refused(KafkaError),
}

impl Sender {
    fn send_until_stopped(&mut self, shutdown: &Shutdown) -> Result<(), Failure> {
        // Requesting the topic before the first message reports a missing topic at once.
        let client = self.producer.client();
        let poll = || self.producer.poll(POLL);
        let Some(found) = self.access.wait_for_topic(client, poll, &self.health, shutdown)? else {
            return Ok(());
        };
        let count = found.partitions;
        self.producer.context().books().enter_topic(found);
        // A second request saves half a second. librdkafka tries to acquire its producer id on each metadata answer. That fails while
        // its first connection is being replaced, and librdkafka would otherwise retry only after a timer.
        self.access.probe(client);
        let mut partitions = Partitions::new(self.rate, count);
        let result = self.send_all(&mut partitions, shutdown);
        self.partitions = Some(partitions);
        result?;
        self.wait_for_outcomes(shutdown)
    }

    fn send_all(&self, partitions: &mut Partitions, shutdown: &Shutdown) -> Result<(), Failure> {
        let mut schedule = Schedule::new(self.rate, Instant::now());
        let mut upkeep = Upkeep::new();
        let mut buffers = Buffers { stamp: Stamp::default(), keys: KeyWriter::new(self.run), value: Vec::new() };
        let mut queue_full_pause = QUEUE_FULL_PAUSE;
        let mut sent_since_poll = 0;
        let mut num = 0;
        while !shutdown.is_requested() && (self.max_messages == 0 || num < self.max_messages) {
            let wait = schedule.wait(Instant::now);
            if wait > Duration::ZERO {
                self.serve_reports(wait);
            } else {
                match self.send(num, partitions, &mut buffers) {
                    SendResult::Accepted => {
                        self.producer.context().books().enter_accepted();
                        partitions.advance();
                        schedule.sent();
                        num += 1;
                        queue_full_pause = QUEUE_FULL_PAUSE;
                        if sent_since_poll < MESSAGES_PER_POLL {
                            sent_since_poll += 1;
                            continue;
                        }
                        self.producer.poll(Duration::ZERO);
                    }
                    // Back-pressure. The message was not issued, so the next attempt uses the same number.
                    SendResult::QueueFull => {
                        self.producer.poll(queue_full_pause);
                        queue_full_pause = (queue_full_pause * 2).min(POLL);
                    }
                    // Either the topic has changed, or the client has a fatal error, which the upkeep detects.
                    SendResult::Refused(error) => {
                        self.access.handle_error(error.rdkafka_error_code(), &error.to_string());
                        partitions.skip();
                        self.producer.poll(POLL * 5);
                        upkeep.metadata_at = None;
                    }
                }
            }
            sent_since_poll = 0;
            self.do_upkeep(&mut upkeep, Some(partitions))?;
        }
        Ok(())
    }

    fn send(&self, num: u64, partitions: &Partitions, buffers: &mut Buffers) -> SendResult {
        let (partition, pseq) = partitions.next();
        let (ts, timestamp) = buffers.stamp.now();
        encode(num, ts, &mut buffers.value);
        let mut record = BaseRecord::with_opaque_to(&self.topic, self.producer.context().elapsed_micros())
            .partition(partition)
            .key(buffers.keys.write(pseq))
            .payload(buffers.value.as_slice())
            .timestamp(timestamp);
        record.headers = self.producer.context().traces.headers();
        match self.producer.send(record) {
            Ok(()) => SendResult::Accepted,
            Err((KafkaError::MessageProduction(Code::QueueFull), _)) => SendResult::QueueFull,
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

    /// Serves delivery reports for the duration `wait`, but for at most [`POLL`].
    ///
    /// The producer's own `poll` with a timeout spins through the last millisecond of each wait, so the loop sleeps between polls that do
    /// not wait. A report comes either soon after its message or late, hence the growing pauses.
    fn serve_reports(&self, wait: Duration) {
        let end = Instant::now() + wait.min(POLL);
        let mut pause = SHORTEST_PAUSE;
        loop {
            // Each poll serves one event, and each log line of librdkafka is an event too.
            for _ in 0..EVENTS_PER_POLL {
                self.producer.poll(Duration::ZERO);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            std::thread::park_timeout(if self.outstanding() > 0 { pause.min(left) } else { left });
            pause = (pause * 2).min(LONGEST_PAUSE);
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
        if is_delivering || outstanding == 0 {
            upkeep.on_time_at = now;
        }
        // The outcomes of outstanding messages tell whether the broker is back. A probe would only delay messages that are due.
        self.access.check(self.producer.client(), outstanding > 0)?;
        self.health.tick();
        let waited = now.saturating_duration_since(upkeep.on_time_at);
        let is_late = waited > LATE_AFTER;
        let obstacle = self.access.obstacle();
        self.health.set_not_ready(obstacle.or(is_late.then_some("messages are not acknowledged")));
        // librdkafka reports nothing and keeps trying while a broker accepts connections without answering, or while too few replicas
        // are in sync.
        if is_late && obstacle.is_none() && now.saturating_duration_since(upkeep.late_logged_at) > LATE_AFTER {
            upkeep.late_logged_at = now;
            let next_step = "check whether the brokers are frozen and whether enough replicas are in sync";
            warn!(outstanding, waited_s = waited.as_secs(), next_step, "messages are not acknowledged");
        }
        // A probe blocks, so none is made while nothing is delivered: an absent broker is probed by `check`, at its own interval.
        let is_due = upkeep.metadata_at.is_none_or(|at| now.saturating_duration_since(at) >= METADATA_INTERVAL);
        if let Some(partitions) = partitions
            && (is_due && is_delivering || upkeep.metadata_at.is_none())
        {
            upkeep.metadata_at = Some(now);
            if let Some(count) = self.access.probe(self.producer.client()) {
                partitions.resize(count);
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
            self.serve_reports(SHORTEST_PAUSE * 16);
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
    /// When an acknowledgement last arrived or none was due.
    on_time_at: Instant,
    late_logged_at: Instant,
    /// When the partitions were last refreshed; `None` asks for a refresh at once.
    metadata_at: Option<Instant>,
}

impl Upkeep {
    fn new() -> Self {
        let now = Instant::now();
        Self { done_at: now, acknowledged: 0, on_time_at: now, late_logged_at: now, metadata_at: Some(now) }
    }
}
