//! Everything that needs a real Kafka, as one program: its tests share a broker, and what they saw ends it as a table.
//!
//! A test is a function that gives the numbers it saw. Its name is the claim.

mod accounts;
mod broker;
mod claim;
mod cluster;
mod compatibility;
mod dynamics;
mod elsewhere;
mod group;
mod kafka;
mod load;
mod offsets;
mod outages;
mod owners;
mod pair;
mod protocol;
mod python;
mod reset;
mod sharing;
mod stage;
mod table;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::Arguments;

use crate::stage::Stage;
use crate::table::Table;

/// So many tests at once, unless `--test-threads` says otherwise: they wait more than they work.
const THREADS: usize = 4;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(THREADS);
    let stage = Arc::new(Stage::default());
    let table = Arc::new(Table::default());
    let claims = [
        // First what takes longest.
        owners::claims(),
        dynamics::claims(),
        outages::claims(),
        sharing::claims(),
        offsets::claims(),
        reset::claims(),
        elsewhere::claims(),
        accounts::claims(),
        compatibility::claims(),
    ];
    let claims = claims.into_iter().flatten().enumerate();
    let trials = claims.map(|(place, claim)| table.trial(place, claim, &stage)).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    table.print();
    // The last one that holds the stage takes the broker down with it.
    drop(stage);
    conclusion.exit_code()
}
