//! The loop: hands over what is due, lets librdkafka report, and at the end waits for what is still under way.
//!
//! Sequence at the end: no further message is issued; librdkafka delivers what it has, up to the deadline of a stop, or as
//! long as messages may take where the last one was sent and nobody asks to stop; what is left is purged, which reports
//! each message once more. Only then is the producer dropped: dropping it earlier would purge without a word.

use std::sync::Arc;
use std::time::{Duration, Instant};

use journal::Journal;
use kafka_config::{ProducerSettings, Rate};
use message::{KeyWriter, RunId, Stamp, encode};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, PurgeConfig};
use service::{Access, Ending, Failure, Health, Shutdown, Traces, release};
use tracing::warn;

use crate::books::Books;
use crate::delivery::Delivery;
use crate::metrics::ProducerMetrics;
use crate::partitions::Partitions;
use crate::schedule::Schedule;

/// How long one poll may block: how late a stop is noticed.
const POLL: Duration = Duration::from_millis(100);
/// Pauses between two looks for reports grow from this to that.
const FIRST_PAUSE: Duration = Duration::from_micros(100);
const LONGEST_PAUSE: Duration = Duration::from_millis(10);
/// More than one look finds while nothing unusual happens.
const EVENTS_AT_ONCE: u32 = 16;
/// So many messages are handed over between two polls.
const BETWEEN_POLLS: u32 = 1024;
const CHORES_EVERY: Duration = Duration::from_millis(200);
const METADATA_EVERY: Duration = Duration::from_secs(30);
/// A full queue is tried again after this, then after twice as long, up to [`POLL`].
const FULL_QUEUE_WAIT: Duration = Duration::from_millis(1);
/// Without an acknowledgement for so long while some are due, the producer is not ready.
const LATE_AFTER: Duration = Duration::from_secs(10);
/// Purging is local; so much is enough to hear of everything that was purged.
const PURGE: Duration = Duration::from_millis(500);

pub(crate) fn run(
    settings: ProducerSettings,
    run: RunId,
    traces: Traces,
    journal: &Arc<Journal>,
    metrics: ProducerMetrics,
    health: &Arc<Health>,
    shutdown: &Shutdown,
) -> Ending {
    let ProducerSettings { connection, rate, max_messages, runtime, properties } = settings;
    let books = Books::new(Arc::clone(journal), metrics, run, &connection.topic, runtime.log_messages);
    let access = Arc::new(Access::new(&connection, properties));
    let config = access.properties().client_config();
    let producer = match config.create_with_context(Delivery::new(Arc::clone(&access), books, traces)) {
        Ok(producer) => producer,
        Err(error) => {
            let failure = Failure::Settings(access.properties().refused(&error));
            return failure.into();
        }
    };
    let health = Arc::clone(health);
    let topic = connection.topic;
    let mut sender = Sender { producer, access, health, topic, run, rate, max_messages, partitions: None };
    let mut failure = sender.until_stopped(shutdown).err();
    shutdown.request();
    sender.finish(shutdown);

    let mut books = sender.producer.context().books();
    books.close(sender.partitions.iter().flat_map(Partitions::last));
    if let Some(error) = books.take_write_error() {
        failure.get_or_insert(Failure::Journal(error));
    }
    let (count, not_delivered) = (books.accepted(), books.not_delivered());
    drop(books);
    sender.producer.context().traces.finish(shutdown);
    release(sender);
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
    /// Known once the broker has told of the topic.
    partitions: Option<Partitions>,
}

/// What became of one attempt to hand a message over.
enum Sent {
    Accepted,
    QueueFull,
    NotNow(KafkaError),
}

