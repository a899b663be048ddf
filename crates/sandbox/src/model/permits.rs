//! Which repeats are permitted in one partition: those of messages that were processed and not committed when their owner was killed,
//! frozen or cut off.

use rangemap::RangeInclusiveSet;

/// The received offsets of one partition and the permitted repeats among them.
#[derive(Debug, Default)]
pub(crate) struct Permits {
    received: RangeInclusiveSet<i64>,
    /// Offsets that may be received once more.
    open: RangeInclusiveSet<i64>,
}

/// What a receipt was.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Repeats {
    pub(crate) permitted: u64,
    pub(crate) not_permitted: u64,
}

impl Permits {
    /// The offset after the last received one; 0 if none was.
    pub(crate) fn next(&self) -> i64 {
        self.received.last().map_or(0, |range| range.end() + 1)
    }

    /// Permits one repeat of each received message from the offset `committed` on. Returns how many.
    pub(crate) fn permit_from(&mut self, committed: i64) -> u64 {
        if committed >= self.next() {
            return 0;
        }
        let uncommitted = committed..=self.next() - 1;
        let new: Vec<_> = self.received.overlapping(&uncommitted).cloned().collect();
        let before = size(&self.open);
        for range in new {
            self.open.insert(*range.start().max(&committed)..=*range.end());
        }
        size(&self.open) - before
    }

    /// Records a receipt. One by a replica that `is_stale` competes with the partition's new owner: both receive the same messages, and
    /// whichever is first, the other one's are permitted.
    pub(crate) fn receive(&mut self, [first, last]: [i64; 2], is_stale: bool) -> Repeats {
        let mut repeats = Repeats::default();
        if first > last {
            return repeats;
        }
        let all = first..=last;
        let again = clipped(&self.received, first, last);
        let open = clipped(&self.open, first, last);
        let repeated: u64 = again.iter().map(length).sum();
        let permitted: u64 = if is_stale { repeated } else { open.iter().map(length).sum() };
        repeats.permitted = permitted;
        repeats.not_permitted = repeated - permitted;
        if is_stale {
            // What it is the first to receive, the new owner receives again.
            for gap in self.received.gaps(&all).collect::<Vec<_>>() {
                self.open.insert(gap);
            }
        } else {
            self.open.remove(all.clone());
        }
        self.received.insert(all);
        repeats
    }
}

fn clipped(set: &RangeInclusiveSet<i64>, first: i64, last: i64) -> Vec<(i64, i64)> {
    set.overlapping(&(first..=last)).map(|range| (*range.start().max(&first), *range.end().min(&last))).collect()
}

fn length((first, last): &(i64, i64)) -> u64 {
    u64::try_from(last - first + 1).unwrap_or(0)
}

fn size(set: &RangeInclusiveSet<i64>) -> u64 {
    set.iter().map(|range| length(&(*range.start(), *range.end()))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn repeats(permitted: u64, not_permitted: u64) -> Repeats {
        Repeats { permitted, not_permitted }
    }

    #[test]
    fn only_what_was_not_committed_may_be_repeated_and_only_once() {
        let mut permits = Permits::default();
        assert_eq!(permits.receive([0, 9], false), repeats(0, 0));
        assert_eq!(permits.permit_from(7), 3);
        assert_eq!(permits.permit_from(7), 0, "the same loss, noticed twice");
        assert_eq!(permits.receive([6, 8], false), repeats(2, 1), "6 was committed");
        assert_eq!(permits.receive([9, 11], false), repeats(1, 0));
        assert_eq!(permits.receive([9, 9], false), repeats(0, 1), "its permit is used up");
    }

    #[test]
    fn nothing_is_permitted_without_a_loss() {
        let mut permits = Permits::default();
        permits.receive([0, 4], false);
        assert_eq!(permits.receive([4, 4], false), repeats(0, 1));
    }

    #[test]
    fn a_stale_owner_and_the_new_one_may_receive_the_same_in_either_order() {
        let mut permits = Permits::default();
        permits.receive([0, 4], false);
        assert_eq!(permits.receive([4, 6], true), repeats(1, 0), "4 again, 5 and 6 before the new owner");
        assert_eq!(permits.receive([5, 7], false), repeats(2, 0));
        assert_eq!(permits.receive([7, 7], true), repeats(1, 0));
        assert_eq!(permits.receive([7, 7], false), repeats(0, 1), "the new owner repeats its own message");
    }
}
