//! The account and the verdict while the demonstration runs, as the audit sees them so far.

use std::time::{Duration, Instant};

use audit::{Class, Report, Verdict};
use serde::Serialize;

use crate::model::Model;

/// Lines of different processes arrive in any order, so a message may look lost until the line about it arrives. What looks like a
/// violation is called one only when it has lasted for this long.
const SETTLED: Duration = Duration::from_secs(2);

/// What the page shows as the account.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Standing {
    /// `waiting`, `holding`, `violated`; at the end `proven`, `violated`, `failed` or `insufficient`.
    pub(crate) state: &'static str,
    pub(crate) is_final: bool,
    pub(crate) text: String,
    pub(crate) acknowledged: u64,
    /// Messages that the producer gave up, or whose outcome it could not know.
    pub(crate) not_delivered: u64,
    pub(crate) groups: Vec<GroupStanding>,
}

/// The account of one group.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct GroupStanding {
    name: String,
    /// Each message counted once.
    received: u64,
    in_flight: u64,
    repeated: u64,
    /// How many of the repeats the kills, freezes and outages explain.
    permitted: u64,
    missing: u64,
    /// From before the group began, by `auto.offset.reset=latest`.
    not_owed: u64,
}

/// Judges while lines arrive.
#[derive(Debug, Default)]
pub(crate) struct Judge {
    violated_since: Option<Instant>,
}

impl Judge {
    pub(crate) fn look(&mut self, report: &Report, model: &Model, now: Instant) -> Standing {
        let is_violated = is_violated(report, model);
        let since = is_violated.then(|| *self.violated_since.get_or_insert(now));
        self.violated_since = since;
        let is_settled = since.is_some_and(|since| now.saturating_duration_since(since) >= SETTLED);
        let standing = Standing::new(report, model);
        let in_flight: u64 = standing.groups.iter().map(|group| group.in_flight).sum();
        let (state, text) = match (is_settled, standing.acknowledged, in_flight) {
            (true, ..) => ("violated", "Violated: a message was lost, or repeated without a cause.".to_owned()),
            (_, 0, _) => ("waiting", "No message has been acknowledged yet.".to_owned()),
            (_, _, 0) => ("holding", "So far every acknowledged message was received.".to_owned()),
            (_, _, 1) => ("holding", "So far nothing is lost; 1 message is on its way.".to_owned()),
            (_, _, count) => ("holding", format!("So far nothing is lost; {count} messages are on their way.")),
        };
        Standing { state, text, ..standing }
    }
}

/// The verdict with exactly the repeats that are explained.
pub(crate) fn verdict(report: &Report, model: &Model) -> Verdict {
    if is_violated(report, model) { Verdict::Violated } else { report.verdict(u64::MAX) }
}

fn is_violated(report: &Report, model: &Model) -> bool {
    let has_unexplained = report.groups.iter().any(|group| {
        let permitted = model.group(&group.group_id).map_or(0, |group| group.permitted);
        group.count(Class::Repeated) > permitted
    });
    has_unexplained || report.verdict(u64::MAX) == Verdict::Violated
}

impl Standing {
    /// The counts, without a judgement.
    pub(crate) fn new(report: &Report, model: &Model) -> Self {
        let lost = [Class::Missing, Class::Skipped, Class::Expired];
        let groups = report.groups.iter().map(|group| GroupStanding {
            name: group.group_id.clone(),
            received: group.distinct,
            in_flight: group.in_flight,
            repeated: group.count(Class::Repeated),
            permitted: model.group(&group.group_id).map_or(0, |group| group.permitted),
            missing: lost.into_iter().map(|class| group.count(class)).sum(),
            not_owed: group.not_owed,
        });
        Self {
            acknowledged: report.runs.iter().map(|run| run.acknowledged).sum(),
            not_delivered: report.runs.iter().map(|run| run.rejected + run.unknown).sum(),
            groups: groups.collect(),
            ..Self::default()
        }
    }
}
