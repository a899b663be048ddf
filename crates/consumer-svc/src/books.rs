//! The books of one replica: the messages it received, and the lines that account for them.

mod session;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use journal::{
    BadMessage, Detail, Entry, Journal, Level, Range, Received, ReceivedSummary, Summary, SummaryBuilder, TopicFound,
};
use message::{Bad, Key, KeyReader, Payload, excerpt, excerpt_into};
use prometheus::local::LocalHistogram;
use service::NativeMessage;

use crate::metrics::ConsumerMetrics;

/// Up to this many bad messages of a summary are also shown in a line each.
const BAD_SAMPLES: u64 = 10;

/// A partition, and the offset after the last message that was accounted for.
pub(crate) type Next = (i32, i64);

/// What the books need of a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'m> {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    /// When it was created, in milliseconds since 1970. `None` if the broker replaced that time by its own.
    pub(crate) created_ms: Option<u64>,
    pub(crate) key: Option<&'m [u8]>,
    pub(crate) value: Option<&'m [u8]>,
}

impl<'m> From<NativeMessage<'m>> for Record<'m> {
    fn from(message: NativeMessage<'m>) -> Self {
        Self {
            partition: message.partition(),
            offset: message.offset(),
            created_ms: message.created_ms(),
            key: message.key(),
            value: message.value(),
        }
    }
}

/// The books of one replica.
///
/// Messages are entered in batches. Within a batch the clock stands still and the metrics wait, because both would cost more than all the
/// rest that happens to a message.
#[derive(Debug)]
pub(crate) struct Books {
    keys: KeyReader,
    journal: Arc<Journal>,
    metrics: Arc<ConsumerMetrics>,
    topic: String,
    group_id: String,
    /// The time of the current batch, since 1970.
    now: Duration,
    /// Messages of the current batch.
    received: u64,
    /// Their latencies.
    latencies: LocalHistogram,
    count: u64,
    /// The part of `count` that the metrics contain.
    counted: u64,
    /// Up to where messages were accounted for since this was last asked.
    accounted: Vec<Next>,
    /// Received messages that no line accounts for yet.
    summary: SummaryBuilder,
    /// Bad ones among them, by kind.
    bad: BTreeMap<String, u64>,
    /// The last `message received`. Its memory is used again for each such line.
    line: Entry,
}

impl Books {
    pub(crate) fn new(
        journal: Arc<Journal>,
        metrics: Arc<ConsumerMetrics>,
        topic: &str,
        group_id: &str,
        detail: Detail,
    ) -> Self {
        let line = Received {
            num: 0,
            ts: String::new(),
            topic: topic.to_owned(),
            partition: 0,
            offset: 0,
            latency_ms: None,
            group_id: group_id.to_owned(),
            run: None,
            pseq: None,
        };
        Self {
            keys: KeyReader::default(),
            journal,
            latencies: metrics.latency.local(),
            metrics,
            topic: topic.to_owned(),
            group_id: group_id.to_owned(),
            now: Duration::ZERO,
            received: 0,
            count: 0,
            counted: 0,
            accounted: Vec::new(),
            summary: SummaryBuilder::new(detail, None, Instant::now()),
            bad: BTreeMap::new(),
            line: Entry::Received(line),
        }
    }

    /// Messages processed so far, which are those that a written line accounts for.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Returns for each partition up to where messages were accounted for since the last call.
    pub(crate) fn take_accounted(&mut self) -> Vec<Next> {
        std::mem::take(&mut self.accounted)
    }

    /// Enters what the broker reports about the topic.
    ///
    /// # Errors
    /// The line could not be written.
    pub(crate) fn enter_topic(&mut self, found: TopicFound) -> io::Result<()> {
        self.journal.record(Level::Info, &Entry::TopicFound(found))
    }

    /// Begins a batch of messages.
    pub(crate) fn begin_batch(&mut self) {
        self.now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    }

    /// Ends the batch: the metrics contain its messages from now on.
    pub(crate) fn end_batch(&mut self) {
        self.metrics.received.inc_by(std::mem::take(&mut self.received));
        self.latencies.flush();
        self.count_processed();
    }

    fn count_processed(&mut self) {
        self.metrics.processed.inc_by(self.count - self.counted);
        self.counted = self.count;
    }

