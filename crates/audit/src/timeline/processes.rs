//! The processes that wrote the lines: when each started and how it ended.

use std::collections::BTreeMap;

use journal::{Entry, Line};
use message::RunId;
use serde::{Serialize, Serializer};

use super::time::Time;

/// How many processes are kept.
const PROCESSES_MAX: usize = 5_000;
/// By how many milliseconds a line may be older than the line before it. Clocks are adjusted all the time.
const STEP_BACK: i64 = 1_000;

/// One process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProcessReport {
    /// The name of the process in its lines.
    pub instance: String,
    /// `producer-svc` or `consumer-svc`, if the first line is there.
    pub service: Option<String>,
    /// The run of a producer.
    #[serde(serialize_with = "as_text")]
    pub run: Option<RunId>,
    /// The group of a replica.
    pub group_id: Option<String>,
    /// Topic.
    pub topic: Option<String>,
    /// When its first line was written, if that line is there.
    pub started: Option<Time>,
    /// The time of its earliest line.
    pub first: Time,
    /// The time of its latest line.
    pub last: Time,
    /// How it stopped. Without this line, the process was killed, or it is still running, or the end of its log is not there.
    pub stopped: Option<StopReport>,
}

/// The line `service stopped`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StopReport {
    /// When.
    pub time: Time,
    /// The exit code.
    pub exit_code: u8,
    /// Why the process ended.
    pub reason: String,
}

fn as_text<S: Serializer>(run: &Option<RunId>, serializer: S) -> Result<S::Ok, S::Error> {
    run.map(|run| run.to_string()).serialize(serializer)
}

#[derive(Debug)]
struct Process {
    report: ProcessReport,
    /// Number and time of the line that was read last.
    previous: (u64, Time),
}

#[derive(Debug, Default)]
pub(super) struct Processes {
    by_instance: BTreeMap<String, Process>,
    /// How many lines are older than the line before them.
    pub(super) steps_back: u64,
    pub(super) not_kept: u64,
}

impl Processes {
    pub(super) fn add(&mut self, line: &Line, time: Time) {
        if !self.by_instance.contains_key(&line.instance) {
            if self.by_instance.len() == PROCESSES_MAX {
                self.not_kept += 1;
                return;
            }
            self.by_instance.insert(line.instance.clone(), Process::new(line, time));
        }
        let Some(Process { report, previous }) = self.by_instance.get_mut(&line.instance) else { return };
        let (previous_seq, previous_time) = std::mem::replace(previous, (line.seq, time));
        if previous_seq.checked_add(1) == Some(line.seq) && previous_time.0.saturating_sub(time.0) > STEP_BACK {
            self.steps_back += 1;
        }
        report.first = report.first.min(time);
        report.last = report.last.max(time);
        match &line.entry {
            Entry::Starting(entry) => {
                report.service = Some(entry.service.clone());
                report.run = entry.run;
                report.group_id.clone_from(&entry.group_id);
                report.topic = Some(entry.topic.clone());
                report.started = Some(time);
            }
            Entry::Stopped(entry) => {
                report.stopped = Some(StopReport { time, exit_code: entry.exit_code, reason: entry.reason.clone() });
            }
            _ => {}
        }
    }

    /// The processes in the order of their first lines, producers before replicas.
    pub(super) fn report(&self) -> Vec<ProcessReport> {
        let mut reports: Vec<_> = self.by_instance.values().map(|process| process.report.clone()).collect();
        reports.sort_by_key(|report| (report.group_id.is_some() || report.run.is_none(), report.first));
        reports
    }
}

impl Process {
    fn new(line: &Line, time: Time) -> Self {
        let report = ProcessReport {
            instance: line.instance.clone(),
            service: None,
            run: None,
            group_id: None,
            topic: None,
            started: None,
            first: time,
            last: time,
            stopped: None,
        };
        Self { report, previous: (line.seq, time) }
    }
}
