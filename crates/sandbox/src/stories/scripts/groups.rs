//! Another group reads everything.

use super::{new_group, nothing, pause, received_all_once};
use crate::GROUP;
use crate::model::Reset;
use crate::stories::{Name, Step, Story};

const OTHER: &str = "other";

pub(in crate::stories) static STORY: Story = Story {
    name: Name::Groups,
    title: "Another group reads everything",
    claim: "With another group id everything is read again from the start, and groups do not affect each other.",
    replicas: 1,
    partitions: 10,
    rate: 10.0,
    steps: &[
        Step {
            say: "One replica of the group `sandbox` reads some fifty messages.",
            act: nothing,
            until: |view| view.acknowledged() >= 50 && view.shares(GROUP).is_some(),
        },
        Step {
            say: "The producer pauses, and the group has received and committed everything.",
            act: pause,
            until: |view| view.is_quiet() && view.has_committed_all(GROUP),
        },
        Step {
            say: "A replica of another group starts. Reading removes nothing from a partition, and this group has no committed position.",
            act: || new_group(OTHER, Reset::Earliest),
            until: |view| view.shares(OTHER).is_some(),
        },
        Step {
            say: "So it begins at the oldest message and reads everything again, while the first group receives nothing.",
            act: nothing,
            until: |view| view.has_committed_all(OTHER),
        },
    ],
    proof: |_, report| {
        let count = received_all_once(report, GROUP)?;
        received_all_once(report, OTHER)?;
        Ok(format!("Both groups received all {count} messages, each of them once."))
    },
};
