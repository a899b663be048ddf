//! What the producer does with each message, except what needs librdkafka. Only `bench/counts` uses it, to count the instructions.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use journal::{Detail, Format, Journal};
use kafka_config::Rate;
use message::RunId;
use service::{Identity, Metrics};

use crate::books::{Books, Report};
use crate::client::batch::{BATCH_MAX, Batch};
use crate::metrics::ProducerMetrics;
use crate::partitions::Partitions;

const TOPIC: &str = "demo";
const PARTITIONS: usize = 10;
const QUEUE: u64 = 50_000;
const BATCH_MESSAGES: u64 = 2500;
/// Of each acknowledgement.
const LATENCY: Duration = Duration::from_micros(1234);

/// The books of a run, and what it needs to build messages, with a log that nobody reads.
#[derive(Debug)]
pub struct HotPath {
    books: Books,
    partitions: Partitions,
    batch: Batch,
    /// The number of the next message.
    num: u64,
    /// The next offset of each partition.
    offsets: Vec<i64>,
}

impl HotPath {
    /// A run at full speed. `detail` says whether each message gets a line.
    #[must_use]
    pub fn new(run: RunId, detail: Detail) -> Self {
        let journal = Journal::new(Format::Json, "producer-svc", "0a1b2c3d4e5f6071", Box::new(io::sink()));
        let metrics = ProducerMetrics::new(&Metrics::new(&[], &Identity::default()), TOPIC, true);
        let mut books = Books::new(Arc::new(journal), metrics, run, TOPIC, detail, QUEUE, f64::INFINITY);
        books.resize(PARTITIONS);
        Self {
            books,
            partitions: Partitions::new(Rate::Max, Duration::ZERO, BATCH_MESSAGES, PARTITIONS),
            batch: Batch::new(run),
            num: 0,
            offsets: vec![0; PARTITIONS],
        }
    }

    /// Builds messages, enters them as accepted, and enters their acknowledgements, as the loop and the delivery reports do.
    ///
    /// # Panics
    /// Never: every message is acknowledged at once, so there is room for the next.
    pub fn deliver(&mut self, count: u64) {
        let end = self.num + count;
        while self.num < end {
            let turn = self.partitions.next(|partition| self.books.backlog.room(partition));
            let turn = turn.expect("every message is acknowledged at once");
            let accepted = turn.left.min(BATCH_MAX).min(end - self.num);
            self.batch.start();
            for i in 0..accepted {
                self.batch.push(self.num + i, turn.first_pseq + i, 0);
            }
            self.num += accepted;
            self.books.enter_accepted(turn.partition, accepted);
            self.partitions.advance(accepted);
            let offset = &mut self.offsets[turn.partition as usize];
            for message in self.batch.messages() {
                self.books.enter_outcome(Report {
                    partition: turn.partition,
                    key: Some(message.key),
                    value: Some(message.value),
                    latency: LATENCY,
                    latency_from_due: LATENCY,
                    result: Ok(*offset),
                });
                *offset += 1;
            }
        }
    }

    /// Writes what is left, as the loop does at its end.
    pub fn finish(&mut self) {
        self.books.tick(Instant::now());
        self.books.close(std::iter::empty());
    }
}
