//! A kill repeats something and loses nothing.

use audit::Class;

use super::{nothing, pause, received_all};
use crate::GROUP;
use crate::commands::Command;
use crate::stories::{Name, Step, Story};

pub(in crate::stories) static STORY: Story = Story {
    name: Name::Kill,
    title: "A kill repeats messages, and loses none",
    claim: "After a replica is killed nothing is lost, and only what it had not committed is received again.",
    replicas: 2,
    partitions: 10,
    rate: 20.0,
    steps: &[
        Step {
            say: "Two replicas share ten partitions and receive twenty messages a second. Each commits its positions once a second.",
            act: nothing,
            until: |view| {
                view.model.group(GROUP).is_some_and(|group| group.is_formed() && group.has_commits_of("consumer-1"))
            },
        },
        Step {
            say: "Now wait for the moment when consumer-1 has received a message that it has not committed yet.",
            act: nothing,
            until: |view| view.has_just_received_uncommitted("consumer-1"),
        },
        Step {
            say: "It is killed at this moment. Its partitions have no owner until the session timeout of 4 s has passed.",
            act: || vec![Command::Kill { replica: "consumer-1".to_owned() }],
            until: |view| view.is_ended("consumer-1") && view.shares(GROUP).is_some_and(|shares| shares == [10]),
        },
        Step {
            say: "consumer-2 has taken over, and continues at the committed positions: it repeats what came after them.",
            act: nothing,
            until: |view| {
                view.acknowledged() > 0
                    && view.model.group(GROUP).is_some_and(|group| group.permitted > 0 || group.is_committed())
            },
        },
        Step {
            say: "The producer pauses, consumer-2 receives the rest, and the audit judges.",
            act: pause,
            until: |view| view.is_quiet() && view.has_committed_all(GROUP),
        },
    ],
    proof: |model, report| {
        let count = received_all(report, GROUP)?;
        let repeated = super::group(report, GROUP)?.count(Class::Repeated);
        let granted = model.group(GROUP).map_or(0, |group| group.granted);
        if granted == 0 || repeated > granted {
            return Err(format!(
                "{repeated} messages were repeated, and {granted} were not committed when the replica was killed"
            ));
        }
        Ok(format!(
            "All {count} messages were received. At most {granted} were not committed at the kill, and {repeated} of them came again."
        ))
    },
};
