//! One producer and two replicas: in one group they share the messages, in two groups they do not.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use audit::Verdict;
use testbed::report;

use crate::claim::claims;
use crate::pair::{numbers, received, replicas, send, stop_all, wait_for_shares};
use crate::protocol::Protocol;
use crate::resources::Resources;

claims! {
    two_replicas_of_a_group_share_all_messages_without_loss_or_repeats(3) on Protocol::ALL;
    replicas_of_two_groups_taken_for_one_are_reported_to_repeat_every_message(3);
}

fn two_replicas_of_a_group_share_all_messages_without_loss_or_repeats(
    resources: &Resources,
    protocol: Protocol,
) -> Result<String> {
    let topic = resources.topic(10)?;
    let mut replicas = replicas(&topic, "g", 2, protocol.variables());
    wait_for_shares(&replicas, 10, &[5, 5])?;
    let producer = send(&topic, 100)?;
    replicas[0].wait_until("all messages", |_| received(&replicas) >= 100);
    // Stop both at once, before the periodic commit: the last offsets are committed only on the way out.
    stop_all(&mut replicas)?;

    let report = report(replicas.iter().chain([&producer]));
    ensure!(report.verdict(0) == Verdict::Proven, "{report}");
    let [first, second] = [0, 1].map(|index| numbers([&replicas[index]]));
    ensure!(!first.is_empty() && !second.is_empty(), "one replica has received nothing");
    ensure!(first.is_disjoint(&second), "both received {:?}", first.intersection(&second));
    ensure!(&first | &second == (0..100).collect::<BTreeSet<_>>(), "received only {first:?} and {second:?}");
    Ok(format!("{} + {} received, 100 distinct, 0 missing, 0 repeated", first.len(), second.len()))
}

/// Negative control of the test above: in the logs of two replicas of different groups, the group ids are made equal.
fn replicas_of_two_groups_taken_for_one_are_reported_to_repeat_every_message(resources: &Resources) -> Result<String> {
    let topic = resources.topic(10)?;
    let producer = send(&topic, 100)?;
    let mut replicas =
        [replicas(&topic, "g", 1, &[]), replicas(&topic, "h", 1, &[])].map(|mut replicas| replicas.remove(0));
    replicas[0].wait_until("all messages, twice", |_| received(&replicas) >= 200);
    stop_all(&mut replicas)?;
    let mut account = audit::Account::new(audit::Options::complete());
    for process in replicas.iter().chain([&producer]) {
        let text = process.text().replace(&topic.group("h"), &topic.group("g"));
        audit::each_line(text.as_bytes(), &mut audit::Lines::default(), |line| account.add(line))?;
    }
    let report = account.report();
    ensure!(report.verdict(0) == Verdict::Violated, "{report}");
    ensure!(report.groups[0].count(audit::Class::Repeated) == 100, "{report}");
    Ok("control: 100 repeated of 100".to_owned())
}
