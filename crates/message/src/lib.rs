//! What is on the wire: the value that people read, and the key that the audit reads.
//!
//! The value is the tutorial's, `{"num": 17, "ts": "2026-11-22 10:00:00"}`, in the very bytes of Python's `json.dumps`.
//! Identity travels in the key, because a key costs a consumer nothing and a header has to be parsed.

mod excerpt;
mod key;
mod payload;
mod stamp;

pub use excerpt::{EXCERPT_MAX_BYTES, excerpt};
pub use key::{Key, KeyReader, KeyWriter, NotARunId, PSEQ_MAX, RunId};
pub use payload::{Bad, PAYLOAD_MAX_BYTES, Payload, encode};
pub use stamp::Stamp;
