//! The table that the suite prints at its end.

use std::any::Any;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use libtest_mimic::{Failed, Trial};

use crate::claim::Claim;
use crate::resources::Resources;

/// A row for each test that has ended.
#[derive(Debug, Default)]
pub(crate) struct Table(Mutex<Vec<Row>>);

#[derive(Debug)]
struct Row {
    /// Position of the test in the suite. The rows have this order, whichever test ends first.
    index: usize,
    claim: String,
    variant: String,
    numbers: String,
    has_held: bool,
}

impl Table {
    /// Makes a trial of a claim, which adds its row to this table.
    pub(crate) fn trial(self: &Arc<Self>, index: usize, claim: Claim, resources: &Arc<Resources>) -> Trial {
        let (table, resources) = (Arc::clone(self), Arc::clone(resources));
        let (title, sentence, variant) = (claim.title(), claim.sentence(), claim.variant.clone());
        Trial::test(title, move || {
            let slots = resources.reserve(claim.processes);
            let outcome = match catch_unwind(AssertUnwindSafe(|| (claim.test)(&resources))) {
                Ok(outcome) => outcome.map_err(|error| format!("{error:#}")),
                // The panic handler has printed the whole message, which is long under load.
                Err(panic) => Err(shortened(&text_of(&*panic))),
            };
            drop(slots);
            let numbers = match &outcome {
                Ok(numbers) => numbers.clone(),
                // The test harness prints the whole error above the table.
                Err(error) => shortened(error),
            };
            let variant = variant.unwrap_or_else(|| "–".to_owned());
            let row = Row { index, claim: sentence, variant, numbers, has_held: outcome.is_ok() };
            table.0.lock().unwrap_or_else(PoisonError::into_inner).push(row);
            outcome.map(drop).map_err(Failed::from)
        })
    }

    /// Prints the table in Markdown, if any test has run.
    pub(crate) fn print(&self) {
        let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if rows.is_empty() {
            return;
        }
        rows.sort_by_key(|row| row.index);
        let mut text = String::from("\n| claim | with | numbers | verdict |\n|---|---|---|---|\n");
        for Row { claim, variant, numbers, has_held, .. } in &*rows {
            let verdict = if *has_held { "holds" } else { "FAILED" };
            text.push_str(&format!("| {claim} | {variant} | {numbers} | {verdict} |\n"));
        }
        let held = rows.iter().filter(|row| row.has_held).count();
        text.push_str(&format!("\n{held} of {} claims hold.\n", rows.len()));
        // Writing fails if the reader has closed the pipe, and then the exit code still states the outcome.
        std::io::stdout().write_all(text.as_bytes()).ok();
    }
}

/// The beginning and the end of an error, as one line. It often contains the output of a service, whose last line says how it ended.
fn shortened(error: &str) -> String {
    const BEGINNING: usize = 200;
    const END: usize = 400;
    let text: Vec<char> = error.trim_end().replace(['\n', '|'], " ").chars().collect();
    if text.len() <= BEGINNING + END {
        return text.iter().collect();
    }
    let beginning = text.iter().take(BEGINNING);
    let end = text.iter().skip(text.len() - END);
    beginning.chain(&[' ', '…', ' ']).chain(end).collect()
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned())).unwrap_or_else(|| "panicked".to_owned())
}
