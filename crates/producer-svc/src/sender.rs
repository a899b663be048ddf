//! The loop: hands each message to librdkafka when it is due, serves delivery reports, and finally waits for the outstanding ones.
//!
//! The end of a run, in order: no further message is issued. librdkafka delivers what it has accepted, either until the deadline of a
//! requested shutdown, or, after the last message, until each has its outcome. Messages that are left are purged, which reports each of
//! them once more. Only then is the producer dropped, because dropping it earlier would purge without reports.

mod turn;
mod upkeep;

use std::mem::ManuallyDrop;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kafka_config::{ProducerSettings, Rate};
use message::RunId;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, Producer as _, PurgeConfig};
use service::{Access, Ending, Failure, Handles, Health, Right, Shutdown, drop_in_background};
use tracing::warn;

use self::turn::SendResult;
use self::upkeep::Upkeep;
use crate::books::Books;
use crate::client::batch::Batch;
use crate::client::delivery::Delivery;
use crate::client::reports::Reports;
use crate::client::topic::Topic;
use crate::control::{Control, Controlled};
use crate::metrics::ProducerMetrics;
use crate::partitions::Partitions;
use crate::partitions::stalled::Stalled;
use crate::schedule::Schedule;

/// How long the loop may block at once. Reports, a request to stop and another rate wake it earlier.
const IDLE: Duration = Duration::from_secs(1);
/// Pause after librdkafka has refused a message for another reason than a full queue, and between two looks for the topic.
const PAUSE: Duration = Duration::from_millis(100);
/// Events served at once, so that the loop gets to its other duties however many there are.
const EVENTS_AT_ONCE: usize = 1024;
/// While the loop waits for the last outcomes, how long it waits at once.
const LAST_WAIT: Duration = Duration::from_millis(2);
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
    let ProducerSettings {
        connection,
        rate,
        linger,
        pace,
        max_messages,
        queue_messages,
        batch_messages,
        properties,
        ..
    } = settings;
    let Handles { journal, health, traces, detail } = handles;
    let expected_per_sec = match rate {
        Rate::PerSec(rate) => rate,
        Rate::Max => f64::INFINITY,
    };
    let books = Books::new(journal, metrics, run, &connection.topic, detail, queue_messages, expected_per_sec);
    let access = Arc::new(Access::new(&connection, properties));
    let config = access.properties().client_config();
    // A panic of the loop must end the service at once, and dropping a client waits for the broker.
    let producer = match config.create_with_context(Delivery::new(Arc::clone(&access), books, traces, rate)) {
        Ok(producer) => ManuallyDrop::new(producer),
        Err(error) => return Failure::Settings(access.properties().refused(&error)).into(),
    };
    let name = connection.topic;
    let topic = match Topic::new(&producer, &name) {
        Ok(topic) => topic,
        Err(code) => {
            let error = KafkaError::ClientCreation(code.to_string());
            return Failure::Settings(access.properties().refused(&error)).into();
        }
    };
    let reports = match Reports::new(&producer) {
        Ok(reports) => reports,
        Err(source) => return Failure::Client { step: "create the queue of reports", source }.into(),
    };
    let stalled = Stalled::new(Instant::now());
    let batch = Batch::new(run);
    let mut sender = Sender {
        producer: &producer,
        reports,
        topic,
        access,
        health,
        name,
        rate,
        linger,
        pace,
        max_messages: max_messages.map(NonZeroU64::get),
        batch_messages,
        batch,
        stalled,
        control,
        shutdown,
    };
    let mut partitions = None;
    let mut failure = sender.send_until_stopped(&mut partitions).err();
    shutdown.request();
    sender.finish();

    let mut books = producer.context().books();
    books.close(partitions.iter().flat_map(Partitions::last_pseqs));
    if let Some(error) = books.take_write_error() {
        failure.get_or_insert(Failure::Journal(error));
    }
    let (count, not_delivered) = (books.accepted(), books.not_delivered());
    drop(books);
    producer.context().traces.finish(shutdown);
    // On this thread: it is this thread that the reports wake.
    drop(sender);
    drop_in_background(ManuallyDrop::into_inner(producer));
    Ending { failure, count, not_delivered, not_committed: Vec::new() }
}

struct Sender<'p> {
    producer: &'p BaseProducer<Delivery>,
    reports: Reports<'p>,
    topic: Topic<'p>,
    access: Arc<Access>,
    health: Arc<Health>,
    /// The name of the topic.
    name: String,
    rate: Rate,
    linger: Duration,
    pace: Duration,
    /// How many messages are sent, if there is a limit.
    max_messages: Option<u64>,
    batch_messages: u64,
    /// The messages of one call, in buffers that are used again.
    batch: Batch,
    stalled: Stalled,
    control: &'p Control,
    shutdown: &'p Shutdown,
}

