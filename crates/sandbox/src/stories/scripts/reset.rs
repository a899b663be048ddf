//! `auto.offset.reset` matters only without a committed offset.

use super::{acknowledged, group, new_group, nothing, pause, received_all_once, resume};
use crate::commands::Command;
use crate::model::Reset;
use crate::stories::{Name, Step, Story};

const EARLIEST: &str = "earliest";
const LATEST: &str = "latest";
const HALF: &str = "half";
/// How many messages the group reads before it stops.
const FIRST: u64 = 50;

pub(in crate::stories) static STORY: Story = Story {
    name: Name::Reset,
    title: "auto.offset.reset matters only without a committed offset",
    claim: "A new group with `earliest` reads all messages, a new group with `latest` only new ones, and a group that has committed \
            continues there, whatever the setting says.",
    replicas: 0,
    // Messages have one order only within a partition.
    partitions: 1,
    rate: 25.0,
    steps: &[
        Step {
            say: "The producer sends a hundred messages to a topic with one partition. Nobody reads them yet.",
            act: nothing,
            until: |view| view.acknowledged() >= 100,
        },
        Step {
            say: "It pauses. A replica of a new group starts with auto.offset.reset=earliest.",
            act: || [pause(), new_group(EARLIEST, Reset::Earliest)].concat(),
            until: |view| view.is_quiet() && view.has_committed_all(EARLIEST),
        },
        Step {
            say: "It has read all messages. A replica of another new group starts with auto.offset.reset=latest.",
            act: || new_group(LATEST, Reset::Latest),
            until: |view| view.shares(LATEST).is_some(),
        },
        Step {
            say: "It owns the partition and receives nothing, because all messages are old. So the producer sends again.",
            act: resume,
            until: |view| view.received("consumer-2") >= 10,
        },
        Step {
            say: "New messages arrive at both. A third group reads fifty messages and stops.",
            act: || {
                vec![
                    Command::Pause {},
                    Command::NewGroup { name: Some(HALF.to_owned()), reset: Reset::Earliest, max_messages: FIRST },
                ]
            },
            until: |view| view.is_quiet() && view.received("consumer-3") >= FIRST && view.is_ended("consumer-3"),
        },
        Step {
            say: "It has committed. A replica of this group starts with auto.offset.reset=latest, which has no effect now.",
            act: || vec![Command::Add { group: HALF.to_owned(), reset: Reset::Latest, max_messages: 0 }],
            until: |view| view.has_committed_all(HALF),
        },
    ],
    proof: |model, report| {
        let all = received_all_once(report, EARLIEST)?;
        received_all_once(report, HALF)?;
        let (latest, half) =
            (group(report, LATEST)?, model.replica("consumer-4").map_or(0, |replica| replica.received));
        if latest.not_owed == 0 || latest.distinct + latest.not_owed != acknowledged(report) {
            return Err(format!("the group with `latest` received {} of {all} messages", latest.distinct));
        }
        if half + FIRST != all {
            return Err(format!("after the first {FIRST} of {all} messages the group received {half}"));
        }
        Ok(format!(
            "`earliest` read all {all} messages, `latest` only the {} new ones, and the third group continued with its message {}.",
            latest.distinct,
            FIRST + 1
        ))
    },
};
