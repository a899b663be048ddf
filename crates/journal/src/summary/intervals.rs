//! Numbers of messages that have no offset, with consecutive numbers joined.

/// Numbers as `[first, last]`, in the order in which they were added.
///
/// A [`Range`](crate::Range) joins messages whose offset and pseq both continue. A message that was not delivered has no offset, and its `num`
/// and `pseq` have gaps in different places, so each of the two is kept in intervals of its own.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Intervals(Vec<[u64; 2]>);

impl Intervals {
    /// Adds a number: extends the last interval if the number follows it, begins a new interval otherwise.
    pub fn push(&mut self, number: u64) {
        match self.0.last_mut() {
            Some([_, last]) if last.checked_add(1) == Some(number) => *last = number,
            _ => self.0.push([number; 2]),
        }
    }

    /// How many numbers were added.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.iter().map(|[first, last]| last - first + 1).sum()
    }

    /// How many intervals there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no number was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The intervals.
    #[must_use]
    pub fn into_inner(self) -> Vec<[u64; 2]> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consecutive_numbers_are_joined_and_none_is_dropped() {
        let mut intervals = Intervals::default();
        [1, 2, 3, 5, 4, 9, u64::MAX].into_iter().for_each(|number| intervals.push(number));
        assert_eq!((intervals.count(), intervals.len()), (7, 5));
        assert_eq!(intervals.into_inner(), [[1, 3], [5, 5], [4, 4], [9, 9], [u64::MAX, u64::MAX]]);
    }
}