    /// Enters a message.
    ///
    /// # Errors
    /// The line could not be written, so nothing more is accounted for.
    pub(crate) fn enter(&mut self, record: &Record<'_>) -> io::Result<()> {
        let key = record.key.and_then(|key| self.keys.read(key));
        let payload = Payload::decode(record.value);
        // Zero if the producer's clock is ahead of ours.
        let latency = record.created_ms.map(|created| self.now.saturating_sub(Duration::from_millis(created)));
        self.received += 1;
        if let Some(latency) = latency {
            self.latencies.observe(latency.as_secs_f64());
        }
        if let Err(kind) = payload {
            self.metrics.count_bad(kind);
        }
        if self.summary.wants_line() {
            // Everything received before this message must be accounted for before its line is written.
            self.write_pending_summary()?;
            match payload {
                Ok(payload) => self.write_line(record, key, &payload, latency)?,
                Err(kind) => self.journal.record(Level::Warn, &self.bad_message(record, key, kind, false))?,
            }
            self.count += 1;
            self.note_accounted((record.partition, record.offset + 1));
            return Ok(());
        }
        if let Err(kind) = payload {
            let bad_so_far = self.bad.values().sum::<u64>();
            *self.bad.entry(kind.name().to_owned()).or_default() += 1;
            if bad_so_far < BAD_SAMPLES {
                self.journal.record(Level::Warn, &self.bad_message(record, key, kind, true))?;
            }
        }
        let range = Range::one(record.partition, record.offset, key.map(|key| (key.run, key.pseq)));
        self.summary.push(range, latency);
        if self.summary.is_full() { self.write_pending_summary() } else { Ok(()) }
    }

    fn note_accounted(&mut self, next: Next) {
        match self.accounted.iter_mut().rev().find(|(partition, _)| *partition == next.0) {
            Some(known) => *known = next,
            None => self.accounted.push(next),
        }
    }

    /// Writes the summary if its second is over.
    ///
    /// # Errors
    /// The line could not be written, so nothing more is accounted for.
    pub(crate) fn tick(&mut self, now: Instant) -> io::Result<()> {
        match self.summary.end_window(now) {
            Some(window) => self.write_summary(window),
            None => Ok(()),
        }
    }

    /// Writes the summary now, unless it is empty.
    ///
    /// # Errors
    /// Like [`tick`](Self::tick).
    pub(crate) fn write_pending_summary(&mut self) -> io::Result<()> {
        if self.summary.is_empty() { Ok(()) } else { self.write_summary(self.summary.elapsed(Instant::now())) }
    }

    fn write_summary(&mut self, window: Duration) -> io::Result<()> {
        let next: Vec<Next> = self.summary.next_offsets().collect();
        for Summary { count, rate_per_sec, latency_ms, ranges } in self.summary.take(window) {
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
        }
        self.count_processed();
        next.into_iter().for_each(|next| self.note_accounted(next));
        Ok(())
    }

    fn write_line(
        &mut self,
        record: &Record<'_>,
        key: Option<Key>,
        payload: &Payload<'_>,
        latency: Option<Duration>,
    ) -> io::Result<()> {
        let Entry::Received(line) = &mut self.line else { unreachable!("`new` sets the kind of entry") };
        line.num = payload.num;
        excerpt_into(payload.ts.as_bytes(), &mut line.ts);
        line.partition = record.partition;
        line.offset = record.offset;
        // The timestamp of a record has millisecond precision.
        line.latency_ms = latency.map(|latency| latency.as_millis() as f64);
        line.run = key.map(|key| key.run);
        line.pseq = key.map(|key| key.pseq);
        self.journal.record(Level::Info, &self.line)
    }

