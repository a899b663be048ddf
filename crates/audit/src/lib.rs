//! Proves from the services' log lines what a consumer group delivered: what was acknowledged and never received, what
//! was received twice, what was written twice, and what should not exist.
//!
//! The [`Account`] is a pure function of the lines, whatever their order. It keeps intervals, not messages, so its size
//! follows the anomalies. Loss is decided by position, because a partition is ordered: a message is missing when the group
//! received a later one of the same partition; until then it is in flight. No clock decides anything.

mod account;
mod group;
mod offender;
mod reader;
mod report;
mod run;

pub use account::Account;
pub use offender::{Class, Offender};
pub use reader::{Lines, each_line};
pub use report::{GroupReport, Report, RunReport, Verdict};
