//! What a step may wait for.

use std::time::{Duration, Instant};

use crate::evidence::Evidence;
use crate::model::Model;

/// A message that arrived within this time has just arrived.
const JUST_NOW: Duration = Duration::from_millis(20);

/// The demonstration as a story sees it.
pub(crate) struct View<'a> {
    pub(crate) model: &'a Model,
    pub(crate) evidence: &'a Evidence,
}

impl View<'_> {
    /// How many messages the broker has acknowledged.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.model.producer.acknowledged
    }

    /// Whether the producer is paused, and each message that it sent has its acknowledgement.
    pub(crate) fn is_quiet(&self) -> bool {
        let ends: i64 = self.model.topic.ends.iter().sum();
        self.model.producer.state == "paused" && u64::try_from(ends) == Ok(self.acknowledged())
    }

    /// How many partitions each live replica of a group owns, the largest first; `None` while the group forms.
    pub(crate) fn shares(&self, group: &str) -> Option<Vec<usize>> {
        self.model.group(group).filter(|group| group.is_formed())?;
        let members: Vec<_> = self.model.live_replicas(group).collect();
        let mut shares: Vec<usize> = members.iter().map(|replica| replica.owned.len()).collect();
        shares.sort_unstable_by(|a, b| b.cmp(a));
        let is_settled = members.iter().all(|replica| replica.has_joined)
            && shares.iter().sum::<usize>() == self.model.topic.partitions();
        is_settled.then_some(shares)
    }

    /// Whether the group has received everything that was acknowledged.
    pub(crate) fn has_received_all(&self, group: &str) -> bool {
        self.acknowledged() > 0 && self.evidence.in_flight(group) == 0
    }

    /// Whether the group has received and committed everything that was acknowledged.
    pub(crate) fn has_committed_all(&self, group: &str) -> bool {
        self.has_received_all(group) && self.model.group(group).is_some_and(|group| group.is_committed())
    }

    pub(crate) fn received(&self, replica: &str) -> u64 {
        self.model.replica(replica).map_or(0, |replica| replica.received)
    }

    pub(crate) fn is_ended(&self, replica: &str) -> bool {
        self.model.replica(replica).is_none_or(|replica| !replica.state.is_alive())
    }

    /// Whether the replica has received a message just now that is not committed.
    pub(crate) fn has_just_received_uncommitted(&self, name: &str) -> bool {
        let Some(replica) = self.model.replica(name) else { return false };
        let is_new = replica.received_at.is_some_and(|at| Instant::now().saturating_duration_since(at) < JUST_NOW);
        is_new && self.model.group(&replica.group).is_some_and(|group| group.has_uncommitted(name))
    }
}
