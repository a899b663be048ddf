//! Numbers in the order they come, with neighbours joined.

/// Numbers as `[first, last]`.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Intervals(pub(crate) Vec<[u64; 2]>);

impl Intervals {
    pub(crate) fn push(&mut self, number: u64) {
        match self.0.last_mut() {
            Some([_, last]) if last.checked_add(1) == Some(number) => *last = number,
            _ => self.0.push([number; 2]),
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.iter().map(|[first, last]| last - first + 1).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_joined_and_nothing_is_dropped() {
        let mut intervals = Intervals::default();
        [1, 2, 3, 5, 4, 9, u64::MAX].into_iter().for_each(|number| intervals.push(number));
        assert_eq!(intervals.0, [[1, 3], [5, 5], [4, 4], [9, 9], [u64::MAX, u64::MAX]]);
        assert_eq!(intervals.count(), 7);
    }
}
