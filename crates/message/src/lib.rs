//! The wire format: how a message is encoded in a Kafka record, and how it is decoded again.
//!
//! The value is for any consumer, the key is for the audit:
//!
//! - The **value** is that of the Python tutorial "How to read and write Kafka with Python", JSON with a number and a local time:
//!   `{"num": 17, "ts": "2026-11-22 10:00:00"}`. [`ValueWriter`] writes exactly the bytes that Python's `json.dumps` would
//!   write, and [`Payload::decode`] reads them.
//! - The **key** is `<run>-<pseq>` and identifies the message: the [`RunId`] of the producer process that sent it, and its position
//!   in the sequence of messages that this run sent to one partition. [`KeyWriter`] and [`KeyReader`] write and read it. The identity
//!   is in the key and not in a header because a consumer gets the key for free, whereas headers have to be parsed.
//!
//! The producer writes both, the consumer reads both and copies them into its log, and the audit compares the logs. Producers with
//! keys of their own may write to the same topic: their messages are received like all others, without a run and a pseq.
//!
//! # Example
//!
//! ```
//! use message::{Key, KeyReader, KeyWriter, Payload, RunId, encode};
//!
//! // The producer: one run id per process. (`ValueWriter` is for many messages, and reads the clock.)
//! let run = RunId::new();
//! let (mut key, mut value) = (Vec::new(), Vec::new());
//! KeyWriter::new(run).append(1, &mut key);
//! encode(17, "2026-11-22 10:00:00", &mut value);
//! assert_eq!(key, format!("{run}-1").as_bytes());
//! assert_eq!(value, br#"{"num": 17, "ts": "2026-11-22 10:00:00"}"#);
//!
//! // The consumer:
//! let payload = Payload::decode(Some(&value)).expect("a valid value");
//! assert_eq!((payload.num, &*payload.ts), (17, "2026-11-22 10:00:00"));
//! let mut reader = KeyReader::default();
//! assert_eq!(reader.read(&key), Some(Key { run, pseq: 1 }));
//! assert_eq!(reader.read(b"user-17"), None, "a key of another producer");
//! ```

mod excerpt;
mod key;
mod payload;
mod stamp;
mod value;

pub use excerpt::{EXCERPT_MAX_BYTES, excerpt, excerpt_into};
pub use key::{InvalidRunId, Key, KeyReader, KeyWriter, PSEQ_MAX, RunId};
pub use payload::{Bad, PAYLOAD_MAX_BYTES, Payload};
pub use value::{ValueWriter, encode};
