//! The report as data: everything that the reports in JSON and HTML show. `docs/audit-report.md` documents the JSON.

mod counts;
mod offenders;

use std::collections::BTreeSet;

use serde::{Serialize, Serializer};

pub use self::counts::Count;
pub use self::offenders::{Mentions, OffenderReport, SourceLine};
use crate::options::Options;
use crate::reader::Lines;
use crate::report::{GroupReport, Report, RunReport, Verdict};
use crate::timeline::TimelineReport;

/// The version of the JSON form. It changes when a field is removed, renamed or changes its meaning.
const SCHEMA_VERSION: u32 = 1;

/// Under which conditions the verdict was reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Conditions {
    /// The evidence holds every line of every producer and replica.
    pub complete: bool,
    /// The evidence may begin in the middle.
    pub from_here: bool,
    /// The only group that was judged, if not all were.
    pub group: Option<String>,
    /// The only topic that was judged, if not all were.
    pub topic: Option<String>,
    /// How many repeats each group may have.
    pub max_repeats: u64,
}

/// The report as data.
#[derive(Debug, Clone, Serialize)]
pub struct Document {
    schema_version: u32,
    /// The version of the audit.
    pub audit_version: &'static str,
    #[serde(serialize_with = "verdict_name")]
    pub(crate) verdict: Verdict,
    /// The exit code of the command.
    exit_code: u8,
    pub(crate) conditions: Conditions,
    pub(crate) runs: Vec<RunRow>,
    pub(crate) groups: Vec<GroupRow>,
    pub(crate) offenders: Vec<OffenderReport>,
    /// Reasons why the evidence is not sufficient.
    pub(crate) doubts: Vec<String>,
    #[serde(serialize_with = "lines")]
    pub(crate) lines: Lines,
    pub(crate) timeline: TimelineReport,
}

/// What the report shows about one run.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct RunRow {
    pub(crate) run: String,
    pub(crate) instances: BTreeSet<String>,
    pub(crate) sent: u64,
    pub(crate) acknowledged: u64,
    pub(crate) rejected: u64,
    pub(crate) unknown: u64,
    pub(crate) is_closed: bool,
}

/// What the report shows about one consumer group.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct GroupRow {
    pub(crate) group_id: String,
    #[serde(serialize_with = "counts::as_map")]
    pub(crate) counts: Vec<Count>,
    pub(crate) replicas: Vec<ReplicaCounts>,
}

/// What one replica received.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ReplicaCounts {
    pub(crate) instance: String,
    pub(crate) received: u64,
    pub(crate) repeated: u64,
    pub(crate) bad: u64,
}

impl Conditions {
    /// The conditions under which an account with these options is judged.
    #[must_use]
    pub fn new(options: Options, max_repeats: u64) -> Self {
        let Options { is_complete: complete, is_from_here: from_here, group, topic } = options;
        Self { complete, from_here, group, topic, max_repeats }
    }
}

impl Document {
    /// The report with the lines that mention its offenders and with what happened when.
    #[must_use]
    pub fn new(report: &Report, mentions: &Mentions, timeline: TimelineReport, conditions: Conditions) -> Self {
        let verdict = report.verdict(conditions.max_repeats);
        Self {
            schema_version: SCHEMA_VERSION,
            audit_version: env!("CARGO_PKG_VERSION"),
            verdict,
            exit_code: verdict.exit_code(),
            conditions,
            runs: report.runs.iter().map(RunRow::new).collect(),
            groups: report.groups.iter().map(GroupRow::new).collect(),
            offenders: mentions.of_offenders(report),
            doubts: report.doubts.iter().map(ToString::to_string).collect(),
            lines: report.lines,
            timeline,
        }
    }

    /// The report as JSON.
    ///
    /// # Errors
    /// A value can't be serialised, which does not happen.
    pub fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }

    /// The report as JSON on a single line.
    ///
    /// # Errors
    /// See [`to_json`](Self::to_json).
    pub fn to_json_line(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }
}

impl RunRow {
    fn new(report: &RunReport) -> Self {
        Self {
            run: report.run.to_string(),
            instances: report.instances.clone(),
            sent: report.sent,
            acknowledged: report.acknowledged,
            rejected: report.rejected,
            unknown: report.unknown,
            is_closed: report.is_closed,
        }
    }
}

impl GroupRow {
    pub(crate) fn new(report: &GroupReport) -> Self {
        let replicas = report.replicas.iter().map(|(instance, replica)| ReplicaCounts {
            instance: instance.clone(),
            received: replica.received,
            repeated: replica.repeated,
            bad: replica.bad,
        });
        Self { group_id: report.group_id.clone(), counts: counts::counts(report), replicas: replicas.collect() }
    }

    /// How many messages its replicas received, repeats included.
    pub(crate) fn received(&self) -> u64 {
        self.replicas.iter().map(|replica| replica.received).sum()
    }
}

impl Verdict {
    /// The verdict in one word, as in the JSON report.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Violated => "violated",
            Self::Insufficient => "insufficient",
        }
    }
}

fn verdict_name<S: Serializer>(verdict: &Verdict, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(verdict.name())
}

fn lines<S: Serializer>(lines: &Lines, serializer: S) -> Result<S::Ok, S::Error> {
    [("read", lines.read), ("skipped", lines.skipped), ("damaged", lines.damaged)]
        .into_iter()
        .collect::<std::collections::BTreeMap<_, _>>()
        .serialize(serializer)
}
