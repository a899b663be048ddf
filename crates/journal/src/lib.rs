//! The log lines of the services: what they say about messages, how they look, and how they get out.
//!
//! A message counts as processed when the line that accounts for it was written by a call that returned success.
//! So these lines are evidence: [`Entry`] is their one definition, which the services write by, the sandbox renders and
//! the audit reads.

mod entry;
mod line;
mod ranges;
mod writer;

pub use entry::{
    BadMessage, Delivered, DeliveredSummary, Entry, LastOfPartition, Millis, NextOffset, NotDelivered, Outcome,
    Received, ReceivedSummary, RunClosed, Starting, Stopped,
};
pub use line::{Level, Line, from_line, render_text};
pub use ranges::{Range, Ranges};
pub use writer::{Format, Journal};
