//! 1, 2, 3, 10 and 11 replicas on ten partitions.

use super::{add, nothing, pause, received_all_once, resume};
use crate::GROUP;
use crate::stories::{Name, Step, Story};

pub(in crate::stories) static STORY: Story = Story {
    name: Name::Partitions,
    title: "How partitions are shared",
    claim: "Of ten partitions one replica has all, two have 5 and 5, three have 4, 3 and 3, ten have one each, and the eleventh none.",
    replicas: 1,
    partitions: 10,
    rate: 10.0,
    steps: &[
        Step {
            say: "One replica has started, and gets all ten partitions.",
            act: nothing,
            until: |view| view.acknowledged() >= 20 && view.shares(GROUP).is_some_and(|shares| shares == [10]),
        },
        // The embedded broker refuses commits while a group forms anew, and this group does so four times in a row.
        Step {
            say: "The producer pauses, and the group commits everything, so that nothing is repeated when partitions change hands.",
            act: pause,
            until: |view| view.is_quiet() && view.has_committed_all(GROUP),
        },
        Step {
            say: "A second replica joins. The group forms anew, and each gets five.",
            act: add,
            until: |view| view.shares(GROUP).is_some_and(|shares| shares == [5, 5]),
        },
        Step {
            say: "With a third replica the shares are 4, 3 and 3, because a partition is never divided.",
            act: add,
            until: |view| view.shares(GROUP).is_some_and(|shares| shares == [4, 3, 3]),
        },
        Step {
            say: "Seven more join. Ten replicas have one partition each.",
            act: || (0..7).flat_map(|_| add()).collect(),
            until: |view| view.shares(GROUP).is_some_and(|shares| shares == [1; 10]),
        },
        Step {
            say: "The eleventh gets none: it is a member, and takes over when another one fails.",
            act: add,
            until: |view| view.shares(GROUP).is_some_and(|shares| shares == [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0]),
        },
        Step {
            say: "The producer sends again: ten replicas receive messages, and the eleventh does not.",
            act: resume,
            until: |view| view.acknowledged() >= 70,
        },
        Step {
            say: "The producer pauses, and the audit judges.",
            act: pause,
            until: |view| view.is_quiet() && view.has_committed_all(GROUP),
        },
    ],
    proof: |_, report| {
        let count = received_all_once(report, GROUP)?;
        let replicas = &super::group(report, GROUP)?.replicas;
        let idle = replicas.values().filter(|replica| replica.received == 0).count();
        match (replicas.len(), idle) {
            (11, 1) => Ok(format!(
                "{count} messages were received, none of them twice, by ten replicas and not by the eleventh."
            )),
            (all, idle) => Err(format!("{idle} of {all} replicas received nothing")),
        }
    },
};
