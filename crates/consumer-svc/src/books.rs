//! What was received, and the lines that account for it.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use journal::{BadMessage, Entry, Journal, Level, Range, Ranges, Received, ReceivedSummary};
use kafka_config::LogMessages;
use message::{Bad, Key, KeyReader, Payload, excerpt};
use rdkafka::Timestamp;
use rdkafka::message::Message;
use service::{Detail, Latencies, SUMMARY_RANGES_MAX};

use crate::metrics::ConsumerMetrics;

/// So many bad messages of a window are shown when a summary counts them.
const BAD_SAMPLES: u64 = 10;

/// Where a partition goes on: what was just accounted for ends below.
pub(crate) type Next = (i32, i64);

/// The books of one replica.
#[derive(Debug)]
pub(crate) struct Books {
    keys: KeyReader,
    journal: Arc<Journal>,
    metrics: Arc<ConsumerMetrics>,
    topic: String,
    group_id: String,
    count: u64,
    detail: Detail,
    /// Received and not yet in a line.
    ranges: Ranges,
    in_summary: u64,
    bad: BTreeMap<String, u64>,
    latencies: Latencies,
}

impl Books {
    pub(crate) fn new(
        journal: Arc<Journal>,
        metrics: Arc<ConsumerMetrics>,
        topic: &str,
        group_id: &str,
        mode: LogMessages,
    ) -> Self {
        Self {
            keys: KeyReader::default(),
            journal,
            metrics,
            topic: topic.to_owned(),
            group_id: group_id.to_owned(),
            count: 0,
            detail: Detail::new(mode, Instant::now()),
            ranges: Ranges::default(),
            in_summary: 0,
            bad: BTreeMap::new(),
            latencies: Latencies::default(),
        }
    }

    /// Messages processed so far: those that a written line accounts for.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Enters a message; gives what is accounted for now, which is nothing while a summary is still to be written.
    ///
    /// # Errors
    /// The line could not be written: nothing is accounted for.
    pub(crate) fn enter(&mut self, message: &impl Message) -> io::Result<Vec<Next>> {
        let key = message.key().and_then(|key| self.keys.read(key));
        let payload = Payload::decode(message.payload());
        let latency = latency(message.timestamp());
        self.metrics.received.inc();
        if let Some(latency) = latency {
            self.metrics.latency.observe(latency.as_secs_f64());
        }
        if let Err(kind) = payload {
            self.metrics.bad(kind);
        }
        if self.detail.wants_line() {
            // Lines before this one must account for everything before this message.
            let mut next = self.close_summary()?;
            let (level, entry) = match payload {
                Ok(payload) => (Level::Info, self.received(message, key, &payload, latency)),
                Err(kind) => (Level::Warn, self.bad_message(message, key, kind, false)),
            };
            self.journal.record(level, &entry)?;
            self.count += 1;
            self.metrics.processed.inc();
            next.retain(|(partition, _)| *partition != message.partition());
            next.push((message.partition(), message.offset() + 1));
            return Ok(next);
        }
        if let Err(kind) = payload {
            let bad = self.bad.values().sum::<u64>();
            *self.bad.entry(kind.name().to_owned()).or_default() += 1;
            if bad < BAD_SAMPLES {
                self.journal.record(Level::Warn, &self.bad_message(message, key, kind, true))?;
            }
        }
        if let Some(latency) = latency {
            self.latencies.push(latency);
        }
        self.in_summary += 1;
        self.ranges.push(Range::one(message.partition(), message.offset(), key.map(|key| (key.run, key.pseq))));
        if self.ranges.len() >= SUMMARY_RANGES_MAX { self.close_summary() } else { Ok(Vec::new()) }
    }

    /// Writes the summary if its second is over.
    pub(crate) fn tick(&mut self, now: Instant) -> io::Result<Vec<Next>> {
        match self.detail.end_window(now) {
            Some(length) => self.write_summary(length),
            None => Ok(Vec::new()),
        }
    }

    /// Writes the summary now, if there is anything in it.
    pub(crate) fn close_summary(&mut self) -> io::Result<Vec<Next>> {
        self.write_summary(self.detail.elapsed(Instant::now()))
    }

    fn write_summary(&mut self, length: Duration) -> io::Result<Vec<Next>> {
        if self.ranges.is_empty() {
            return Ok(Vec::new());
        }
        let next = self.ranges.next_offsets().collect();
        let count = std::mem::take(&mut self.in_summary);
        let summary = ReceivedSummary {
            count,
            rate_per_sec: (count as f64 / length.as_secs_f64().max(0.001)).round(),
            latency_ms: self.latencies.take(),
            bad: std::mem::take(&mut self.bad),
            topic: self.topic.clone(),
            group_id: self.group_id.clone(),
            ranges: self.ranges.take(),
        };
        self.journal.record(Level::Info, &Entry::ReceivedSummary(summary))?;
        self.count += count;
        self.metrics.processed.inc_by(count);
        Ok(next)
    }

