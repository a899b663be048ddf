//! An account that is looked at while lines arrive.
//!
//! Lines of different processes arrive in any order: a message may be acknowledged, and a later one received, before the line
//! arrives that shows it as received. What lasts for less than [`SETTLED`] is therefore *pending*: shown, but neither a doubt nor a
//! violation yet.

mod ages;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use journal::Line;
use serde::Serialize;

use self::ages::Ages;
use crate::account::Account;
use crate::document::{GroupRow, Mentions, OffenderReport};
use crate::offender::Class;
use crate::reader::Lines;
use crate::report::{Report, RunReport, Verdict};

/// How long something must last that lines on their way could explain.
const SETTLED: Duration = Duration::from_secs(10);
/// How many lines are kept to name offenders from.
const RECENT_MAX: usize = 20_000;
/// How many lines that mention offenders are kept.
const KEPT_MAX: usize = 5_000;

/// An account, and what is needed to show its state at any time.
#[derive(Debug)]
pub struct Watch {
    account: Account,
    max_repeats: u64,
    recent: VecDeque<Line>,
    /// Lines that mention offenders, by instance and number.
    kept: BTreeMap<(String, u64), Line>,
    ages: Ages,
}

/// The state at one time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct State {
    /// The verdict if no line were on its way: `proven`, `violated` or `insufficient`.
    pub so_far: &'static str,
    /// Acknowledged messages.
    pub acknowledged: u64,
    groups: Vec<GroupRow>,
    /// The named offenders.
    pub offenders: Vec<OffenderReport>,
    /// Why the evidence is not sufficient.
    pub doubts: Vec<String>,
    /// What lines on their way may still explain.
    pub pending: Vec<String>,
    /// Lines of the services that were read.
    pub lines_read: u64,
    /// Damaged lines.
    pub lines_damaged: u64,
}

impl Watch {
    /// Begins with an empty account.
    #[must_use]
    pub fn new(account: Account, max_repeats: u64) -> Self {
        Self { account, max_repeats, recent: VecDeque::new(), kept: BTreeMap::new(), ages: Ages::default() }
    }

    /// Adds a line that arrives at `now`.
    pub fn add(&mut self, line: &Line, now: Instant) {
        self.account.add(line);
        self.ages.add(line, now);
        self.recent.push_back(line.clone());
        if self.recent.len() > RECENT_MAX {
            self.keep_mentions(&self.account.report());
            self.recent.drain(..RECENT_MAX / 2);
        }
    }

    /// The state at `now`. `is_behind` says that the inputs hold lines that were not read yet: then only what no other line can explain
    /// counts, and the ten seconds after which something is no longer pending do not begin.
    pub fn state(&mut self, lines: Lines, now: Instant, is_behind: bool) -> State {
        let (report, mentions) = self.report(lines);
        let (mut pending, mut doubts) = (Vec::new(), Vec::new());
        if is_behind {
            pending.push("the inputs hold lines that were not read yet".to_owned());
        }
        for doubt in &report.doubts {
            let list = if !is_behind && self.ages.is_settled(doubt, now) { &mut doubts } else { &mut pending };
            list.push(doubt.to_string());
        }
        let mut is_violated = report.runs.iter().any(RunReport::is_violated);
        for group in &report.groups {
            // Repeats rest on lines that are there. Other violations may also rest on lines that are still on their way.
            is_violated |= group.is_violated_by(Class::Repeated, self.max_repeats);
            if !is_behind {
                let (settled, unsettled) = self.ages.violations(group, self.max_repeats, now);
                is_violated |= settled;
                pending.extend(unsettled);
            }
        }
        let acknowledged = report.runs.iter().map(|run| run.acknowledged).sum();
        // What is pending is no doubt, but without anything acknowledged there is nothing to prove.
        let is_proven = doubts.is_empty() && !is_behind && acknowledged > 0;
        let verdict = match (is_violated, is_proven) {
            (true, _) => Verdict::Violated,
            (false, true) => Verdict::Proven,
            (false, false) => Verdict::Insufficient,
        };
        State {
            so_far: verdict.name(),
            acknowledged,
            groups: report.groups.iter().map(GroupRow::new).collect(),
            offenders: mentions.of_offenders(&report),
            doubts,
            pending,
            lines_read: lines.read,
            lines_damaged: lines.damaged,
        }
    }

    /// The report on all lines, with the details that were seen when they arrived.
    pub fn report(&mut self, lines: Lines) -> (Report, Mentions) {
        let mut report = self.account.report();
        report.lines = lines;
        let mut mentions = Mentions::new(&report);
        if report.has_offenders() {
            self.keep_mentions(&report);
            for line in self.kept.values() {
                mentions.add(line);
                report.add_details(line);
            }
        }
        (report, mentions)
    }

    /// Keeps the recent lines that mention an offender, before they are forgotten.
    fn keep_mentions(&mut self, report: &Report) {
        if !report.has_offenders() {
            return;
        }
        let mut mentions = Mentions::new(report);
        for line in &self.recent {
            if self.kept.len() < KEPT_MAX && mentions.add(line) {
                self.kept.entry((line.instance.clone(), line.seq)).or_insert_with(|| line.clone());
            }
        }
    }
}

impl State {
    /// The state in one line, for a terminal.
    #[must_use]
    pub fn summary(&self) -> String {
        let received: Vec<String> =
            self.groups.iter().map(|group| format!("{} received {}", group.group_id, group.received())).collect();
        format!(
            "so far {}: acknowledged {}, {}; offenders {}, doubts {}, pending {}; lines {}",
            self.so_far,
            self.acknowledged,
            if received.is_empty() { "no group".to_owned() } else { received.join(", ") },
            self.offenders.len(),
            self.doubts.len(),
            self.pending.len(),
            self.lines_read
        )
    }
}
