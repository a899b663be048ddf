//! A broker that goes away and comes back, at 1,000 messages a second. Each of these tests has a broker of its own.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::broker::Broker;
use crate::claim::claims;
use crate::load::{Load, not_committed};
use crate::protocol::Protocol;
use crate::stage::Stage;

const DEFAULT_AND_KIP_848: [Protocol; 2] = [Protocol::Cooperative, Protocol::Consumer];

// A broker that starts keeps the machine as busy as some services do.
claims! {
    a_broker_that_is_stopped_and_started_loses_nothing_acknowledged(8) on DEFAULT_AND_KIP_848;
    a_broker_that_is_killed_and_started_loses_nothing_acknowledged(8) on DEFAULT_AND_KIP_848;
}

fn a_broker_that_is_stopped_and_started_loses_nothing_acknowledged(_: &Stage, protocol: Protocol) -> Result<String> {
    a_broker_goes_away(protocol, Broker::stop)
}

fn a_broker_that_is_killed_and_started_loses_nothing_acknowledged(_: &Stage, protocol: Protocol) -> Result<String> {
    a_broker_goes_away(protocol, Broker::kill)
}

fn a_broker_goes_away(protocol: Protocol, end: fn(&Broker) -> Result<()>) -> Result<String> {
    let broker = Broker::start()?;
    let load = Load::start(&broker.entrance(), 3, protocol.variables().to_vec())?;
    let start = Instant::now();
    end(&broker)?;
    // All of them have noticed, so it was away for them.
    for process in load.replicas.iter().chain([&load.producer]) {
        process.wait_for("broker unreachable");
    }
    broker.start_again()?;
    load.offsets.wait_until("the broker's answer", |_, _| true)?;
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
