//! Helpers for tests: an embedded broker, the services as real processes, and what their log lines say.
//!
//! Every wait is for a condition under a deadline. When the deadline passes, the test panics and shows the output of the
//! process so far. A typical test is in `crates/testbed/tests/embedded/groups.rs`:
//!
//! ```no_run
//! let broker = testbed::Broker::start(10);
//! let mut replica = testbed::consumer(&broker.variables(), "group", &[]);
//! let mut producer = testbed::producer(&broker.variables(), &[("PRODUCER_MAX_MESSAGES", "5")]);
//! assert_eq!(producer.wait().code(), Some(0));
//! replica.wait_until("five messages", |replica| replica.received_count() == 5);
//! broker.wait_for_commits("group", 10, 5);
//! assert_eq!(replica.stop().0, Some(0));
//! assert_eq!(testbed::report([&producer, &replica]).verdict(0), audit::Verdict::Proven);
//! ```

mod broker;
#[cfg(feature = "otel")]
mod collector;
pub mod damage;
mod process;

pub use broker::{Broker, BrokerProcess, topic};
#[cfg(feature = "otel")]
pub use collector::{Collector, Span};
pub use process::{Process, binary, consumer, producer, report};
