//! Whether the group counts this replica among its members.

use rdkafka::bindings::{
    rd_kafka_consumer_group_metadata, rd_kafka_consumer_group_metadata_destroy,
    rd_kafka_consumer_group_metadata_generation_id,
};
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};

/// What is known of the membership. It stays through a rebalance, and ends when the group takes the partitions without
/// asking.
#[derive(Debug, Default)]
pub(crate) struct Membership {
    is_member: bool,
    /// As last seen of a member.
    generation: i32,
    /// Of the membership that was lost: a new one has a higher generation.
    lost: i32,
    /// Of the last assignment.
    assigned: i32,
}

impl Membership {
    /// The group has given an assignment, if only an empty one.
    pub(crate) fn assigned(&mut self, generation: i32) {
        self.is_member = true;
        self.assigned = generation;
    }

    /// Whether the assignment of this generation has arrived. Only `classic` gives one to every member.
    pub(crate) fn has_assignment(&self, generation: i32) -> bool {
        self.assigned == generation
    }

    /// The group has gone on without this replica.
    pub(crate) fn lost(&mut self) {
        self.is_member = false;
        self.lost = self.generation;
    }

    /// Whether it is a member, now that the client has this generation.
    ///
    /// With KIP-848 a replica that gets no partition hears of no assignment; then the generation is all there is to see.
    pub(crate) fn is_there(&mut self, generation: i32) -> bool {
        self.is_member |= generation > self.lost;
        if self.is_member {
            self.generation = self.generation.max(generation);
        }
        self.is_member
    }
}

/// The generation (`classic`) or member epoch (`consumer`, KIP-848) that the coordinator has given; none is below 1.
#[expect(unsafe_code, reason = "rdkafka has no safe way to ask for the generation")]
pub(crate) fn generation<C: ConsumerContext>(consumer: &BaseConsumer<C>) -> i32 {
    // SAFETY: the pointer is that of a client which the reference keeps alive. What the first call gives is null or ours,
    // and is destroyed once, after its last use.
    unsafe {
        let metadata = rd_kafka_consumer_group_metadata(consumer.client().native_ptr());
        if metadata.is_null() {
            return -1;
        }
        let generation = rd_kafka_consumer_group_metadata_generation_id(metadata);
        rd_kafka_consumer_group_metadata_destroy(metadata);
        generation
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_or_an_assignment_makes_a_member_until_it_is_lost() {
        let mut membership = Membership::default();
        assert!(!membership.is_there(-1) && !membership.is_there(0));
        assert!(membership.is_there(3), "without any partition");
        assert!(membership.is_there(-1), "a rebalance is on its way");
        membership.lost();
        assert!(!membership.is_there(3), "the client still has the old generation");
        assert!(membership.is_there(4));
        membership.lost();
        assert!(!membership.is_there(4));
        membership.assigned(1);
        assert!(membership.is_there(4));
    }
}
