//! The books of one replica: the messages it received, and the lines that account for them.

mod session;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use journal::{
    BadMessage, Detail, Entry, Journal, Level, Range, Received, ReceivedSummary, Summary, SummaryBuilder, TopicFound,
};
use message::{Bad, Key, KeyReader, Payload, excerpt};
use rdkafka::Timestamp;
use rdkafka::message::Message;

use crate::metrics::ConsumerMetrics;

/// Up to this many bad messages of a summary are also shown in a line each.
const BAD_SAMPLES: u64 = 10;

/// A partition, and the offset after the last message that was accounted for.
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
    /// Received messages that no line accounts for yet.
    summary: SummaryBuilder,
    /// Bad ones among them, by kind.
    bad: BTreeMap<String, u64>,
}

impl Books {
    pub(crate) fn new(
        journal: Arc<Journal>,
        metrics: Arc<ConsumerMetrics>,
        topic: &str,
        group_id: &str,
        detail: Detail,
    ) -> Self {
        Self {
            keys: KeyReader::default(),
            journal,
            metrics,
            topic: topic.to_owned(),
            group_id: group_id.to_owned(),
            count: 0,
            summary: SummaryBuilder::new(detail, None, Instant::now()),
            bad: BTreeMap::new(),
        }
    }

    /// Messages processed so far, which are those that a written line accounts for.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Enters what the broker reports about the topic.
    ///
    /// # Errors
    /// The line could not be written.
    pub(crate) fn enter_topic(&mut self, found: TopicFound) -> io::Result<Vec<Next>> {
        self.journal.record(Level::Info, &Entry::TopicFound(found))?;
        Ok(Vec::new())
    }

    /// Enters a message. Returns the offsets up to which messages are accounted for by now; none if the message waits for a summary.
    ///
    /// # Errors
    /// The line could not be written, so nothing more is accounted for.
    pub(crate) fn enter(&mut self, message: &impl Message) -> io::Result<Vec<Next>> {
        let key = message.key().and_then(|key| self.keys.read(key));
        let payload = Payload::decode(message.payload());
        let latency = latency(message.timestamp());
        self.metrics.received.inc();
        if let Some(latency) = latency {
            self.metrics.latency.observe(latency.as_secs_f64());
        }
        if let Err(kind) = payload {
            self.metrics.count_bad(kind);
        }
        if self.summary.wants_line() {
            // Everything received before this message must be accounted for before its line is written.
            let mut next = self.write_pending_summary()?;
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
            let bad_so_far = self.bad.values().sum::<u64>();
            *self.bad.entry(kind.name().to_owned()).or_default() += 1;
            if bad_so_far < BAD_SAMPLES {
                self.journal.record(Level::Warn, &self.bad_message(message, key, kind, true))?;
            }
        }
        let range = Range::one(message.partition(), message.offset(), key.map(|key| (key.run, key.pseq)));
        self.summary.push(range, latency);
        if self.summary.is_full() { self.write_pending_summary() } else { Ok(Vec::new()) }
    }

    /// Writes the summary if its second is over. Returns the same as [`enter`](Self::enter).
    pub(crate) fn tick(&mut self, now: Instant) -> io::Result<Vec<Next>> {
        match self.summary.end_window(now) {
            Some(window) => self.write_summary(window),
            None => Ok(Vec::new()),
        }
    }

    /// Writes the summary now, unless it is empty. Returns the same as [`enter`](Self::enter).
    pub(crate) fn write_pending_summary(&mut self) -> io::Result<Vec<Next>> {
        self.write_summary(self.summary.elapsed(Instant::now()))
    }

    fn write_summary(&mut self, window: Duration) -> io::Result<Vec<Next>> {
        let next = self.summary.next_offsets().collect();
        let summaries = self.summary.take(window);
        if summaries.is_empty() {
            return Ok(Vec::new());
        }
        for Summary { count, rate_per_sec, latency_ms, ranges } in summaries {
            let summary = ReceivedSummary {
                count,
                rate_per_sec,
                latency_ms,
                // Those of all lines are in the first one.
                bad: std::mem::take(&mut self.bad),
                topic: self.topic.clone(),
                group_id: self.group_id.clone(),
                ranges,
            };
            self.journal.record(Level::Info, &Entry::ReceivedSummary(summary))?;
            self.count += count;
            self.metrics.processed.inc_by(count);
        }
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
            // The timestamp of a record has millisecond precision.
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

/// Time since the record was created; zero if the producer's clock is ahead of ours. `None` if the broker replaced the creation time
/// by its own.
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

    fn books(detail: Detail, path: &str) -> Books {
        let out = std::fs::OpenOptions::new().write(true).open(path).unwrap();
        let journal = Journal::new(journal::Format::Json, "c", "0a1b2c3d", Box::new(out));
        let metrics = ConsumerMetrics::new(&service::Metrics::new(&[], &service::Identity::default()), "t", true);
        Books::new(Arc::new(journal), Arc::new(metrics), "t", "g", detail)
    }

    #[test]
    fn a_line_accounts_for_its_message_at_once_and_a_summary_only_when_it_is_written() {
        let mut each = books(Detail::Each, "/dev/null");
        assert_eq!(each.enter(&message(3, 7, GOOD)).unwrap(), [(3, 8)]);
        assert_eq!(each.enter(&message(3, 8, "rubbish")).unwrap(), [(3, 9)]);
        let mut summary = books(Detail::Summary, "/dev/null");
        for offset in 0..10 {
            assert_eq!(summary.enter(&message(offset as i32 % 2, offset, GOOD)).unwrap(), []);
        }
        assert_eq!(summary.write_pending_summary().unwrap(), [(0, 9), (1, 10)]);
        assert_eq!(summary.write_pending_summary().unwrap(), []);
    }

    #[test]
    fn a_pending_summary_is_written_before_the_line_of_a_later_message() {
        let mut books = books(Detail::Each, "/dev/null");
        books.summary.push(Range::one(0, 0, None), None);
        books.summary.push(Range::one(1, 0, None), None);
        assert_eq!(books.enter(&message(0, 1, GOOD)).unwrap(), [(1, 1), (0, 2)]);
    }

    #[test]
    fn a_message_whose_line_could_not_be_written_is_not_accounted_for() {
        let mut each = books(Detail::Each, "/dev/full");
        assert!(each.enter(&message(0, 0, GOOD)).is_err());
        assert_eq!(each.count(), 0);
        let mut summary = books(Detail::Summary, "/dev/full");
        assert_eq!(summary.enter(&message(0, 0, GOOD)).unwrap(), []);
        assert!(summary.write_pending_summary().is_err());
    }

    #[test]
    fn the_memory_of_summaries_is_bounded() {
        let mut books = books(Detail::Summary, "/dev/null");
        // Only every other offset, so that no two messages can share a range.
        let written = (0..2 * journal::COLLECTED_RANGES_MAX as i64)
            .filter(|i| !books.enter(&message(0, i * 2, GOOD)).unwrap().is_empty())
            .count();
        assert_eq!(written, 2);
    }
}
