//! The rights that the services need: the commands of the page give them, and each is missed when it is taken away.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use audit::Verdict;
use testbed::{Process, report};

use super::listeners::Secured;
use super::{PASSWORD, Settings, at, start};
use crate::claim::claims;
use crate::pair::stop_all;
use crate::resources::Resources;
use crate::topic::Topic;

claims! {
    the_commands_of_the_page_give_the_rights_that_are_needed_and_each_of_them_is_missed(4);
}

const PAGE: &str = include_str!("../../../docs/security.md");
const REFUSED: &str = "broker refuses the account";

/// The commands in the section on minimal rights, for this topic and group.
fn commands(topic: &Topic, group: &str) -> Result<String> {
    let section = PAGE.split("\n## Minimal rights\n").nth(1).context("the section is there")?;
    let commands =
        section.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next()).context("a block of code")?;
    let commands = commands
        .replace("--bootstrap-server BROKER --command-config admin.properties", "--bootstrap-server localhost:19092")
        .replace("--topic demo", &format!("--topic {}", topic.name))
        .replace("--group demo", &format!("--group {group}"));
    ensure!(!commands.contains("demo") && !commands.contains("BROKER"), "something is not replaced: {commands}");
    Ok(commands)
}

fn the_commands_of_the_page_give_the_rights_that_are_needed_and_each_of_them_is_missed(
    resources: &Resources,
) -> Result<String> {
    let secured = resources.secured()?;
    let topic = Topic::create(&secured.endpoint(), 1)?;
    let group = topic.group("g");
    for user in ["producer", "consumer"] {
        secured.set_password(user, PASSWORD)?;
    }
    let ca = secured.file("ca.pem", &secured.authority.certificate)?;
    let account = |user| -> Settings<'_> {
        let ca = ("KAFKA_SSL_CA_LOCATION", ca.as_str());
        let scram = ("KAFKA_SASL_MECHANISM", "SCRAM-SHA-512");
        at(secured, "SCRAM", &[ca, scram, ("KAFKA_SASL_USERNAME", user), ("KAFKA_SASL_PASSWORD", PASSWORD)])
    };
    let ready = [("HTTP_ADDR", "127.0.0.1:0")];
    let producing = |user| start(&topic, true, "", &account(user), &[ready[0], ("PRODUCER_RATE_PER_SEC", "20")]);
    let consuming = |user| start(&topic, false, "g", &account(user), &ready);
    // The broker permits what nobody has been given a right for, so somebody has to be given one.
    acls(
        secured,
        &format!("--add --allow-principal User:nobody --operation Read --topic {} --group {group}", topic.name),
    )?;
    // The tool returns before the broker applies it. Who writes in between is not refused at the start.
    secured.shell(&format!(
        "export TOPIC={}; timeout 60 sh -c 'until kafka-acls.sh --bootstrap-server localhost:19092 --list --topic $TOPIC \
         | grep -q User:nobody; do sleep 0.2; done'",
        topic.name
    ))?;
    is_refused_at_the_start([producing("producer"), consuming("consumer")])?;
    // With these two it becomes a member of the group, and still may not read.
    let of_group = format!("--allow-principal User:consumer --operation Read --group {group}");
    let describe = format!("--allow-principal User:consumer --operation Describe --topic {}", topic.name);
    acls(secured, &format!("--add {of_group}"))?;
    acls(secured, &format!("--add {describe}"))?;
    is_refused_at_the_start([consuming("consumer")])?;
    acls(secured, &format!("--remove --force {describe}"))?;

    secured.shell(&commands(&topic, &group)?)?;
    let (mut producer, mut replica) = (producing("producer"), consuming("consumer"));
    producer.wait_until("deliveries", |producer| producer.delivered_count() > 20);
    replica.wait_until("messages", |replica| replica.received_count() > 20);
    // The topic has one partition, so this one stays without and receives nothing.
    let mut idle = consuming("consumer");
    idle.wait_until("membership", |idle| idle.ask("/readyz").0 == 200);

    let topic_name = &topic.name;
    let rights = [
        (true, format!("--allow-principal User:producer --operation Write --topic {topic_name}")),
        (false, format!("--allow-principal User:consumer --operation Read --topic {topic_name}")),
        (false, format!("--allow-principal User:consumer --operation Read --group {group}")),
    ];
    for (number, (is_of_producer, right)) in rights.iter().enumerate() {
        let process = if *is_of_producer { &producer } else { &replica };
        let lines = process.with_message(REFUSED).len();
        acls(secured, &format!("--remove --force {right}"))?;
        process
            .wait_until(&format!("{REFUSED} without {right}"), |process| process.with_message(REFUSED).len() > lines);
        process.wait_until("not ready", |process| process.ask("/readyz").1 == REFUSED);
        let other = if *is_of_producer { producing("producer") } else { consuming("consumer") };
        is_refused_at_the_start([other])?;
        acls(secured, &format!("--add {right}"))?;
        for process in [process, &idle] {
            process.wait_until(&format!("ready again with right {number}"), |process| process.ask("/readyz").0 == 200);
        }
    }
    // Without the right to read only, a replica still sees the topic, and messages that came before the refusal do not hide it. While the
    // group refused both, the partition may have moved.
    let owns = |process: &Process| process.owned().is_some_and(|owned| !owned.is_empty());
    let owner = if owns(&replica) { &replica } else { &idle };
    owner.wait_until("the partition", owns);
    let lines = owner.with_message(REFUSED).len();
    let refusal = format!("--deny-principal User:consumer --operation Read --topic {topic_name}");
    acls(secured, &format!("--add {refusal}"))?;
    owner.wait_until("a refusal to read", |owner| owner.with_message(REFUSED).len() > lines);
    owner.wait_until("not ready", |owner| owner.ask("/readyz").1 == REFUSED);
    acls(secured, &format!("--remove --force {refusal}"))?;
    replica.wait_until("ready again", |replica| replica.ask("/readyz").0 == 200);
    idle.wait_until("ready", |idle| idle.ask("/readyz").0 == 200);
    let delivered = producer.delivered_count();
    producer.wait_until("deliveries", |producer| producer.delivered_count() > delivered + 20);
    // Without the right to write, the broker rejects messages, which the producer accounts for and reports with its exit code.
    let (code, _) = producer.stop();
    ensure!(code == Some(1) && producer.text().contains("\"outcome\":\"rejected\""), "{}", producer.text());
    let sent = producer.delivered_count();
    replica.wait_until("all messages", |replica| {
        let distinct: BTreeSet<u64> = replica.received().into_iter().chain(idle.received()).collect();
        distinct.len() as u64 >= sent
    });
    stop_all([&mut replica, &mut idle])?;
    let report = report([&producer, &replica, &idle]);
    // Without the right to its group a replica receives and cannot commit, so there may be any number of repeats.
    ensure!(report.verdict(u64::MAX) == Verdict::Proven, "{report}");
    Ok(format!(
        "3 rights, each missed by a running service and by one that starts, and a refusal to read only; {sent} acknowledged, 0 missing"
    ))
}

fn acls(secured: &Secured, arguments: &str) -> Result<()> {
    secured.shell(&format!("kafka-acls.sh --bootstrap-server localhost:19092 {arguments}"))
}

fn is_refused_at_the_start<const N: usize>(mut services: [Process; N]) -> Result<()> {
    for service in &mut services {
        ensure!(service.wait().code() == Some(77), "{}", service.text());
        ensure!(service.with_message(REFUSED).len() == 1, "{}", service.text());
    }
    Ok(())
}
