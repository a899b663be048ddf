//! The messages that travelled since the last frame: all of them as counts, and some as examples.

use serde::Serialize;

/// How many examples of each direction a frame has. With 25 frames a second that is more than the page shows one by one.
const EXAMPLES_MAX: usize = 16;

/// What travelled since the last frame.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Traffic {
    sent: u64,
    received: u64,
    sent_examples: Vec<Sent>,
    received_examples: Vec<Received>,
}

/// A message that the broker acknowledged: partition, offset, number if known.
#[derive(Debug, Serialize)]
struct Sent(i32, i64, Option<u64>);

/// A message that a replica received: replica, partition, offset, number if known, whether it was repeated.
#[derive(Debug, Serialize)]
struct Received(String, i32, i64, Option<u64>, bool);

impl Traffic {
    pub(crate) fn send(&mut self, partition: i32, offset: i64, num: Option<u64>, count: u64) {
        self.sent += count;
        if self.sent_examples.len() < EXAMPLES_MAX {
            self.sent_examples.push(Sent(partition, offset, num));
        }
    }

    pub(crate) fn receive(
        &mut self,
        replica: &str,
        partition: i32,
        offset: i64,
        num: Option<u64>,
        count: u64,
        is_repeated: bool,
    ) {
        self.received += count;
        if self.received_examples.len() < EXAMPLES_MAX {
            self.received_examples.push(Received(replica.to_owned(), partition, offset, num, is_repeated));
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sent == 0 && self.received == 0
    }
}
