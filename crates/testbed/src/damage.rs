//! Evidence that was damaged on its way to the audit.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use audit::{Account, Lines, Verdict, each_line};
use journal::from_line;
use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_oneof};
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};

use crate::process::Process;

const CASES: u32 = 300;

/// What can happen to the lines of some files on their way to the audit.
#[derive(Debug, Clone)]
enum Damage {
    LineLost(Index),
    LineDoubled(Index),
    LinesSwapped(Index, Index),
    /// The rest of the line is missing, and the next line follows directly.
    LineCut(Index, Index),
    /// Bytes of a line are overwritten, so that it is no longer valid JSON.
    LineGarbled(Index, Index),
    /// The message of a line is another one, that no version knows; the line is valid JSON.
    NameGarbled(Index),
    /// The last lines of a process are missing.
    TailCut(Index, Index),
    /// The first lines of a process are missing.
    BeginningCut(Index, Index),
    /// All lines of a process are read twice.
    FileDoubled(Index),
    /// All lines of a process are missing.
    FileLost(Index),
    /// The lines of both sides about one message are missing.
    MessageLost(Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let index = any::<Index>;
    prop_oneof![
        index().prop_map(Damage::LineLost),
        index().prop_map(Damage::LineDoubled),
        (index(), index()).prop_map(|(one, other)| Damage::LinesSwapped(one, other)),
        (index(), index()).prop_map(|(line, at)| Damage::LineCut(line, at)),
        (index(), index()).prop_map(|(line, at)| Damage::LineGarbled(line, at)),
        index().prop_map(Damage::NameGarbled),
        (index(), index()).prop_map(|(process, at)| Damage::TailCut(process, at)),
        (index(), index()).prop_map(|(process, at)| Damage::BeginningCut(process, at)),
        index().prop_map(Damage::FileDoubled),
        index().prop_map(Damage::FileLost),
        index().prop_map(Damage::MessageLost),
    ]
}

/// A line, and the number of the process that wrote it.
pub type Written = (usize, String);

fn apply(damage: &Damage, lines: &mut Vec<Written>) {
    let processes: Vec<usize> =
        lines.iter().map(|(process, _)| *process).collect::<BTreeSet<_>>().into_iter().collect();
    if lines.is_empty() {
        return;
    }
    let count = lines.len();
    // The place of the line at which the log of a process is cut.
    let place = |process: &Index, at: &Index| {
        let process = processes[process.index(processes.len())];
        let places: Vec<usize> = (0..count).filter(|place| lines[*place].0 == process).collect();
        (process, places[at.index(places.len())])
    };
    match damage {
        Damage::LineLost(line) => drop(lines.remove(line.index(count))),
        Damage::LineDoubled(line) => lines.push(lines[line.index(count)].clone()),
        Damage::LinesSwapped(one, other) => lines.swap(one.index(count), other.index(count)),
        Damage::LineCut(line, at) => {
            let line = line.index(count);
            let at = at.index(lines[line].1.len().max(1));
            lines[line].1.truncate(at);
            if line + 1 < count {
                let (_, next) = lines.remove(line + 1);
                lines[line].1.push_str(&next);
            }
        }
        Damage::LineGarbled(line, at) => {
            let (_, text) = &mut lines[line.index(count)];
            let at = at.index(text.len().max(1));
            text.truncate(at);
            text.push_str("\u{0}\u{fffd}{{");
        }
        Damage::NameGarbled(line) => {
            let (_, text) = &mut lines[line.index(count)];
            *text = text.replacen(r#""message":""#, r#""message":"~"#, 1);
        }
        Damage::TailCut(process, at) => {
            let (process, from) = place(process, at);
            let mut index = 0;
            lines.retain(|line| {
                index += 1;
                line.0 != process || index <= from
            });
        }
        Damage::BeginningCut(process, at) => {
            let (process, to) = place(process, at);
            let mut index = 0;
            lines.retain(|line| {
                index += 1;
                line.0 != process || index > to + 1
            });
        }
        Damage::FileDoubled(process) => {
            let process = processes[process.index(processes.len())];
            let again: Vec<Written> = lines.iter().filter(|line| line.0 == process).cloned().collect();
            lines.extend(again);
        }
        Damage::FileLost(process) => {
            let process = processes[process.index(processes.len())];
            lines.retain(|line| line.0 != process);
        }
        Damage::MessageLost(line) => {
            let number = lines[line.index(count)].1.split(r#""num":"#).nth(1).and_then(|rest| rest.split(',').next());
            let Some(number) = number.map(|number| format!(r#""num":{number},"#)) else { return };
            lines.retain(|(_, line)| !line.contains(&number));
        }
    }
}

/// The numbers of the lines that account for messages, by instance.
fn accounting_lines(lines: &[Written]) -> BTreeMap<String, BTreeSet<u64>> {
    let mut numbers: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    // A line that follows a cut one directly is still there as a whole.
    let whole = |text: &str| text.rfind(r#"{"timestamp":""#).and_then(|start| from_line(&text[start..]).ok());
    let known = lines.iter().filter(|(_, text)| !text.contains(r#""message":"~"#));
    for line in known.filter_map(|(_, text)| whole(text)).filter(|line| line.account) {
        numbers.entry(line.instance).or_default().insert(line.seq);
    }
    numbers
}

/// Whether every line that accounts for messages is there, apart from the last lines of a process.
fn is_whole(written: &[Written], read: &[Written]) -> bool {
    let read = accounting_lines(read);
    accounting_lines(written).iter().all(|(instance, numbers)| {
        let Some(read) = read.get(instance) else { return true };
        numbers.iter().all(|number| read.contains(number) || read.last() < Some(number))
    })
}

fn verdict(lines: &[Written]) -> (Verdict, String) {
    let text: String = lines.iter().map(|(_, line)| format!("{line}\n")).collect();
    let mut account = Account::default();
    each_line(text.as_bytes(), &mut Lines::default(), |line| account.add(line)).expect("memory can be read");
    let report = account.report();
    // A killed replica causes repeats.
    (report.verdict(u64::MAX), report.to_string())
}

/// The lines of processes, to be damaged.
pub fn written<'a>(processes: impl IntoIterator<Item = &'a Process>) -> Vec<Written> {
    let lines = processes
        .into_iter()
        .enumerate()
        .map(|(number, process)| process.text().lines().map(|line| (number, line.to_owned())).collect::<Vec<_>>());
    lines.flatten().collect()
}

/// Damages the lines of a run without losses at random, in some cases mixes in those of another run, and audits what is left.
///
/// # Panics
/// The audit reports a violation, or a proof although a line that accounts for messages is missing. It also panics if no damage, or
/// every damage, left a proof possible, because it would then show nothing.
pub fn assert_that_damage_is_never_a_violation_and_never_a_proof(written: &[Written], other: &[Written]) {
    let (whole, report) = verdict(written);
    assert_eq!(whole, Verdict::Proven, "{report}");
    let verdicts = RefCell::new(BTreeSet::new());
    let mut runner = TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&(vec(damage(), 1..4), any::<bool>()), |(damages, is_mixed)| {
        let mut lines = written.to_vec();
        damages.iter().for_each(|damage| apply(damage, &mut lines));
        // The log of another run in the same files.
        lines.extend(other.iter().filter(|_| is_mixed).cloned());
        let (verdict, report) = verdict(&lines);
        assert_ne!(verdict, Verdict::Violated, "{report}");
        assert!(verdict != Verdict::Proven || is_whole(written, &lines), "{report}");
        verdicts.borrow_mut().insert(format!("{verdict:?}"));
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(verdicts.into_inner().into_iter().collect::<Vec<_>>(), ["Insufficient", "Proven"]);
}
