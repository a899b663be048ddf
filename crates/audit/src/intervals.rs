//! Arithmetic on intervals of offsets and of pseq. An interval is a pair: its first and its last number.

use rangemap::RangeInclusiveSet;

/// The numbers in `first..=last`.
pub(crate) fn length(first: i64, last: i64) -> u64 {
    first.abs_diff(last) + 1
}

/// The numbers in all `intervals` together.
pub(crate) fn total_length(intervals: &[(i64, i64)]) -> u64 {
    intervals.iter().map(|(first, last)| length(*first, *last)).sum()
}

/// The numbers in `set`.
pub(crate) fn size(set: &RangeInclusiveSet<i64>) -> u64 {
    set.iter().map(|range| length(*range.start(), *range.end())).sum()
}

/// The parts of `first..=last` that are not in `set`.
pub(crate) fn gaps(set: &RangeInclusiveSet<i64>, first: i64, last: i64) -> Vec<(i64, i64)> {
    set.gaps(&(first..=last)).map(|gap| (*gap.start(), *gap.end())).collect()
}

/// The parts of `first..=last` that are in `set`.
pub(crate) fn overlaps(set: &RangeInclusiveSet<i64>, first: i64, last: i64) -> Vec<(i64, i64)> {
    let wanted = first..=last;
    set.overlapping(&wanted).map(|known| (first.max(*known.start()), last.min(*known.end()))).collect()
}

/// The parts of `set` that are not in `other`.
pub(crate) fn difference(set: &RangeInclusiveSet<i64>, other: &RangeInclusiveSet<i64>) -> Vec<(i64, i64)> {
    set.iter().flat_map(|range| gaps(other, *range.start(), *range.end())).collect()
}
