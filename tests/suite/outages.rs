//! A broker that goes away and comes back, at 1,000 messages a second. Each of these tests has a broker of its own.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::claim::claims;
use crate::kafka::Kafka;
use crate::load::{Load, not_committed};
use crate::protocol::Protocol;
use crate::stage::Stage;

claims! {
    a_broker_that_is_stopped_and_started_loses_nothing_acknowledged(4);
    a_broker_that_is_killed_and_started_loses_nothing_acknowledged(4);
}

fn a_broker_that_is_stopped_and_started_loses_nothing_acknowledged(_: &Stage) -> Result<String> {
    a_broker_goes_away(Kafka::stop)
}

fn a_broker_that_is_killed_and_started_loses_nothing_acknowledged(_: &Stage) -> Result<String> {
    a_broker_goes_away(Kafka::kill)
}

fn a_broker_goes_away(end: fn(&Kafka) -> Result<()>) -> Result<String> {
    let kafka = Kafka::start()?;
    let load = Load::start(&kafka.entrance, 3, Protocol::Cooperative.variables().to_vec())?;
    let start = Instant::now();
    end(&kafka)?;
    // All of them have noticed, so it was away for them.
    for process in load.replicas.iter().chain([&load.producer]) {
        process.wait_for("broker unreachable");
    }
    kafka.start_again()?;
    for process in load.replicas.iter().chain([&load.producer]) {
        process.wait_for("broker reachable again");
    }
    let away_for = start.elapsed();
    load.wait_for_shares(10, &[4, 3, 3])?;
    load.wait_for_flow()?;
    // What was accepted meanwhile has waited for the broker.
    let waited = load.longest_delivery();
    ensure!(waited > Duration::from_secs(1), "the slowest message took {waited:?}: the broker was not away");
    let numbers = load.finish(not_committed(10))?;
    Ok(format!("away for {:.0} s: {numbers}", away_for.as_secs_f64()))
}
