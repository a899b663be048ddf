//! What a replica does with each message, except what needs librdkafka. Only `bench/counts` uses it, to count the instructions.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use journal::{Beginnings, Detail, Format, Journal};
use message::{KeyWriter, RunId, encode};
use rdkafka::Timestamp;
use rdkafka::message::{Message as _, OwnedMessage};
use service::{Identity, Metrics};

use crate::books::Books;
use crate::fetching::Received;
use crate::metrics::ConsumerMetrics;
use crate::positions::Positions;

const TOPIC: &str = "demo";

/// The books and the positions of a replica that owns one partition, with a log that nobody reads, and messages to receive.
#[derive(Debug)]
pub struct HotPath {
    books: Books,
    positions: Positions,
    by_partition: Received,
    messages: Vec<OwnedMessage>,
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
        let mut keys = KeyWriter::new(run);
        let message = |num: u64| {
            let mut value = Vec::new();
            encode(num, ts, &mut value);
            let key = keys.write(num + 1).to_vec();
            // In the future, so that the latency is 0 whenever the instructions are counted.
            let timestamp = Timestamp::CreateTime(i64::MAX);
            OwnedMessage::new(Some(value), Some(key), TOPIC.to_owned(), timestamp, 0, num as i64, None)
        };
        Self {
            books: Books::new(Arc::new(journal), Arc::new(metrics), TOPIC, "demo", detail),
            positions,
            by_partition: Received::default(),
            messages: (0..count).map(message).collect(),
            received: 0,
        }
    }

    /// Accounts for the next messages, as the loop does.
    ///
    /// # Panics
    /// There are not so many.
    pub fn receive(&mut self, count: usize) {
        for message in &self.messages[self.received..self.received + count] {
            let jump = self.positions.advance(message.partition(), message.offset());
            assert!(jump.is_none(), "the messages have consecutive offsets");
            self.books.enter(message).expect("a sink takes everything");
            self.by_partition.count(message.partition());
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