impl Sender<'_> {
    /// Sets `partitions` once the broker has returned the metadata of the topic.
    fn send_until_stopped(&mut self, partitions: &mut Option<Partitions>) -> Result<(), Failure> {
        // Requesting the topic before the first message reports a missing topic at once.
        let client = self.producer.client();
        let poll = || self.serve_next_reports(PAUSE);
        let Some(found) = self.access.wait_for_topic(client, poll, &self.health, self.shutdown)? else {
            return Ok(());
        };
        let partitions =
            partitions.insert(Partitions::new(self.rate, self.linger, self.batch_messages, found.partitions));
        self.producer.context().books().enter_topic(found);
        // A second request saves half a second. librdkafka tries to acquire its producer id on each metadata answer. That fails while
        // its first connection is being replaced, and librdkafka would otherwise retry only after a timer.
        self.access.probe(client);
        let mut upkeep = Upkeep::new();
        self.send_all(partitions, &mut upkeep)?;
        self.wait_for_outcomes(&mut upkeep)
    }

    fn send_all(&mut self, partitions: &mut Partitions, upkeep: &mut Upkeep) -> Result<(), Failure> {
        let mut controlled = Controlled::new(self.control, self.rate);
        let mut schedule = Schedule::new(self.rate, self.pace, Instant::now());
        let mut num = 0;
        while !self.shutdown.is_requested() && self.max_messages.is_none_or(|max| num < max) {
            let now = Instant::now();
            if let Some(rate) = controlled.new_rate() {
                schedule = Schedule::new(rate, self.pace, now);
                partitions.set_rate(rate);
                self.producer.context().set_rate(rate);
            }
            if controlled.is_paused() {
                self.rest(IDLE, now);
                self.do_upkeep(upkeep, Some(partitions), now)?;
                continue;
            }
            let left = self.max_messages.map_or(u64::MAX, |max| max - num);
            match schedule.due(now).min(left) {
                0 => self.rest(schedule.wait(now), now),
                due => match self.send(num, due, &schedule, partitions, now) {
                    SendResult::Accepted(count) => {
                        schedule.sent(count);
                        num += count;
                        self.serve_waiting_reports();
                    }
                    // Back-pressure, until a message has its outcome. The messages were not issued, so the next attempt uses the same
                    // numbers.
                    SendResult::NoRoom => self.wait_for_report(IDLE, now),
                    // Either the topic has changed, or the client has a fatal error, which the upkeep detects.
                    SendResult::Refused(code) => {
                        let reason = KafkaError::MessageProduction(code).to_string();
                        self.access.handle_error(Some(code), &reason, Right::Use);
                        partitions.skip();
                        self.rest(PAUSE, now);
                        upkeep.request_metadata();
                    }
                },
            }
            self.do_upkeep(upkeep, Some(partitions), now)?;
        }
        Ok(())
    }

    /// After the last message, waits until every message has its outcome or the shutdown is requested.
    fn wait_for_outcomes(&mut self, upkeep: &mut Upkeep) -> Result<(), Failure> {
        while !self.shutdown.is_requested() && self.outstanding() > 0 {
            let now = Instant::now();
            // The report that this returns after may be the last one.
            self.wait_for_report(IDLE, now);
            self.do_upkeep(upkeep, None, now)?;
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
            // An event can bring the reports of many messages. They arrived together.
            self.producer.context().books().set_now(Instant::now());
            self.producer.poll(Duration::ZERO);
        }
    }

    /// Serves the reports that are there after a wait for the next one, of `wait` at most. Returns at once if the thread is woken.
    fn serve_next_reports(&self, wait: Duration) {
        self.reports.wait(wait);
        self.serve_waiting_reports();
    }

    /// Serves each report as it arrives, for the duration `wait`, but for at most [`IDLE`], and until another rate or the stop is requested.
    ///
    /// Returns earlier while partitions are stalled: an outcome may have ended that, or the next attempt may be due.
    fn rest(&self, wait: Duration, now: Instant) {
        if self.stalled.is_any() {
            return self.wait_for_report(wait, now);
        }
        let end = Instant::now() + wait.min(IDLE);
        self.serve_waiting_reports();
        while !self.control.is_changed() && !self.shutdown.is_requested() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            self.serve_next_reports(left);
        }
    }

    /// Waits for the next report, but for at most `wait` and [`IDLE`].
    fn wait_for_report(&self, wait: Duration, now: Instant) {
        self.serve_next_reports(self.stalled.time_left(now).min(wait).min(IDLE));
    }

    /// Waits for the outstanding outcomes under the deadline, then purges the messages that are left, so that each is reported.
    fn finish(&mut self) {
        self.topic.resume(&self.stalled.take(Instant::now()));
        self.serve_reports_until(Instant::now() + self.shutdown.time_left().saturating_sub(PURGE));
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
            self.serve_next_reports(LAST_WAIT);
            // With a long deadline, a token can expire before the last outcome is here.
            self.access.renew_login(self.producer.client());
            self.producer.context().books().tick(Instant::now());
        }
    }
}
