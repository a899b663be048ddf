//! The account of delivery: what was accepted, what became of it, and the lines that say so.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use journal::{
    Delivered, DeliveredSummary, Entry, Journal, LastOfPartition, Level, NotDelivered, Outcome, Range, Ranges,
    RunClosed,
};
use kafka_config::LogMessages;
use message::{KeyReader, Payload, RunId};
use service::{Detail, Latencies, SUMMARY_RANGES_MAX};

use crate::intervals::Intervals;
use crate::metrics::{ProducerMetrics, Reason};

/// One message with an outcome, as the delivery report shows it.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    pub(crate) partition: i32,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) latency: Duration,
    /// Offset, or why there is none.
    pub(crate) result: Result<i64, Undelivered>,
}

/// What became of a message without acknowledgement.
#[derive(Debug)]
pub(crate) struct Undelivered {
    pub(crate) outcome: Outcome,
    pub(crate) reason: Reason,
    /// librdkafka's name of the error.
    pub(crate) error: String,
}

#[derive(Debug, Default)]
struct Failed {
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
    detail: Detail,
    /// Acknowledged and not yet in a line.
    ranges: Ranges,
    in_summary: u64,
    latencies: Latencies,
    /// Not delivered and not yet in a line.
    failed: BTreeMap<(Outcome, i32, String), Failed>,
    /// The first line that could not be written.
    write_error: Option<io::Error>,
}

impl Books {
    pub(crate) fn new(
        journal: Arc<Journal>,
        metrics: ProducerMetrics,
        run: RunId,
        topic: &str,
        mode: LogMessages,
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
            detail: Detail::new(mode, Instant::now()),
            ranges: Ranges::default(),
            in_summary: 0,
            latencies: Latencies::default(),
            failed: BTreeMap::new(),
            write_error: None,
        }
    }

    /// librdkafka accepted a message.
    pub(crate) fn accept(&mut self) {
        self.accepted += 1;
        self.metrics.accepted.inc();
    }

    pub(crate) fn accepted(&self) -> u64 {
        self.accepted
    }

    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    pub(crate) fn not_delivered(&self) -> u64 {
        self.accepted - self.acknowledged
    }

    /// An acknowledgement has come since this was last said.
    pub(crate) fn note_acknowledgement(&self) {
        self.metrics.last_acknowledgement.is_now();
    }

    /// Accepted and still without an outcome.
    pub(crate) fn outstanding(&self) -> u64 {
        self.accepted - self.acknowledged - self.rejected - self.unknown
    }

    /// The first line that could not be written, once.
    pub(crate) fn take_write_error(&mut self) -> Option<io::Error> {
        self.write_error.take()
    }

    /// Enters an outcome.
    pub(crate) fn enter(&mut self, report: Report<'_>) {
        let Report { partition, key, value, latency, result } = report;
        // Every message of ours has a key of ours, and librdkafka hands it back as it is.
        let pseq = key.and_then(|key| self.keys.read(key)).map_or(0, |key| key.pseq);
        match result {
            Ok(offset) => {
                self.acknowledged += 1;
                self.metrics.acknowledged.inc();
                self.metrics.latency.observe(latency.as_secs_f64());
                let payload = if self.detail.wants_line() { Payload::decode(value).ok() } else { None };
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
                        self.in_summary += 1;
                        self.latencies.push(latency);
                        self.ranges.push(Range::one(partition, offset, Some((self.run, pseq))));
                        if self.ranges.len() >= SUMMARY_RANGES_MAX {
                            self.write_summary(self.detail.elapsed(Instant::now()));
                        }
                    }
                }
            }
            Err(Undelivered { outcome, reason, error }) => {
                self.metrics.fail(outcome, reason);
                match outcome {
                    Outcome::Rejected => self.rejected += 1,
                    Outcome::Unknown => self.unknown += 1,
                }
                let failed = self.failed.entry((outcome, partition, error)).or_default();
                failed.pseq.push(pseq);
                if let Ok(Payload { num, .. }) = Payload::decode(value) {
                    failed.num.push(num);
                }
                if failed.num.0.len().max(failed.pseq.0.len()) >= SUMMARY_RANGES_MAX {
                    self.write_failed();
                }
            }
        }
    }

    /// Writes what is due: once a second.
    pub(crate) fn tick(&mut self, now: Instant) {
        self.metrics.queue.set(i64::try_from(self.outstanding()).unwrap_or(i64::MAX));
        if let Some(length) = self.detail.end_window(now) {
            self.write_summary(length);
            self.write_failed();
        }
    }

    /// Writes all that is left, and that nothing comes any more.
    pub(crate) fn close(&mut self, partitions: impl Iterator<Item = (i32, u64)>) {
        self.write_summary(self.detail.elapsed(Instant::now()));
        self.write_failed();
        let partitions = partitions.map(|(partition, last_pseq)| LastOfPartition { partition, last_pseq }).collect();
        self.write(
            Level::Info,
            Entry::RunClosed(RunClosed {
                run: self.run,
                topic: self.topic.clone(),
                accepted: self.accepted,
                acknowledged: self.acknowledged,
                rejected: self.rejected,
                unknown: self.unknown + self.outstanding(),
                partitions,
            }),
        );
    }

    fn write_summary(&mut self, length: Duration) {
        if self.ranges.is_empty() {
            return;
        }
        let count = std::mem::take(&mut self.in_summary);
        let summary = DeliveredSummary {
            count,
            rate_per_sec: (count as f64 / length.as_secs_f64().max(0.001)).round(),
            latency_ms: self.latencies.take(),
            outstanding: self.outstanding(),
            topic: self.topic.clone(),
            run: self.run,
            ranges: self.ranges.take(),
        };
        self.write(Level::Info, Entry::DeliveredSummary(summary));
    }

    fn write_failed(&mut self) {
        for ((outcome, partition, error), Failed { num, pseq }) in std::mem::take(&mut self.failed) {
            let entry = Entry::NotDelivered(NotDelivered {
                outcome,
                count: pseq.count(),
                num: num.0,
                topic: self.topic.clone(),
                partition,
                pseq: pseq.0,
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
