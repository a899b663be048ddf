//! The loop: hands over what is due, lets librdkafka report, and at the end waits for what is still under way.
//!
//! Sequence at the end: no further message is issued; librdkafka delivers what it has, up to the deadline; what is left
//! is purged, which reports each message once more, as rejected where it never left the queue and as unknown where it
//! may have. Only then is the producer dropped: dropping it earlier would purge without a word.

use std::sync::Arc;
use std::time::{Duration, Instant};

use journal::Journal;
use kafka_config::{ProducerSettings, Rate};
use message::{KeyWriter, RunId, Stamp, encode};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, PurgeConfig};
use service::{Access, Ending, Failure};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::books::Books;
use crate::delivery::Delivery;
use crate::partitions::Partitions;
use crate::schedule::Schedule;

/// How long one poll may block: how late a stop is noticed.
const POLL: Duration = Duration::from_millis(100);
/// So many messages are handed over between two polls.
const BETWEEN_POLLS: u32 = 1024;
const HOUSEKEEPING_EVERY: Duration = Duration::from_millis(200);
const METADATA_EVERY: Duration = Duration::from_secs(30);
/// A full queue is tried again after this, then after twice as long, up to [`POLL`].
const FULL_QUEUE_WAIT: Duration = Duration::from_millis(1);
/// Purging is local; so much is enough to hear of everything that was purged.
const PURGE: Duration = Duration::from_millis(500);

pub(crate) fn run(
    settings: ProducerSettings,
    run: RunId,
    journal: &Arc<Journal>,
    shutdown: &CancellationToken,
) -> Ending {
    let ProducerSettings { connection, rate, max_messages, runtime, properties } = settings;
    let books = Books::new(Arc::clone(journal), run, &connection.topic, runtime.log_messages);
    let access = Arc::new(Access::new(&connection, properties));
    let config = access.properties().client_config();
    let producer = match config.create_with_context(Delivery::new(Arc::clone(&access), books)) {
        Ok(producer) => producer,
        Err(error) => {
            let failure = Failure::Settings(access.properties().refused(&error));
            return Ending { failure: Some(failure), ..Ending::default() };
        }
    };
    let mut sender = Sender { producer, access, topic: connection.topic, run, rate, max_messages, partitions: None };
    let mut failure = sender.until_stopped(shutdown).err();
    sender.finish(runtime.shutdown_timeout);

    let mut books = sender.producer.context().books();
    books.close(sender.partitions.iter().flat_map(Partitions::last));
    if let Some(error) = books.take_write_error() {
        failure.get_or_insert(Failure::Journal(error));
    }
    let (count, not_delivered) = (books.accepted(), books.not_delivered());
    drop(books);
    if not_delivered > 0 {
        // Dropping it would wait for threads that wait for the broker. Everything it had was purged and told.
        std::mem::forget(sender);
    }
    Ending { failure, count, not_delivered, not_committed: Vec::new() }
}

struct Sender {
    producer: BaseProducer<Delivery>,
    access: Arc<Access>,
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
    fn until_stopped(&mut self, shutdown: &CancellationToken) -> Result<(), Failure> {
        // Asking for the topic first tells of a missing one at once.
        let client = self.producer.client();
        let Some(count) = self.access.wait_for_topic(client, || self.producer.poll(POLL), shutdown)? else {
            return Ok(());
        };
        // Asking again spares half a second: librdkafka tries to get its producer id with each answer, which fails while
        // its first connection is still being replaced, and otherwise waits for a timer.
        self.access.probe(client);
        let mut partitions = Partitions::new(self.rate, count);
        let result = self.send_all(&mut partitions, shutdown);
        self.partitions = Some(partitions);
        result
    }

    fn send_all(&self, partitions: &mut Partitions, shutdown: &CancellationToken) -> Result<(), Failure> {
        let mut schedule = Schedule::new(self.rate, Instant::now());
        let mut chores = Chores::new();
        let mut message = Message { stamp: Stamp::default(), keys: KeyWriter::new(self.run), value: Vec::new() };
        let mut full_queue_wait = FULL_QUEUE_WAIT;
        let mut num = 0;
        while !shutdown.is_cancelled() && (self.max_messages == 0 || num < self.max_messages) {
            let wait = schedule.wait(Instant::now);
            if wait > Duration::ZERO {
                self.producer.poll(wait.min(POLL));
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
                    Sent::NotNow(error) => {
                        warn!(partition = partitions.next().0, %error, "partition takes no message");
                        partitions.pass();
                        self.producer.poll(POLL);
                        chores.metadata_at = None;
                    }
                }
            }
            chores.sent_since_poll = 0;
            self.do_chores(&mut chores, partitions)?;
        }
        Ok(())
    }

    fn send(&self, num: u64, partitions: &Partitions, message: &mut Message) -> Sent {
        let (partition, pseq) = partitions.next();
        let (ts, timestamp) = message.stamp.now();
        encode(num, ts, &mut message.value);
        let record = BaseRecord::with_opaque_to(&self.topic, self.producer.context().micros())
            .partition(partition)
            .key(message.keys.write(pseq))
            .payload(message.value.as_slice())
            .timestamp(timestamp);
        match self.producer.send(record) {
            Ok(()) => Sent::Accepted,
            Err((KafkaError::MessageProduction(Code::QueueFull), _)) => Sent::QueueFull,
            Err((error, _)) => Sent::NotNow(error),
        }
    }

    /// What has to be done now and then, whatever the rate.
    fn do_chores(&self, chores: &mut Chores, partitions: &mut Partitions) -> Result<(), Failure> {
        let now = Instant::now();
        if now.saturating_duration_since(chores.done_at) < HOUSEKEEPING_EVERY {
            return Ok(());
        }
        chores.done_at = now;
        let acknowledged = {
            let mut books = self.producer.context().books();
            books.tick(now);
            if let Some(error) = books.take_write_error() {
                return Err(Failure::Journal(error));
            }
            books.acknowledged()
        };
        let is_delivering = acknowledged > chores.acknowledged;
        if is_delivering {
            chores.acknowledged = acknowledged;
            self.access.worked();
        }
        self.access.look_after(self.producer.client())?;
        // Asking blocks; a broker that is away is asked by `look_after`, in its own time.
        let due = chores.metadata_at.is_none_or(|at| now.saturating_duration_since(at) >= METADATA_EVERY);
        if due && is_delivering || chores.metadata_at.is_none() {
            chores.metadata_at = Some(now);
            if let Some(count) = self.access.probe(self.producer.client()) {
                partitions.resize(count);
            }
        }
        Ok(())
    }

    /// Waits for every outcome under the deadline, and makes those known that did not come.
    fn finish(&self, deadline: Duration) {
        let outstanding = || self.producer.context().books().outstanding();
        self.poll_while(deadline.saturating_sub(PURGE), || outstanding() > 0);
        let left = outstanding();
        if left > 0 {
            warn!(outstanding = left, "deadline passed, giving up what is not acknowledged");
            self.producer.purge(PurgeConfig::default().queue().inflight());
            self.poll_while(PURGE, || outstanding() > 0);
        }
    }

    fn poll_while(&self, deadline: Duration, goes_on: impl Fn() -> bool) {
        let start = Instant::now();
        while goes_on() && start.elapsed() < deadline {
            self.producer.poll(Duration::from_millis(10));
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
    /// `None`: at once.
    metadata_at: Option<Instant>,
    sent_since_poll: u32,
}

impl Chores {
    fn new() -> Self {
        let now = Instant::now();
        Self { done_at: now, acknowledged: 0, metadata_at: Some(now), sent_since_poll: 0 }
    }
}
