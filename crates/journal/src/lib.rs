//! The log lines of the services: what they say about messages, what they look like, and how they are written.
//!
//! A message counts as processed once the line that accounts for it has been written successfully. These lines are therefore
//! evidence, and [`Entry`] is their only definition: the services write it, the sandbox displays it, and the audit reads it back.
//! A line accounts for one message or, at high rates, for many ([`SummaryBuilder`]).
//!
//! ```
//! use journal::{Entry, from_line};
//!
//! // As `docker compose logs` shows it: the prefix is skipped.
//! let text = r#"consumer-1 | {"timestamp":"2026-11-22T10:00:00.123Z","level":"INFO","message":"message received","num":17,
//!     "ts":"2026-11-22 10:00:00","topic":"demo","partition":3,"offset":5,"group_id":"demo","client_id":"consumer-svc",
//!     "instance":"0a1b2c3d4e5f6071","account":true,"seq":42}"#;
//! let line = from_line(text).expect("a line of the services");
//! assert_eq!((line.instance.as_str(), line.seq), ("0a1b2c3d4e5f6071", 42));
//! assert!(matches!(line.entry, Entry::Received(received) if received.num == 17));
//! ```

mod entry;
mod line;
mod summary;
mod timestamp;
mod writer;

pub use entry::session::{Assigned, Beginnings, Ended, PositionReset};
pub use entry::{
    BadMessage, CLOSED_PARTITIONS_MAX, Delivered, DeliveredSummary, Entry, LastOfPartition, LatencyMillis, NextOffset,
    NotDelivered, Outcome, Received, ReceivedSummary, RunClosed, Starting, Stopped, TopicFound,
};
pub use line::{Level, Line, from_line, render_text};
pub use summary::intervals::Intervals;
pub use summary::policy::Detail;
pub use summary::ranges::Range;
pub use summary::{COLLECTED_RANGES_MAX, SUMMARY_RANGES_MAX, Summary, SummaryBuilder};
pub use timestamp::Timestamp;
pub use writer::{Format, Journal};
