//! A broker that is away for a while, at 1,000 messages a second. Each test has a broker of its own.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::broker::Broker;
use crate::claim::claims;
use crate::load::{Load, arriving_in, not_committed};
use crate::protocol::Protocol;
use crate::resources::Resources;

const DEFAULT_AND_KIP_848: [Protocol; 2] = [Protocol::Cooperative, Protocol::Consumer];

// Four service processes run, but a broker that starts keeps the machine as busy as four more.
claims! {
    no_acknowledged_message_is_lost_when_the_broker_is_stopped_and_restarted(8) on DEFAULT_AND_KIP_848;
    no_acknowledged_message_is_lost_when_the_broker_is_killed_and_restarted(8) on DEFAULT_AND_KIP_848;
}

fn no_acknowledged_message_is_lost_when_the_broker_is_stopped_and_restarted(
    _: &Resources,
    protocol: Protocol,
) -> Result<String> {
    nothing_is_lost_while_the_broker_is_away(protocol, Broker::stop)
}

fn no_acknowledged_message_is_lost_when_the_broker_is_killed_and_restarted(
    _: &Resources,
    protocol: Protocol,
) -> Result<String> {
    nothing_is_lost_while_the_broker_is_away(protocol, Broker::kill)
}

fn nothing_is_lost_while_the_broker_is_away(protocol: Protocol, stop: fn(&Broker) -> Result<()>) -> Result<String> {
    let broker = Broker::start()?;
    let load = Load::start(&broker.endpoint(), 3, protocol.variables().to_vec())?;
    let start = Instant::now();
    stop(&broker)?;
    // Wait until every process has noticed: only then was the broker away for all of them.
    for process in load.replicas.iter().chain([&load.producer]) {
        process.wait_for("broker unreachable");
    }
    broker.restart()?;
    load.offsets.wait_until("an answer from the broker", |_, _| true)?;
    for process in load.replicas.iter().chain([&load.producer]) {
        process.wait_for("broker reachable again");
    }
    let away_for = start.elapsed();
    load.wait_for_shares(10, &[4, 3, 3])?;
    load.wait_for_flow()?;
    // Messages that the producer accepted meanwhile had to wait for the broker.
    let waited = load.longest_delivery();
    ensure!(
        waited > Duration::from_secs(1),
        "the broker was not away: the slowest message was acknowledged after {waited:?}"
    );
    // A broker that was killed may have forgotten the members of the group. They read the messages that waited, until the first
    // heartbeat or commit tells them so, and the group then continues from the last commit before the outage.
    let numbers = load.finish(not_committed(10) + arriving_in(10, away_for))?;
    Ok(format!("away for {:.0} s: {numbers}", away_for.as_secs_f64()))
}
