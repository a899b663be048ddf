//! One producer and two replicas of one group.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use audit::Verdict;
use testbed::report;

use crate::claim::claims;
use crate::pair::{numbers, received, replicas, send, stop_all, wait_for_shares};
use crate::protocol::Protocol;
use crate::stage::Stage;

claims! {
    two_replicas_of_a_group_neither_repeat_nor_miss_a_message(3) on Protocol::ALL;
    two_replicas_that_do_not_share_are_found_to_repeat(3);
}

fn two_replicas_of_a_group_neither_repeat_nor_miss_a_message(stage: &Stage, protocol: Protocol) -> Result<String> {
    let cluster = stage.topic(10)?;
    let mut replicas = replicas(&cluster, "g", 2, protocol.variables());
    wait_for_shares(&replicas, 10, &[5, 5])?;
    let producer = send(&cluster, 100)?;
    replicas[0].wait_until("all", |_| received(&replicas) >= 100);
    // At once, and with offsets that are not committed yet.
    stop_all(&mut replicas)?;

    let report = report(replicas.iter().chain([&producer]));
    ensure!(report.verdict(0) == Verdict::Proven, "{report}");
    let [one, other] = [0, 1].map(|it| numbers([&replicas[it]]));
    ensure!(!one.is_empty() && !other.is_empty(), "one of them has received nothing");
    ensure!(one.is_disjoint(&other), "both received {:?}", one.intersection(&other));
    ensure!(&one | &other == (0..100).collect::<BTreeSet<_>>(), "numbers are missing");
    Ok(format!("{} + {} received, 100 different, 0 missing, 0 repeated", one.len(), other.len()))
}

/// Negative control of the test above: two groups that are taken for one.
fn two_replicas_that_do_not_share_are_found_to_repeat(stage: &Stage) -> Result<String> {
    let cluster = stage.topic(10)?;
    let producer = send(&cluster, 100)?;
    let mut replicas = [replicas(&cluster, "g", 1, &[]), replicas(&cluster, "h", 1, &[])].map(|mut it| it.remove(0));
    replicas[0].wait_until("all, twice", |_| received(&replicas) >= 200);
    stop_all(&mut replicas)?;
    let mut account = audit::Account::default();
    for process in replicas.iter().chain([&producer]) {
        let text = process.text().replace(&cluster.group("h"), &cluster.group("g"));
        audit::each_line(text.as_bytes(), &mut audit::Lines::default(), |line| account.add(line))?;
    }
    let report = account.report();
    ensure!(report.verdict(0) == Verdict::Violated, "{report}");
    ensure!(report.groups[0].repeated() == 100, "{report}");
    Ok("control: 100 repeated of 100".to_owned())
}
