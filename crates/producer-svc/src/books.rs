//! The books of one run: how many messages were accepted, what became of them, and the lines that account for them.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use journal::{
    CLOSED_PARTITIONS_MAX, Delivered, DeliveredSummary, Detail, Entry, Intervals, Journal, LastOfPartition, Level,
    NotDelivered, Outcome, Range, RunClosed, SUMMARY_RANGES_MAX, Summary, SummaryBuilder, TopicFound,
};
use message::{KeyReader, Payload, RunId};
use rdkafka::Statistics;
use service::statistics::{brokers, is_connected};

use crate::metrics::{ProducerMetrics, Reason};
use crate::partitions::backlog::{Backlog, Late};

/// The delivery report of one message.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    pub(crate) partition: i32,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    /// Time since the message was handed to librdkafka.
    pub(crate) latency: Duration,
    /// Time since the message was due.
    pub(crate) latency_from_due: Duration,
    /// The offset of an acknowledged message, or why there is none.
    pub(crate) result: Result<i64, Undelivered>,
}

/// What became of a message without an acknowledgement.
#[derive(Debug)]
pub(crate) struct Undelivered {
    pub(crate) outcome: Outcome,
    pub(crate) reason: Reason,
    /// librdkafka's name of the error.
    pub(crate) error: String,
}

/// Undelivered messages with the same outcome, partition and error.
#[derive(Debug, Default)]
struct UndeliveredGroup {
    num: Intervals,
    pseq: Intervals,
}

/// The books of one run.
#[derive(Debug)]
pub(crate) struct Books {
    keys: KeyReader,
    journal: Arc<Journal>,
    metrics: ProducerMetrics,
    run: RunId,
    topic: String,
    accepted: u64,
    acknowledged: u64,
    rejected: u64,
    unknown: u64,
    pub(crate) backlog: Backlog,
    /// Acknowledged messages that no line accounts for yet.
    summary: SummaryBuilder,
    /// Undelivered messages that no line accounts for yet.
    undelivered: BTreeMap<(Outcome, i32, String), UndeliveredGroup>,
    /// The first error of writing a line.
    write_error: Option<io::Error>,
}

impl Books {
    /// `queue` is how many messages librdkafka's queue holds, `expected_per_sec` the rate at which messages are going to be sent.
    pub(crate) fn new(
        journal: Arc<Journal>,
        metrics: ProducerMetrics,
        run: RunId,
        topic: &str,
        detail: Detail,
        queue: u64,
        expected_per_sec: f64,
    ) -> Self {
        Self {
            keys: KeyReader::default(),
            journal,
            metrics,
            run,
            topic: topic.to_owned(),
            accepted: 0,
            acknowledged: 0,
            rejected: 0,
            unknown: 0,
            backlog: Backlog::new(queue, Instant::now()),
            summary: SummaryBuilder::new(detail, Some(expected_per_sec), Instant::now()),
            undelivered: BTreeMap::new(),
            write_error: None,
        }
    }

    /// Enters what the broker reports about the topic.
    pub(crate) fn enter_topic(&mut self, found: TopicFound) {
        self.resize(found.partitions);
        self.write(Level::Info, Entry::TopicFound(found));
    }

    /// The time of what is entered from now on.
    pub(crate) fn set_now(&mut self, now: Instant) {
        self.backlog.set_now(now);
    }

    /// The time that was set last.
    pub(crate) fn now(&self) -> Instant {
        self.backlog.now()
    }

    /// Enters messages that librdkafka accepted.
    pub(crate) fn enter_accepted(&mut self, partition: i32, count: u64) {
        self.accepted += count;
        self.backlog.enter_accepted(partition, count);
    }

    /// Sets how many partitions the topic has.
    pub(crate) fn resize(&mut self, partitions: usize) {
        self.backlog.resize(partitions);
        self.metrics.update_partitions(self.backlog.partitions());
    }

    /// Takes over librdkafka's statistics.
    pub(crate) fn enter_statistics(&mut self, statistics: &Statistics) {
        let now = Instant::now();
        self.metrics.cluster.update(statistics, now);
        let connected: BTreeSet<i32> =
            brokers(statistics).filter(|broker| is_connected(broker)).map(|broker| broker.nodeid).collect();
        let partitions = statistics.topics.get(&self.topic).into_iter().flat_map(|topic| topic.partitions.values());
        let led: Vec<(i32, i32)> = partitions
            .filter(|partition| connected.contains(&partition.leader))
            .map(|partition| (partition.partition, partition.leader))
            .collect();
        self.backlog.set_connected(led.iter().map(|(partition, _)| *partition));
        let throttled = led
            .iter()
            .filter_map(|(partition, leader)| Some((*partition, self.metrics.cluster.throttled_until(*leader)?)));
        self.backlog.set_throttled(throttled);
    }

    /// The partitions among the first `count` that are late, and a text that names them with their leaders.
    pub(crate) fn late(&self, count: usize) -> Option<(Late, String)> {
        let late = self.backlog.late(count);
        self.metrics.late_partitions.set(i64::try_from(late.partitions.len()).unwrap_or(i64::MAX));
        (!late.partitions.is_empty()).then(|| {
            let named = self.metrics.cluster.describe(&late.partitions);
            (late, named)
        })
    }

    pub(crate) fn accepted(&self) -> u64 {
        self.accepted
    }

    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// Messages without an acknowledgement.
    pub(crate) fn not_delivered(&self) -> u64 {
        self.accepted - self.acknowledged
    }

    /// Records in the metrics that an acknowledgement arrived.
    pub(crate) fn note_acknowledgement(&self) {
        self.metrics.last_acknowledgement.set_to_now();
    }