    fn bad_message(&self, record: &Record<'_>, key: Option<Key>, kind: Bad, sample: bool) -> Entry {
        Entry::BadMessage(BadMessage {
            kind: kind.name().to_owned(),
            payload: record.value.map(excerpt),
            payload_bytes: record.value.map_or(0, <[u8]>::len),
            topic: self.topic.clone(),
            partition: record.partition,
            offset: record.offset,
            group_id: self.group_id.clone(),
            run: key.map(|key| key.run),
            pseq: key.map(|key| key.pseq),
            sample,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &[u8] = br#"{"num": 1, "ts": "x"}"#;

    fn record(partition: i32, offset: i64, value: &[u8]) -> Record<'_> {
        Record { partition, offset, created_ms: Some(0), key: None, value: Some(value) }
    }

    fn metrics() -> Arc<ConsumerMetrics> {
        Arc::new(ConsumerMetrics::new(&service::Metrics::new(&[], &service::Identity::default()), "t", true))
    }

    fn books(detail: Detail, path: &str) -> Books {
        let out = std::fs::OpenOptions::new().write(true).open(path).unwrap();
        let journal = Journal::new(journal::Format::Json, "c", "0a1b2c3d", Box::new(out));
        Books::new(Arc::new(journal), metrics(), "t", "g", detail)
    }

    #[test]
    fn a_line_accounts_for_its_message_at_once_and_a_summary_only_when_it_is_written() {
        let mut each = books(Detail::Each, "/dev/null");
        each.enter(&record(3, 7, GOOD)).unwrap();
        assert_eq!(each.take_accounted(), [(3, 8)]);
        each.enter(&record(3, 8, b"rubbish")).unwrap();
        each.enter(&record(1, 0, GOOD)).unwrap();
        each.enter(&record(3, 9, GOOD)).unwrap();
        assert_eq!(each.take_accounted(), [(3, 10), (1, 1)]);
        let mut summary = books(Detail::Summary, "/dev/null");
        for offset in 0..10 {
            summary.enter(&record(offset as i32 % 2, offset, GOOD)).unwrap();
        }
        assert_eq!(summary.take_accounted(), []);
        summary.write_pending_summary().unwrap();
        assert_eq!(summary.take_accounted(), [(0, 9), (1, 10)]);
        summary.write_pending_summary().unwrap();
        assert_eq!(summary.take_accounted(), []);
    }

    #[test]
    fn a_pending_summary_is_written_before_the_line_of_a_later_message() {
        let mut books = books(Detail::Each, "/dev/null");
        books.summary.push(Range::one(0, 0, None), None);
        books.summary.push(Range::one(1, 0, None), None);
        books.enter(&record(0, 1, GOOD)).unwrap();
        assert_eq!(books.take_accounted(), [(0, 2), (1, 1)]);
        assert_eq!(books.count(), 3);
    }

    #[test]
    fn a_message_whose_line_could_not_be_written_is_not_accounted_for() {
        let mut each = books(Detail::Each, "/dev/full");
        assert!(each.enter(&record(0, 0, GOOD)).is_err());
        assert_eq!((each.count(), each.take_accounted()), (0, vec![]));
        let mut summary = books(Detail::Summary, "/dev/full");
        summary.enter(&record(0, 0, GOOD)).unwrap();
        assert!(summary.write_pending_summary().is_err());
        assert_eq!((summary.count(), summary.take_accounted()), (0, vec![]));
    }

    #[test]
    fn the_memory_of_summaries_is_bounded() {
        let mut books = books(Detail::Summary, "/dev/null");
        let mut written = 0;
        // Only every other offset, so that no two messages can share a range.
        for offset in 0..2 * journal::COLLECTED_RANGES_MAX as i64 {
            books.enter(&record(0, offset * 2, GOOD)).unwrap();
            written += books.take_accounted().len();
        }
        assert_eq!(written, 2);
    }

    #[test]
    fn the_metrics_contain_each_message_once_its_batch_has_ended() {
        let mut books = books(Detail::Each, "/dev/null");
        let metrics = Arc::clone(&books.metrics);
        let seen = || (metrics.received.get(), metrics.processed.get(), metrics.latency.get_sample_count());
        books.begin_batch();
        books.enter(&record(0, 0, GOOD)).unwrap();
        books.enter(&Record { created_ms: None, ..record(0, 1, GOOD) }).unwrap();
        books.end_batch();
        assert_eq!(seen(), (2, 2, 1));
        books.summary = SummaryBuilder::new(Detail::Summary, None, Instant::now());
        books.enter(&record(0, 2, GOOD)).unwrap();
        books.end_batch();
        assert_eq!(seen(), (3, 2, 2), "no line accounts for the third message yet");
        books.write_pending_summary().unwrap();
        assert_eq!(seen(), (3, 3, 2));
    }

    #[test]
    fn a_line_a_message_allocates_nothing() {
        let mut books = books(Detail::Each, "/dev/null");
        let key = format!("{}-17", message::RunId::new());
        let value = br#"{"num": 17, "ts": "2026-11-22 10:00:00"}"#;
        let record = |offset, value| Record { key: Some(key.as_bytes()), ..record(3, offset, value) };
        // The first line makes the buffers.
        books.enter(&record(0, value)).unwrap();
        let good = allocation_counter::measure(|| (1..100).for_each(|i| books.enter(&record(i, value)).unwrap()));
        // At most one for a line whose timestamp begins another second.
        assert!(good.count_total <= 2, "{good:?}");
        let bad = allocation_counter::measure(|| books.enter(&record(100, b"rubbish")).unwrap());
        assert!(bad.count_total > 0, "the counter counts");
    }
}
