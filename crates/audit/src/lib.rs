//! Proves from the services' log lines what a consumer group received: which acknowledged messages are missing, which messages
//! were received twice or written twice, and which should not exist. The command `audit` reads files, the sandbox and the tests
//! use this library.
//!
//! ```
//! use audit::{Account, Class, Lines, Options, Verdict, each_line};
//!
//! let log = r#"{"instance":"p1","seq":0,"message":"service starting","service":"producer-svc","version":"1",RUN}
//! {"instance":"c1","seq":0,"message":"service starting","service":"consumer-svc","version":"1","topic":"demo","group_id":"g"}
//! {"instance":"p1","seq":1,"message":"message delivered","num":0,"ts":"10:00:00","latency_ms":1.5,"partition":0,"offset":0,"pseq":1,RUN}
//! {"instance":"p1","seq":2,"message":"message delivered","num":1,"ts":"10:00:01","latency_ms":1.5,"partition":0,"offset":1,"pseq":2,RUN}
//! {"instance":"c1","seq":1,"message":"partitions assigned","topic":"demo","group_id":"g","partitions":[0],"owned":[0],"begin":{"earliest":[[0,0]]}}
//! {"instance":"c1","seq":2,"message":"message received","num":1,"ts":"10:00:01","group_id":"g","partition":0,"offset":1,"pseq":2,RUN}
//! "#.replace("RUN", r#""topic":"demo","run":"0198f0c2a1b27c3d8e4f5a6b7c8d9e0f""#);
//!
//! let mut account = Account::new(Options::default());
//! each_line(log.as_bytes(), &mut Lines::default(), |line| account.add(line))?;
//!
//! // The replica began at offset 0 and received offset 1, but not offset 0. None of its lines is missing.
//! let report = account.report();
//! assert_eq!(report.verdict(0), Verdict::Violated);
//! assert_eq!(report.groups[0].count(Class::Missing), 1);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! The [`Account`] is a pure function of the lines; their order does not matter. It stores intervals instead of messages, so its
//! size depends on the number of anomalies. Loss is decided by position, because a partition is ordered: a message is missing
//! if a session, the time in which one replica owns the partition, went past it without receiving it, and in flight if no session
//! has come that far. No clock is involved.

mod account;
mod comparison;
mod document;
mod doubt;
mod effect;
mod group;
mod html;
mod instance;
mod intervals;
mod messages;
mod offender;
mod options;
mod placement;
mod reader;
mod report;
mod run;
mod session;
mod timeline;
mod watch;

pub use account::Account;
pub use document::{Conditions, Count, Document, Mentions, OffenderReport, SourceLine};
pub use doubt::Doubt;
pub use effect::Effect;
pub use group::Replica;
pub use offender::{Class, Offender};
pub use options::Options;
pub use reader::{LineSplitter, Lines, each_line};
pub use report::{GroupReport, Report, RunReport, Verdict};
pub use timeline::{
    Bucket, LatencyReport, ProcessReport, RebalanceReport, ResetReport, SessionReport, SingleLatencies, StopReport,
    SummaryLatencies, Time, Timeline, TimelineReport,
};
pub use watch::{State, Watch};