impl Sender {
    /// Sends until there is nothing more to send.
    fn until_stopped(&mut self, shutdown: &Shutdown) -> Result<(), Failure> {
        // Asking for the topic first tells of a missing one at once.
        let client = self.producer.client();
        let poll = || self.producer.poll(POLL);
        let Some(count) = self.access.wait_for_topic(client, poll, &self.health, shutdown)? else {
            return Ok(());
        };
        // Asking again spares half a second: librdkafka tries to get its producer id with each answer, which fails while
        // its first connection is still being replaced, and otherwise waits for a timer.
        self.access.probe(client);
        let mut partitions = Partitions::new(self.rate, count);
        let result = self.send_all(&mut partitions, shutdown);
        self.partitions = Some(partitions);
        result?;
        self.wait_for_outcomes(shutdown)
    }

    fn send_all(&self, partitions: &mut Partitions, shutdown: &Shutdown) -> Result<(), Failure> {
        let mut schedule = Schedule::new(self.rate, Instant::now());
        let mut chores = Chores::new();
        let mut message = Message { stamp: Stamp::default(), keys: KeyWriter::new(self.run), value: Vec::new() };
        let mut full_queue_wait = FULL_QUEUE_WAIT;
        let mut num = 0;
        while !shutdown.is_requested() && (self.max_messages == 0 || num < self.max_messages) {
            let wait = schedule.wait(Instant::now);
            if wait > Duration::ZERO {
                self.serve(wait);
            } else {
                match self.send(num, partitions, &mut message) {
                    Sent::Accepted => {
                        self.producer.context().books().accept();
                        partitions.issued();
                        schedule.sent();
                        num += 1;
                        full_queue_wait = FULL_QUEUE_WAIT;
                        if chores.sent_since_poll < BETWEEN_POLLS {
                            chores.sent_since_poll += 1;
                            continue;
                        }
                        self.producer.poll(Duration::ZERO);
                    }
                    // Back-pressure: the message was not issued, and is tried again as it is.
                    Sent::QueueFull => {
                        self.producer.poll(full_queue_wait);
                        full_queue_wait = (full_queue_wait * 2).min(POLL);
                    }
                    // The topic has changed, or the client can't go on.
                    Sent::NotNow(error) => {
                        self.access.complain(error.rdkafka_error_code(), &error.to_string());
                        partitions.pass();
                        self.producer.poll(POLL * 5);
                        chores.metadata_at = None;
                    }
                }
            }
            chores.sent_since_poll = 0;
            self.do_chores(&mut chores, Some(partitions))?;
        }
        Ok(())
    }

    fn send(&self, num: u64, partitions: &Partitions, message: &mut Message) -> Sent {
        let (partition, pseq) = partitions.next();
        let (ts, timestamp) = message.stamp.now();
        encode(num, ts, &mut message.value);
        let mut record = BaseRecord::with_opaque_to(&self.topic, self.producer.context().micros())
            .partition(partition)
            .key(message.keys.write(pseq))
            .payload(message.value.as_slice())
            .timestamp(timestamp);
        record.headers = self.producer.context().traces.headers();
        match self.producer.send(record) {
            Ok(()) => Sent::Accepted,
            Err((KafkaError::MessageProduction(Code::QueueFull), _)) => Sent::QueueFull,
            Err((error, _)) => Sent::NotNow(error),
        }
    }

    /// Waits for the outcomes of a run that has sent its last message, unless somebody asks to stop.
    fn wait_for_outcomes(&self, shutdown: &Shutdown) -> Result<(), Failure> {
        let mut chores = Chores::new();
        while !shutdown.is_requested() && self.outstanding() > 0 {
            self.serve(POLL);
            self.do_chores(&mut chores, None)?;
        }
        Ok(())
    }

    fn outstanding(&self) -> u64 {
        self.producer.context().books().outstanding()
    }

