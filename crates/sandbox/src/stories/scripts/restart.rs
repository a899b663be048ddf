//! What a group has read is not read again.

use super::{add, nothing, pause, received_all_once, resume, stop};
use crate::GROUP;
use crate::stories::{Name, Step, Story};

pub(in crate::stories) static STORY: Story = Story {
    name: Name::Restart,
    title: "What a group has read is not read again",
    claim: "When everything was read, and both replicas stop and one is started again, it receives nothing old.",
    replicas: 2,
    partitions: 10,
    rate: 10.0,
    steps: &[
        Step {
            say: "Two replicas read some fifty messages.",
            act: nothing,
            until: |view| view.acknowledged() >= 50 && view.shares(GROUP).is_some(),
        },
        Step {
            say: "The producer pauses. The group receives the rest and commits its position in each partition.",
            act: pause,
            until: |view| view.is_quiet() && view.has_committed_all(GROUP),
        },
        Step {
            say: "Both replicas are asked to stop. The committed positions stay on the broker: they belong to the group.",
            act: || vec![stop("consumer-1"), stop("consumer-2")],
            until: |view| view.is_ended("consumer-1") && view.is_ended("consumer-2"),
        },
        Step {
            say: "A new replica of the same group starts. It gets all ten partitions, and continues at the committed positions.",
            act: add,
            until: |view| view.shares(GROUP).is_some_and(|shares| shares == [10]),
        },
        Step {
            say: "It has nothing to read, so the producer sends again, and the first message that it receives is a new one.",
            act: resume,
            until: |view| view.received("consumer-3") >= 10,
        },
        Step {
            say: "The producer pauses, and the audit judges.",
            act: pause,
            until: |view| view.is_quiet() && view.has_committed_all(GROUP),
        },
    ],
    proof: |model, report| {
        let count = received_all_once(report, GROUP)?;
        let new = model.replica("consumer-3").map_or(0, |replica| replica.received);
        Ok(format!("Of {count} messages the new replica received only the {new} that were sent after it had started."))
    },
};
