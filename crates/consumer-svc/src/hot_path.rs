//! What a replica does with each message, except what needs librdkafka. Only `bench/counts` uses it, to count the instructions.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use journal::{Beginnings, Detail, Format, Journal};
use message::{KeyWriter, RunId, encode};
use service::{Identity, Metrics};

use crate::books::{Books, Record};
use crate::fetching::ReceivedCounts;
use crate::metrics::ConsumerMetrics;
use crate::positions::Positions;

const TOPIC: &str = "demo";
const BATCH: usize = 250;

/// The books and the positions of a replica that owns one partition, with a log that nobody reads, and messages to receive.
#[derive(Debug)]
pub struct HotPath {
    books: Books,
    positions: Positions,
    by_partition: ReceivedCounts,
    /// Key and value of each message.
    messages: Vec<(Vec<u8>, Vec<u8>)>,
    received: usize,
}

impl HotPath {
    /// Starts at offset 0 of a partition with `count` messages of one run. `detail` says whether each of them gets a line.
    #[must_use]
    pub fn new(detail: Detail, run: RunId, ts: &str, count: u64) -> Self {
        let journal = Journal::new(Format::Json, "consumer-svc", "0a1b2c3d4e5f6071", Box::new(io::sink()));
        let metrics = ConsumerMetrics::new(&Metrics::new(&[], &Identity::default()), TOPIC, true);
        let mut positions = Positions::new(TOPIC);
        positions.assign(&Beginnings { earliest: vec![(0, 0)], ..Beginnings::default() });
        let keys = KeyWriter::new(run);
        let message = |num: u64| {
            let (mut key, mut value) = (Vec::new(), Vec::new());
            keys.append(num + 1, &mut key);
            encode(num, ts, &mut value);
            (key, value)
        };
        Self {
            books: Books::new(Arc::new(journal), Arc::new(metrics), TOPIC, "demo", detail),
            positions,
            by_partition: ReceivedCounts::default(),
            messages: (0..count).map(message).collect(),
            received: 0,
        }
    }

    /// Accounts for the next messages, as the loop does.
    ///
    /// # Panics
    /// There are not so many.
    pub fn receive(&mut self, count: usize) {
        let messages = &self.messages[self.received..self.received + count];
        for (batch, first) in messages.chunks(BATCH).zip((self.received..).step_by(BATCH)) {
            self.books.begin_batch();
            for ((key, value), offset) in batch.iter().zip(first as i64..) {
                // Created in the future, so that the latency is 0 whenever the instructions are counted.
                let created_ms = Some(i64::MAX as u64);
                let record = Record { partition: 0, offset, created_ms, key: Some(key), value: Some(value) };
                let jump = self.positions.advance(record.partition, record.offset);
                assert!(jump.is_none(), "the messages have consecutive offsets");
                self.books.enter(&record).expect("a sink takes everything");
                self.by_partition.count(record.partition);
            }
            self.books.end_batch();
        }
        self.received += count;
    }

    /// Writes the summary, as the loop does each second.
    ///
    /// # Panics
    /// Never: the log takes every line.
    pub fn tick(&mut self) {
        self.books.tick(Instant::now()).expect("a sink takes everything");
        self.books.write_pending_summary().expect("a sink takes everything");
    }
}
