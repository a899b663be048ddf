//! Two replicas share the messages.

use super::{nothing, pause, received_all_once};
use crate::GROUP;
use crate::stories::{Name, Step, Story};

pub(in crate::stories) static STORY: Story = Story {
    name: Name::Share,
    title: "Two replicas share the messages",
    claim: "With two replicas in one group nothing is read twice and nothing is missed.",
    replicas: 2,
    partitions: 10,
    rate: 10.0,
    steps: &[
        Step {
            say: "Two replicas of one group have started, and the group divides the ten partitions between them.",
            act: nothing,
            until: |view| view.shares(GROUP).is_some_and(|shares| shares == [5, 5]),
        },
        Step {
            say: "Each replica owns five partitions, and each message lies in one of them, so one replica receives it.",
            act: nothing,
            until: |view| view.acknowledged() >= 100,
        },
        Step {
            say: "A hundred messages are on the broker: the producer pauses, and the replicas receive the rest.",
            act: pause,
            until: |view| view.is_quiet() && view.has_committed_all(GROUP),
        },
        Step {
            say: "Everything is received and committed. The audit reads the lines of all processes and judges.",
            act: nothing,
            until: |_| true,
        },
    ],
    proof: |_, report| {
        let count = received_all_once(report, GROUP)?;
        let shares: Vec<u64> = super::group(report, GROUP)?.replicas.values().map(|replica| replica.received).collect();
        match shares.as_slice() {
            [one, other] if *one > 0 && *other > 0 => Ok(format!(
                "{count} messages were received, {one} by one replica and {other} by the other, and none twice."
            )),
            _ => Err(format!("the replicas received {shares:?} messages")),
        }
    },
};
