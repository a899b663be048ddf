//! The tests that need a real Kafka: the services run as processes against a broker in Docker, or against the cluster that
//! `E2E_BOOTSTRAP_SERVERS` names. Run them with `cargo test -p e2e-tests`; see `tests/README.md`.
//!
//! All tests are one program, because they share a broker and end in one table. The name of a test is the claim that it checks,
//! and the function returns the numbers that it saw; both go into the table.

mod accounts;
mod broker;
mod claim;
mod cluster;
mod compatibility;
mod dynamics;
mod external_broker;
mod faults;
mod group;
mod kafka;
mod load;
mod offsets;
mod outages;
mod owners;
mod pair;
mod partial_outages;
mod protocol;
mod python;
mod quotas;
mod reset;
mod resources;
mod secured;
mod sessions;
mod sharing;
mod table;
mod topic;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::Arguments;

use crate::resources::Resources;
use crate::table::Table;

/// How many tests run at once unless `--test-threads` is given. There may be more than cores, because tests mostly wait.
const TEST_THREADS: usize = 4;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(TEST_THREADS);
    let resources = Arc::new(Resources::default());
    let table = Arc::new(Table::default());
    let claims = [
        // The slowest tests come first, so that the suite does not end with a single long one.
        owners::claims(),
        dynamics::claims(),
        outages::claims(),
        partial_outages::claims(),
        quotas::claims(),
        sharing::claims(),
        offsets::claims(),
        reset::claims(),
        sessions::claims(),
        faults::claims(),
        external_broker::claims(),
        accounts::claims(),
        secured::claims(),
        compatibility::claims(),
    ];
    let claims = claims.into_iter().flatten().map(|claim| (claim, false));
    let on_request = partial_outages::claims_on_request().into_iter().map(|claim| (claim, true));
    let trials = claims
        .chain(on_request)
        .enumerate()
        .map(|(index, (claim, is_on_request))| table.trial(index, claim, &resources).with_ignored_flag(is_on_request));
    let trials = trials.collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    table.print();
    // Dropping the last reference to the resources removes the broker's container.
    drop(resources);
    conclusion.exit_code()
}