    fn received(
        &self,
        message: &impl Message,
        key: Option<Key>,
        payload: &Payload<'_>,
        latency: Option<Duration>,
    ) -> Entry {
        Entry::Received(Received {
            num: payload.num,
            ts: excerpt(payload.ts.as_bytes()),
            topic: self.topic.clone(),
            partition: message.partition(),
            offset: message.offset(),
            // The record's time has whole milliseconds.
            latency_ms: latency.map(|latency| latency.as_millis() as f64),
            group_id: self.group_id.clone(),
            run: key.map(|key| key.run),
            pseq: key.map(|key| key.pseq),
        })
    }

    fn bad_message(&self, message: &impl Message, key: Option<Key>, kind: Bad, sample: bool) -> Entry {
        Entry::BadMessage(BadMessage {
            kind: kind.name().to_owned(),
            payload: message.payload().map(excerpt),
            payload_bytes: message.payload().map_or(0, <[u8]>::len),
            topic: self.topic.clone(),
            partition: message.partition(),
            offset: message.offset(),
            group_id: self.group_id.clone(),
            run: key.map(|key| key.run),
            pseq: key.map(|key| key.pseq),
            sample,
        })
    }
}

/// Since the record was created; zero when the producer's clock is ahead of ours. The broker's own time stamp says
/// nothing about that.
fn latency(created: Timestamp) -> Option<Duration> {
    match created {
        Timestamp::CreateTime(millis) => {
            let created = Duration::from_millis(u64::try_from(millis).ok()?);
            let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
            Some(now.saturating_sub(created))
        }
        Timestamp::NotAvailable | Timestamp::LogAppendTime(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::message::OwnedMessage;

    use super::*;

    fn message(partition: i32, offset: i64, value: &str) -> OwnedMessage {
        let value = Some(value.as_bytes().to_vec());
        OwnedMessage::new(value, None, "t".to_owned(), Timestamp::CreateTime(0), partition, offset, None)
    }

    const GOOD: &str = r#"{"num": 1, "ts": "x"}"#;

    fn books(mode: LogMessages, path: &str) -> Books {
        let out = std::fs::OpenOptions::new().write(true).open(path).unwrap();
        let journal = Journal::new(journal::Format::Json, "c", "0a1b2c3d", Box::new(out));
        let metrics = ConsumerMetrics::new(&service::Metrics::new(&[], &service::Identity::default()));
        Books::new(Arc::new(journal), Arc::new(metrics), "t", "g", mode)
    }

    #[test]
    fn a_line_accounts_for_its_message_at_once_and_a_summary_when_it_is_written() {
        let mut each = books(LogMessages::Each, "/dev/null");
        assert_eq!(each.enter(&message(3, 7, GOOD)).unwrap(), [(3, 8)]);
        assert_eq!(each.enter(&message(3, 8, "rubbish")).unwrap(), [(3, 9)]);
        let mut summary = books(LogMessages::Summary, "/dev/null");
        for offset in 0..10 {
            assert_eq!(summary.enter(&message(offset as i32 % 2, offset, GOOD)).unwrap(), []);
        }
        assert_eq!(summary.close_summary().unwrap(), [(0, 9), (1, 10)]);
        assert_eq!(summary.close_summary().unwrap(), []);
    }

    #[test]
    fn a_line_after_a_summary_comes_after_what_the_summary_holds() {
        let mut books = books(LogMessages::Summary, "/dev/null");
        books.enter(&message(0, 0, GOOD)).unwrap();
        books.enter(&message(1, 0, GOOD)).unwrap();
        books.detail = Detail::new(LogMessages::Each, Instant::now());
        assert_eq!(books.enter(&message(0, 1, GOOD)).unwrap(), [(1, 1), (0, 2)]);
    }

    #[test]
    fn what_could_not_be_written_is_not_accounted_for() {
        let mut each = books(LogMessages::Each, "/dev/full");
        assert!(each.enter(&message(0, 0, GOOD)).is_err());
        assert_eq!(each.count(), 0);
        let mut summary = books(LogMessages::Summary, "/dev/full");
        assert_eq!(summary.enter(&message(0, 0, GOOD)).unwrap(), []);
        assert!(summary.close_summary().is_err());
    }

    #[test]
    fn a_summary_does_not_grow_without_bound() {
        let mut books = books(LogMessages::Summary, "/dev/null");
        // Every other offset: nothing can be joined.
        let written = (0..2 * SUMMARY_RANGES_MAX as i64)
            .filter(|i| !books.enter(&message(0, i * 2, GOOD)).unwrap().is_empty())
            .count();
        assert_eq!(written, 2);
    }
}
