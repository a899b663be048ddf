//! The stories. `docs/consumer-groups.md` makes the same claims with commands to try.

pub(super) mod groups;
pub(super) mod kill;
pub(super) mod partitions;
pub(super) mod reset;
pub(super) mod restart;
pub(super) mod share;

use audit::{Class, GroupReport, Report};

use crate::GROUP;
use crate::commands::Command;
use crate::model::Reset;

fn nothing() -> Vec<Command> {
    Vec::new()
}

fn pause() -> Vec<Command> {
    vec![Command::Pause {}]
}

fn resume() -> Vec<Command> {
    vec![Command::Resume {}]
}

fn add() -> Vec<Command> {
    vec![Command::Add { group: GROUP.to_owned(), reset: Reset::Earliest, max_messages: 0 }]
}

fn stop(replica: &str) -> Command {
    Command::Stop { replica: replica.to_owned() }
}

fn new_group(name: &str, reset: Reset) -> Vec<Command> {
    vec![Command::NewGroup { name: Some(name.to_owned()), reset, max_messages: 0 }]
}

fn acknowledged(report: &Report) -> u64 {
    report.runs.iter().map(|run| run.acknowledged).sum()
}

fn group<'a>(report: &'a Report, name: &str) -> Result<&'a GroupReport, String> {
    let group = report.groups.iter().find(|group| group.group_id == name);
    group.ok_or_else(|| format!("group {name} has received nothing"))
}

/// How many messages the group received, if it is all that was acknowledged.
fn received_all(report: &Report, name: &str) -> Result<u64, String> {
    let (group, acknowledged) = (group(report, name)?, acknowledged(report));
    if group.distinct == acknowledged && acknowledged > 0 {
        Ok(acknowledged)
    } else {
        Err(format!("{acknowledged} messages were acknowledged, and group {name} received {}", group.distinct))
    }
}

/// How many messages the group received, if it is all that was acknowledged, and none of them twice.
fn received_all_once(report: &Report, name: &str) -> Result<u64, String> {
    let count = received_all(report, name)?;
    match group(report, name)?.count(Class::Repeated) {
        0 => Ok(count),
        repeated => Err(format!("group {name} repeated {repeated} messages")),
    }
}
