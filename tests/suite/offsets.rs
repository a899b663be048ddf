//! What a group has read, it has read; what another group reads is another matter.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::claim::claims;
use crate::pair::{numbers, replicas, send, stop_all, wait_for_shares};
use crate::protocol::Protocol;
use crate::stage::Stage;

claims! {
    after_all_was_read_a_fresh_member_of_the_group_prints_nothing(2) on Protocol::ALL;
    another_group_reads_all_from_the_start_and_neither_moves_the_others_offsets(2) on Protocol::ALL;
}

/// A replica with nothing to read says nothing for so long. A message that is there comes within a fraction of it.
pub(crate) const SILENCE: Duration = Duration::from_secs(4);

fn after_all_was_read_a_fresh_member_of_the_group_prints_nothing(stage: &Stage, protocol: Protocol) -> Result<String> {
    let cluster = stage.topic(10)?;
    send(&cluster, 100)?;
    let offsets = cluster.offsets("g")?;
    let mut first = replicas(&cluster, "g", 2, protocol.variables());
    offsets.wait_for_all(100)?;
    stop_all(&mut first)?;

    let mut late = replicas(&cluster, "g", 1, protocol.variables());
    wait_for_shares(&late, 10, &[10])?;
    ensure!(late[0].stays(SILENCE, |it| it.received_count() == 0), "{}", late[0].text());
    ensure!(offsets.committed()? == offsets.ends()?, "committed offsets are not at the end");
    // Negative control: where there is something to read, the same wait sees it.
    send(&cluster, 1)?;
    ensure!(!late[0].stays(SILENCE, |it| it.received_count() == 0), "a new message is not seen");
    stop_all(&mut late)?;
    Ok(format!("committed = end = 100, silent for {} s; control: 1 new is seen", SILENCE.as_secs()))
}

fn another_group_reads_all_from_the_start_and_neither_moves_the_others_offsets(
    stage: &Stage,
    protocol: Protocol,
) -> Result<String> {
    let cluster = stage.topic(10)?;
    send(&cluster, 100)?;
    let [of_g, of_h] = [cluster.offsets("g")?, cluster.offsets("h")?];
    let mut g = replicas(&cluster, "g", 1, protocol.variables());
    of_g.wait_for_all(100)?;
    stop_all(&mut g)?;
    let hundred = of_g.committed()?;

    ensure!(of_h.committed()?.iter().sum::<i64>() == 0, "group h has offsets before it exists");
    let mut h = replicas(&cluster, "h", 1, protocol.variables());
    of_h.wait_for_all(100)?;
    stop_all(&mut h)?;
    ensure!(numbers(&h) == (0..100).collect::<BTreeSet<_>>(), "h: {:?}", numbers(&h));
    ensure!(of_g.committed()? == hundred, "h has moved the offsets of g");

    send(&cluster, 20)?;
    let mut g = replicas(&cluster, "g", 1, protocol.variables());
    of_g.wait_for_all(120)?;
    stop_all(&mut g)?;
    ensure!(of_h.committed()? == hundred, "g has moved the offsets of h");
    // Negative control: offsets that move are seen to.
    ensure!(of_g.committed()? != hundred, "g has read 20 more, and its offsets are the same");
    Ok("g 100, h 100 from the start; h's reading moves g by 0, g's by 20 moves h by 0".to_owned())
}
