//! Proves from the services' log lines what a consumer group delivered: which acknowledged messages are missing, which messages
//! were received twice or written twice, and which should not exist. The command `audit` reads files, the sandbox and the tests
//! use this library.
//!
//! ```
//! use audit::{Account, Lines, Verdict, each_line};
//!
//! let log = r#"{"instance":"p1","seq":0,"message":"service starting","service":"producer-svc","version":"1",RUN}
//! {"instance":"c1","seq":0,"message":"service starting","service":"consumer-svc","version":"1","topic":"demo","group_id":"g"}
//! {"instance":"p1","seq":1,"message":"message delivered","num":0,"ts":"10:00:00","latency_ms":1.5,"partition":0,"offset":0,"pseq":1,RUN}
//! {"instance":"p1","seq":2,"message":"message delivered","num":1,"ts":"10:00:01","latency_ms":1.5,"partition":0,"offset":1,"pseq":2,RUN}
//! {"instance":"c1","seq":1,"message":"message received","num":1,"ts":"10:00:01","group_id":"g","partition":0,"offset":1,"pseq":2,RUN}
//! "#.replace("RUN", r#""topic":"demo","run":"0198f0c2a1b27c3d8e4f5a6b7c8d9e0f""#);
//!
//! // The replica has no line `service stopped`: it was killed. Its log is complete nevertheless.
//! let mut account = Account::complete();
//! each_line(log.as_bytes(), &mut Lines::default(), |line| account.add(line))?;
//!
//! // The group received offset 1 and skipped offset 0.
//! let report = account.report();
//! assert_eq!(report.verdict(0), Verdict::Violated);
//! assert_eq!(report.groups[0].missing(), 1);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! The [`Account`] is a pure function of the lines; their order does not matter. It stores intervals instead of messages, so its
//! size depends on the number of anomalies. Loss is decided by position, because a partition is ordered: a message is missing
//! once the group has received a later message of the same partition, and in flight until then. No clock is involved.

mod account;
mod comparison;
mod document;
mod group;
mod html;
mod instance;
mod intervals;
mod offender;
mod reader;
mod report;
mod run;
mod timeline;
mod watch;

pub use account::Account;
pub use document::{Conditions, Count, Document, Effect, Mentions, OffenderReport, SourceLine};
pub use group::Replica;
pub use offender::{Class, Offender};
pub use reader::{LineSplitter, Lines, each_line};
pub use report::{GroupReport, Report, RunReport, Verdict};
pub use timeline::{
    Bucket, LatencyReport, ProcessReport, RebalanceReport, ResetReport, SessionReport, SingleLatencies, StopReport,
    SummaryLatencies, Time, Timeline, TimelineReport,
};
pub use watch::{State, Watch};
