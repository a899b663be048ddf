//! Judges files as they are.

use anyhow::Result;
use audit::{Lines, Mentions, Timeline};

use super::arguments::{Arguments, Format};
use super::input::Input;
use super::output;
use super::progress::Progress;

/// Reads all inputs to their ends, writes the report, and returns the exit code.
///
/// The lines are read twice if there are offenders, because these are known only at the end of the first pass.
///
/// # Errors
/// An input can't be read, or the report can't be written.
pub(super) fn judge(arguments: &Arguments) -> Result<u8> {
    let mut inputs = Input::open_all(&arguments.files())?;
    let mut account = arguments.account();
    let mut lines = Lines::default();
    let mut timeline = (arguments.format != Format::Text).then(Timeline::default);
    let progress = Progress::new("reading", Input::total(&inputs));
    for input in &mut inputs {
        input.each_line(&progress, &mut lines, |line| {
            account.add(line);
            if let Some(timeline) = &mut timeline {
                timeline.add(line);
            }
        })?;
    }
    drop(progress);
    let mut report = account.report();
    report.lines = lines;
    let mut mentions = Mentions::new(&report);
    if report.has_offenders() {
        let progress = Progress::new("naming the offenders", Input::total(&inputs));
        for input in &mut inputs {
            input.each_line(&progress, &mut Lines::default(), |line| {
                report.add_details(line);
                mentions.add(line);
            })?;
        }
    }
    output::write(arguments, &report, &mentions, timeline.as_ref(), false)
}