    /// Lets librdkafka report for up to `wait`, or until everything has its outcome.
    ///
    /// The producer's own poll would spin through the last millisecond of each wait. Reports come soon after a message or
    /// late, so the pauses between looks grow.
    fn serve(&self, wait: Duration) {
        let end = Instant::now() + wait.min(POLL);
        let mut pause = FIRST_PAUSE;
        loop {
            // One event each: a line of the client's log is one, too.
            for _ in 0..EVENTS_AT_ONCE {
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

    /// What has to be done now and then, whatever the rate. Partitions are looked up for who sends to them.
    fn do_chores(&self, chores: &mut Chores, partitions: Option<&mut Partitions>) -> Result<(), Failure> {
        let now = Instant::now();
        if now.saturating_duration_since(chores.done_at) < CHORES_EVERY {
            return Ok(());
        }
        chores.done_at = now;
        let (acknowledged, outstanding) = {
            let mut books = self.producer.context().books();
            books.tick(now);
            if let Some(error) = books.take_write_error() {
                return Err(Failure::Journal(error));
            }
            (books.acknowledged(), books.outstanding())
        };
        let is_delivering = acknowledged > chores.acknowledged;
        if is_delivering {
            chores.acknowledged = acknowledged;
            self.producer.context().books().note_acknowledgement();
            self.access.worked();
        }
        if is_delivering || outstanding == 0 {
            chores.prompt_at = now;
        }
        // While messages wait, their outcomes tell; asking would hold up those that are due.
        self.access.look_after(self.producer.client(), outstanding > 0)?;
        self.health.tick();
        let waited = now.saturating_duration_since(chores.prompt_at);
        let is_late = waited > LATE_AFTER;
        let obstacle = self.access.obstacle();
        self.health.set_not_ready(obstacle.or(is_late.then_some("messages are not acknowledged")));
        // librdkafka keeps trying without a word where a broker accepts connections and answers nothing, or too few
        // replicas are in sync.
        if is_late && obstacle.is_none() && now.saturating_duration_since(chores.late_told_at) > LATE_AFTER {
            chores.late_told_at = now;
            let next_step = "look at the brokers: are they frozen, are enough replicas in sync?";
            warn!(outstanding, waited_s = waited.as_secs(), next_step, "messages are not acknowledged");
        }
        // Asking blocks; a broker that is away is asked by `look_after`, in its own time.
        let due = chores.metadata_at.is_none_or(|at| now.saturating_duration_since(at) >= METADATA_EVERY);
        if let Some(partitions) = partitions
            && (due && is_delivering || chores.metadata_at.is_none())
        {
            chores.metadata_at = Some(now);
            if let Some(count) = self.access.probe(self.producer.client()) {
                partitions.resize(count);
            }
        }
        Ok(())
    }

    /// Waits for every outcome under the deadline, and makes those known that did not come.
    fn finish(&self, shutdown: &Shutdown) {
        self.serve_until(Instant::now() + shutdown.time_left().saturating_sub(PURGE));
        let outstanding = self.outstanding();
        if outstanding > 0 {
            warn!(outstanding, "deadline passed, giving up what is not acknowledged");
            // Without waiting for librdkafka's threads, one of which may be asking for an address for long.
            self.producer.purge(PurgeConfig::default().queue().inflight().non_blocking());
            self.serve_until(Instant::now() + PURGE);
        }
    }

    fn serve_until(&self, deadline: Instant) {
        while self.outstanding() > 0 && Instant::now() < deadline {
            self.serve(FIRST_PAUSE * 16);
            self.producer.context().books().tick(Instant::now());
        }
    }
}

/// Buffers that every message is written into anew.
struct Message {
    stamp: Stamp,
    keys: KeyWriter,
    value: Vec<u8>,
}

struct Chores {
    done_at: Instant,
    acknowledged: u64,
    /// When an acknowledgement last came, or none was due.
    prompt_at: Instant,
    late_told_at: Instant,
    /// `None`: at once.
    metadata_at: Option<Instant>,
    sent_since_poll: u32,
}

impl Chores {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            done_at: now,
            acknowledged: 0,
            prompt_at: now,
            late_told_at: now,
            metadata_at: Some(now),
            sent_since_poll: 0,
        }
    }
}
