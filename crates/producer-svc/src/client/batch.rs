//! Messages to one partition that are handed to librdkafka in one call.

use message::{KeyWriter, RunId, ValueWriter};

/// The longest batch. Its keys and values take about 25 KB, and the cost of a call no longer matters when it is divided by this.
pub(crate) const BATCH_MAX: u64 = 256;

/// Keys and values of consecutive messages, in buffers that are used again for the next batch.
#[derive(Debug)]
pub(crate) struct Batch {
    keys: KeyWriter,
    values: ValueWriter,
    /// Creation time of the messages, in milliseconds since the Unix epoch.
    timestamp: i64,
    /// The keys and values, one after another.
    bytes: Vec<u8>,
    messages: Vec<Message>,
}

#[derive(Debug)]
struct Message {
    /// Where the value begins; the key begins where the value before it ends.
    value_start: usize,
    value_end: usize,
    due_micros: usize,
}

/// One message of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchMessage<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) value: &'a [u8],
    /// What its delivery report brings back, see [`Delivery`](super::delivery::Delivery).
    pub(crate) due_micros: usize,
}

impl Batch {
    /// An empty batch of messages of this run.
    pub(crate) fn new(run: RunId) -> Self {
        Self {
            keys: KeyWriter::new(run),
            values: ValueWriter::default(),
            timestamp: 0,
            bytes: Vec::new(),
            messages: Vec::new(),
        }
    }

    /// Removes all messages, and reads the clock for those that follow.
    pub(crate) fn start(&mut self) {
        self.bytes.clear();
        self.messages.clear();
        self.timestamp = self.values.read_clock();
    }

    /// Adds a message.
    pub(crate) fn push(&mut self, num: u64, pseq: u64, due_micros: usize) {
        self.keys.append(pseq, &mut self.bytes);
        let value_start = self.bytes.len();
        self.values.append(num, &mut self.bytes);
        self.messages.push(Message { value_start, value_end: self.bytes.len(), due_micros });
    }

    /// Creation time of the messages, in milliseconds since the Unix epoch.
    pub(crate) fn timestamp(&self) -> i64 {
        self.timestamp
    }

    /// The messages, in the order in which they were added.
    pub(crate) fn messages(&self) -> impl Iterator<Item = BatchMessage<'_>> {
        let mut key_start = 0;
        self.messages.iter().map(move |&Message { value_start, value_end, due_micros }| {
            let message = BatchMessage {
                key: &self.bytes[key_start..value_start],
                value: &self.bytes[value_start..value_end],
                due_micros,
            };
            key_start = value_end;
            message
        })
    }
}

#[cfg(test)]
mod tests {
    use message::{Key, KeyReader, Payload};

    use super::*;

    #[test]
    fn a_batch_returns_the_messages_that_were_added_since_its_start() {
        let run = RunId::new();
        let mut batch = Batch::new(run);
        for first in [9, 99_999] {
            batch.start();
            (0..3).for_each(|i| batch.push(first + i, i + 1, 70 + i as usize));
            assert_eq!(batch.messages().count(), 3);
            for (message, i) in batch.messages().zip(0..) {
                assert_eq!(KeyReader::default().read(message.key), Some(Key { run, pseq: i + 1 }));
                assert_eq!(Payload::decode(Some(message.value)).unwrap().num, first + i);
                assert_eq!(message.due_micros, 70 + i as usize);
            }
        }
    }
}
