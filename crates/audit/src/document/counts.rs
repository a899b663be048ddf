//! The counts of a group. This table is the only place of the reports in JSON and HTML that knows them.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use crate::offender::Class;
use crate::report::GroupReport;

/// What it means for the verdict if a count is above zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The guarantee is violated.
    Violation,
    /// The guarantee is violated if there are more than `--max-repeats`.
    Limited,
    /// There is no proof.
    NoProof,
    /// Nothing.
    None,
}

/// One count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Its name in JSON.
    pub name: &'static str,
    /// How many messages.
    pub value: u64,
    /// What it means for the verdict.
    pub effect: Effect,
    /// What is counted.
    pub meaning: &'static str,
}

/// All counts of a group, in the order in which they are shown.
pub(super) fn counts(group: &GroupReport) -> Vec<Count> {
    use Effect::{Limited, NoProof, None, Violation};
    let count = |name, value, effect, meaning| Count { name, value, effect, meaning };
    vec![
        count("received", group.received, None, "received, repeats included"),
        count("distinct", group.distinct, None, "received, each message counted once"),
        count(
            "missing",
            group.count(Class::Missing),
            Violation,
            "acknowledged and passed over in a session of a replica",
        ),
        count("skipped", group.count(Class::Skipped), Violation, "acknowledged and passed over between two sessions"),
        count("expired", group.count(Class::Expired), Violation, "deleted by the broker before the group read it"),
        count("repeated", group.count(Class::Repeated), Limited, "received again"),
        count("produced_twice", group.count(Class::ProducedTwice), Violation, "on the broker at two offsets"),
        count(
            "phantom",
            group.count(Class::Phantom),
            Violation,
            "received although rejected, or beyond the end of its run",
        ),
        count("in_flight", group.in_flight, NoProof, "acknowledged and not reached by the group yet"),
        count("not_shown", group.not_shown, NoProof, "acknowledged and in no line of a replica; lines may be absent"),
        count("not_owed", group.not_owed, None, "acknowledged before the group began by auto.offset.reset=latest"),
        count("expired_before", group.expired_before, None, "deleted by the broker before the group began"),
        count("not_judged", group.not_judged, None, "acknowledged before the evidence begins"),
        count("unknown", group.unknown, None, "received without an acknowledgement in the lines"),
        count("foreign", group.foreign, None, "received from another producer"),
        count("bad", group.bad, None, "could not be decoded"),
    ]
}

pub(super) fn as_map<S: Serializer>(counts: &[Count], serializer: S) -> Result<S::Ok, S::Error> {
    counts.iter().map(|count| (count.name, count.value)).collect::<BTreeMap<_, _>>().serialize(serializer)
}