    /// Accepted messages that still have no outcome.
    pub(crate) fn outstanding(&self) -> u64 {
        self.accepted - self.acknowledged - self.rejected - self.unknown
    }

    /// The first error of writing a line. Returned once.
    pub(crate) fn take_write_error(&mut self) -> Option<io::Error> {
        self.write_error.take()
    }

    /// Enters the outcome of a message.
    pub(crate) fn enter_outcome(&mut self, report: Report<'_>) {
        let Report { partition, key, value, latency, latency_from_due, result } = report;
        self.backlog.enter_outcome(partition, result.is_ok());
        // librdkafka returns the key that we gave it, so it can always be read.
        let pseq = key.and_then(|key| self.keys.read(key)).map_or(0, |key| key.pseq);
        match result {
            Ok(offset) => {
                self.metrics.latency_from_due.observe(latency_from_due.as_secs_f64());
                self.enter_acknowledged(partition, offset, pseq, value, latency);
            }
            Err(undelivered) => self.enter_undelivered(partition, pseq, value, undelivered),
        }
    }

    fn enter_acknowledged(&mut self, partition: i32, offset: i64, pseq: u64, value: Option<&[u8]>, latency: Duration) {
        self.acknowledged += 1;
        self.metrics.latency.observe(latency.as_secs_f64());
        let payload = if self.summary.wants_line() { Payload::decode(value).ok() } else { None };
        match payload {
            Some(Payload { num, ts }) => self.write(
                Level::Info,
                Entry::Delivered(Delivered {
                    num,
                    ts: ts.into_owned(),
                    topic: self.topic.clone(),
                    partition,
                    offset,
                    latency_ms: latency.as_micros() as f64 / 1000.0,
                    run: self.run,
                    pseq,
                }),
            ),
            None => {
                self.summary.push(Range::one(partition, offset, Some((self.run, pseq))), Some(latency));
                if self.summary.is_full() {
                    self.write_summary(self.summary.elapsed(Instant::now()));
                }
            }
        }
    }

    fn enter_undelivered(&mut self, partition: i32, pseq: u64, value: Option<&[u8]>, undelivered: Undelivered) {
        let Undelivered { outcome, reason, error } = undelivered;
        self.metrics.count_failure(outcome, reason);
        match outcome {
            Outcome::Rejected => self.rejected += 1,
            Outcome::Unknown => self.unknown += 1,
        }
        let group = self.undelivered.entry((outcome, partition, error)).or_default();
        group.pseq.push(pseq);
        if let Ok(Payload { num, .. }) = Payload::decode(value) {
            group.num.push(num);
        }
        if group.num.len().max(group.pseq.len()) >= SUMMARY_RANGES_MAX {
            self.write_undelivered();
        }
    }

    /// The regular duties: brings metrics up to date, and writes the lines that are due once a second.
    pub(crate) fn tick(&mut self, now: Instant) {
        self.set_now(now);
        self.update_metrics();
        if let Some(window) = self.summary.end_window(now) {
            self.write_summary(window);
            self.write_undelivered();
        }
    }

    fn update_metrics(&mut self) {
        self.metrics.update(self.accepted, self.acknowledged, self.outstanding());
        self.metrics.update_partitions(self.backlog.partitions());
    }

    /// Writes everything that is left, and then `run closed`, in as many lines as the partitions need. `last_pseqs` are the last pseq of each
    /// partition.
    pub(crate) fn close(&mut self, last_pseqs: impl Iterator<Item = (i32, u64)>) {
        self.update_metrics();
        self.write_summary(self.summary.elapsed(Instant::now()));
        self.write_undelivered();
        let partitions: Vec<_> =
            last_pseqs.map(|(partition, last_pseq)| LastOfPartition { partition, last_pseq }).collect();
        let closed = RunClosed {
            run: self.run,
            topic: self.topic.clone(),
            accepted: self.accepted,
            acknowledged: self.acknowledged,
            rejected: self.rejected,
            unknown: self.unknown + self.outstanding(),
            partition_count: None,
            partitions: Vec::new(),
        };
        if partitions.len() <= CLOSED_PARTITIONS_MAX {
            self.write(Level::Info, Entry::RunClosed(RunClosed { partitions, ..closed }));
            return;
        }
        let partition_count = Some(partitions.len());
        for part in partitions.chunks(CLOSED_PARTITIONS_MAX) {
            let closed = RunClosed { partition_count, partitions: part.to_vec(), ..closed.clone() };
            self.write(Level::Info, Entry::RunClosed(closed));
        }
    }

    fn write_summary(&mut self, window: Duration) {
        for Summary { count, rate_per_sec, latency_ms, ranges } in self.summary.take(window) {
            let summary = DeliveredSummary {
                count,
                rate_per_sec,
                latency_ms,
                outstanding: self.outstanding(),
                topic: self.topic.clone(),
                run: self.run,
                ranges,
            };
            self.write(Level::Info, Entry::DeliveredSummary(summary));
        }
    }

    fn write_undelivered(&mut self) {
        for ((outcome, partition, error), group) in std::mem::take(&mut self.undelivered) {
            let entry = Entry::NotDelivered(NotDelivered {
                outcome,
                count: group.pseq.count(),
                num: group.num.into_inner(),
                topic: self.topic.clone(),
                partition,
                pseq: group.pseq.into_inner(),
                run: self.run,
                error,
            });
            self.write(Level::Error, entry);
        }
    }

    fn write(&mut self, level: Level, entry: Entry) {
        if let Err(error) = self.journal.record(level, &entry) {
            self.write_error.get_or_insert(error);
        }
    }
}
