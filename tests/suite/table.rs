//! The table that a run of the suite ends with.

use std::any::Any;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use libtest_mimic::{Failed, Trial};

use crate::claim::Claim;
use crate::stage::Stage;

/// A row for each test that has run.
#[derive(Debug, Default)]
pub(crate) struct Table(Mutex<Vec<Row>>);

#[derive(Debug)]
struct Row {
    /// Rows stand in the order of the tests, whichever ended first.
    place: usize,
    claim: String,
    protocol: String,
    numbers: String,
    has_held: bool,
}

impl Table {
    /// The test, which leaves its row here.
    pub(crate) fn trial(self: &Arc<Self>, place: usize, claim: Claim, stage: &Arc<Stage>) -> Trial {
        let (table, stage) = (Arc::clone(self), Arc::clone(stage));
        let (title, sentence, protocol) = (claim.title(), claim.sentence(), claim.protocol);
        Trial::test(title, move || {
            let room = stage.room(claim.processes);
            let outcome = match catch_unwind(AssertUnwindSafe(|| (claim.test)(&stage))) {
                Ok(outcome) => outcome.map_err(|error| format!("{error:#}")),
                // In full it stands where the test panicked: under load that is long.
                Err(panic) => Err(text_of(&*panic).lines().next().unwrap_or_default().to_owned()),
            };
            drop(room);
            let numbers = match &outcome {
                Ok(numbers) => numbers.clone(),
                // The whole of it stands above the table.
                Err(error) => error.lines().next().unwrap_or_default().chars().take(80).collect(),
            };
            let protocol = protocol.map_or_else(|| "–".to_owned(), |it| it.to_string());
            let row = Row { place, claim: sentence, protocol, numbers, has_held: outcome.is_ok() };
            table.0.lock().unwrap_or_else(PoisonError::into_inner).push(row);
            outcome.map(drop).map_err(Failed::from)
        })
    }

    /// Prints it, in Markdown.
    pub(crate) fn print(&self) {
        let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if rows.is_empty() {
            return;
        }
        rows.sort_by_key(|row| row.place);
        let mut text = String::from("\n| claim | protocol | numbers | verdict |\n|---|---|---|---|\n");
        for Row { claim, protocol, numbers, has_held, .. } in &*rows {
            let verdict = if *has_held { "holds" } else { "FAILED" };
            text.push_str(&format!("| {claim} | {protocol} | {numbers} | {verdict} |\n"));
        }
        let held = rows.iter().filter(|row| row.has_held).count();
        text.push_str(&format!("\n{held} of {} claims hold.\n", rows.len()));
        // Whoever closed the pipe does not want the table.
        std::io::stdout().write_all(text.as_bytes()).ok();
    }
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned())).unwrap_or_else(|| "panicked".to_owned())
}
