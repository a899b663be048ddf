//! The lines of one process: which were read, and which are missing.

use rangemap::RangeInclusiveSet;

/// What is known about the lines of one process, which numbers them from 0 without gaps.
#[derive(Debug, Default)]
pub(crate) struct Instance {
    /// The numbers of the lines that were read.
    read: RangeInclusiveSet<u64>,
    /// The highest number that was read without a gap below it, plus one. Lines mostly come in order, and comparing with this is
    /// faster than a look-up in the set.
    next: u64,
    /// The number of messages that the last line, `service stopped`, states.
    pub(crate) stated_count: Option<u64>,
    /// Whether its lines are about another topic or group than the audit was asked about.
    pub(crate) is_out_of_scope: bool,
    /// Whether a line was read of which the account did not take what it says about messages. That is as good as a missing line.
    pub(crate) has_unusable_line: bool,
}

impl Instance {
    /// Records that the line with this number was read. Returns whether it was read for the first time.
    pub(crate) fn record(&mut self, seq: u64) -> bool {
        if seq == self.next {
            self.next += 1;
            // Lines that were read earlier may follow.
            if !self.read.is_empty() {
                self.absorb();
            }
            return true;
        }
        if seq < self.next || self.read.contains(&seq) {
            return false;
        }
        self.read.insert(seq..=seq);
        true
    }

    /// Moves `next` over the lines that were read ahead of it.
    fn absorb(&mut self) {
        if let Some(range) = self.read.get(&self.next).cloned() {
            self.next = range.end() + 1;
            self.read.remove(range);
        }
    }

    /// The missing lines: intervals of numbers below the highest one that was read.
    pub(crate) fn missing_lines(&self) -> Vec<(u64, u64)> {
        let Some(last) = self.read.last() else { return Vec::new() };
        self.read.gaps(&(self.next..=*last.end())).map(|gap| (*gap.start(), *gap.end())).collect()
    }

    /// The lowest number of a missing line.
    pub(crate) fn first_missing(&self) -> Option<u64> {
        self.has_gap().then_some(self.next)
    }

    /// Whether lines are missing below the highest number that was read.
    pub(crate) fn has_gap(&self) -> bool {
        !self.read.is_empty()
    }

    /// Whether the first lines are missing.
    pub(crate) fn is_cut(&self) -> bool {
        self.next == 0 && self.has_gap()
    }

    /// Whether lines are missing after the first one that was read.
    pub(crate) fn has_inner_gap(&self) -> bool {
        self.missing_lines().len() > usize::from(self.is_cut())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(numbers: impl IntoIterator<Item = u64>) -> Instance {
        let mut instance = Instance::default();
        numbers.into_iter().for_each(|seq| assert!(instance.record(seq), "{seq}"));
        instance
    }

    #[test]
    fn lines_in_any_order_leave_no_gap() {
        for numbers in [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 4, 0, 1, 3]] {
            let instance = instance(numbers);
            assert!(!instance.has_gap() && instance.missing_lines().is_empty() && instance.first_missing().is_none());
        }
    }

    #[test]
    fn a_line_that_is_read_again_is_recognised() {
        let mut instance = instance([0, 1, 5, 6]);
        assert!([0, 1, 5, 6].into_iter().all(|seq| !instance.record(seq)));
    }

    #[test]
    fn gaps_are_reported_from_the_first_number_to_the_last_one_read() {
        assert_eq!(instance([2, 3, 7]).missing_lines(), [(0, 1), (4, 6)]);
        assert_eq!(instance([0, 1, 3]).missing_lines(), [(2, 2)]);
        assert_eq!(instance([0, 1, 3, 6]).first_missing(), Some(2));
        assert_eq!(instance([u64::MAX - 1]).missing_lines(), [(0, u64::MAX - 2)]);
        assert_eq!(instance([u64::MAX - 1, u64::MAX]).missing_lines(), [(0, u64::MAX - 2)]);
    }
}
