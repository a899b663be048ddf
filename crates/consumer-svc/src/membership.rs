//! Tracks whether this replica is a member of the group.

/// What is known about the membership. It continues through a rebalance, and ends when the group takes the partitions away without a
/// revocation.
#[derive(Debug, Default)]
pub(crate) struct Membership {
    is_member: bool,
    /// The highest generation seen while this replica was a member.
    generation: i32,
    /// The generation of the membership that was lost. A new membership has a higher one.
    lost_generation: i32,
    /// The generation of the last assignment.
    assigned_generation: i32,
}

impl Membership {
    /// Records that an assignment arrived. It may be empty.
    pub(crate) fn set_assigned(&mut self, generation: i32) {
        self.is_member = true;
        self.assigned_generation = generation;
    }

    /// Whether the assignment of this generation has arrived. Only the `classic` protocol sends one to every member.
    pub(crate) fn has_assignment(&self, generation: i32) -> bool {
        self.assigned_generation == generation
    }

    /// Records that the group continued without this replica.
    pub(crate) fn set_lost(&mut self) {
        self.is_member = false;
        self.lost_generation = self.generation;
    }

    /// Whether this replica is a member, given the client's present generation.
    ///
    /// With KIP-848, a replica that gets no partitions receives no assignment, so that only the generation shows its membership.
    pub(crate) fn is_member(&mut self, generation: i32) -> bool {
        self.is_member |= generation > self.lost_generation;
        if self.is_member {
            self.generation = self.generation.max(generation);
        }
        self.is_member
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_or_an_assignment_makes_a_member_until_the_membership_is_lost() {
        let mut membership = Membership::default();
        assert!(!membership.is_member(-1) && !membership.is_member(0));
        assert!(membership.is_member(3), "even without partitions");
        assert!(membership.is_member(-1), "a rebalance is under way");
        membership.set_lost();
        assert!(!membership.is_member(3), "the client still has the old generation");
        assert!(membership.is_member(4));
        membership.set_lost();
        assert!(!membership.is_member(4));
        membership.set_assigned(1);
        assert!(membership.is_member(4));
    }
}
