//! The counts of a group. This table is the only place of the reports in JSON and HTML that knows them.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use crate::effect::Effect;
use crate::offender::Class;
use crate::report::GroupReport;

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

impl Count {
    /// Whether this count violates the guarantee, if each group may have at most `max_repeats` repeats.
    pub(crate) fn is_violation(&self, max_repeats: u64) -> bool {
        self.effect.is_violation(self.value, max_repeats)
    }
}

/// All counts of a group, in the order in which they are shown.
pub(super) fn counts(group: &GroupReport) -> Vec<Count> {
    use Effect::{NoProof, None};
    let count = |name, value, effect, meaning| Count { name, value, effect, meaning };
    let offenders = |name, class, meaning| count(name, group.count(class), class.effect(), meaning);
    vec![
        count("received", group.received, None, "received, repeats included"),
        count("distinct", group.distinct, None, "received, each message counted once"),
        offenders("missing", Class::Missing, "acknowledged and passed over in a session of a replica"),
        offenders("skipped", Class::Skipped, "acknowledged and passed over between two sessions"),
        offenders("expired", Class::Expired, "deleted by the broker before the group read it"),
        offenders("repeated", Class::Repeated, "received again"),
        offenders("produced_twice", Class::ProducedTwice, "on the broker at two offsets"),
        offenders("phantom", Class::Phantom, "received although rejected, or beyond the end of its run"),
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
