//! Committed offsets: a group does not read a message again, and groups do not affect each other.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::claim::claims;
use crate::pair::{numbers, replicas, send, stop_all, wait_for_shares};
use crate::protocol::Protocol;
use crate::resources::Resources;

claims! {
    a_new_member_of_a_group_that_has_read_everything_receives_nothing(2) on Protocol::ALL;
    a_second_group_reads_everything_and_neither_group_moves_the_offsets_of_the_other(2) on Protocol::ALL;
}

/// How long a replica that has nothing to read is watched. A message that is there arrives within a fraction of this time.
pub(crate) const SILENCE: Duration = Duration::from_secs(4);

fn a_new_member_of_a_group_that_has_read_everything_receives_nothing(
    resources: &Resources,
    protocol: Protocol,
) -> Result<String> {
    let topic = resources.topic(10)?;
    send(&topic, 100)?;
    let offsets = topic.offsets("g")?;
    let mut first = replicas(&topic, "g", 2, protocol.variables());
    offsets.wait_for_all(100)?;
    stop_all(&mut first)?;

    let mut late = replicas(&topic, "g", 1, protocol.variables());
    wait_for_shares(&late, 10, &[10])?;
    ensure!(late[0].stays(SILENCE, |replica| replica.received_count() == 0), "{}", late[0].text());
    ensure!(offsets.committed()? == offsets.ends()?, "the committed offsets are not at the end of the partitions");
    // Negative control: a new message is received within the same time.
    send(&topic, 1)?;
    ensure!(!late[0].stays(SILENCE, |replica| replica.received_count() == 0), "a new message was not received");
    stop_all(&mut late)?;
    Ok(format!("committed = end = 100, silent for {} s; control: 1 new message received", SILENCE.as_secs()))
}

fn a_second_group_reads_everything_and_neither_group_moves_the_offsets_of_the_other(
    resources: &Resources,
    protocol: Protocol,
) -> Result<String> {
    let topic = resources.topic(10)?;
    send(&topic, 100)?;
    let [g_offsets, h_offsets] = [topic.offsets("g")?, topic.offsets("h")?];
    let mut g = replicas(&topic, "g", 1, protocol.variables());
    g_offsets.wait_for_all(100)?;
    stop_all(&mut g)?;
    let after_100 = g_offsets.committed()?;

    ensure!(h_offsets.committed()?.iter().sum::<i64>() == 0, "group h has offsets before it exists");
    let mut h = replicas(&topic, "h", 1, protocol.variables());
    h_offsets.wait_for_all(100)?;
    stop_all(&mut h)?;
    ensure!(numbers(&h) == (0..100).collect::<BTreeSet<_>>(), "group h received {:?}", numbers(&h));
    ensure!(g_offsets.committed()? == after_100, "h has moved the offsets of g");

    send(&topic, 20)?;
    let mut g = replicas(&topic, "g", 1, protocol.variables());
    g_offsets.wait_for_all(120)?;
    stop_all(&mut g)?;
    ensure!(h_offsets.committed()? == after_100, "g has moved the offsets of h");
    // Negative control: a move of the offsets is detected.
    ensure!(g_offsets.committed()? != after_100, "g has read 20 more messages, but its offsets have not moved");
    Ok("g read 100, h read 100 from the start and moved g by 0; g read 20 more and moved h by 0".to_owned())
}
