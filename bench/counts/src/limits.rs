//! How many instructions each benchmark took when this file was last written by `python3 bench/counts/count.py --update`.

/// Name of the benchmark, and its instructions for [`MESSAGES`](crate::MESSAGES) messages.
pub const MEASURED: &[(&str, u64)] = &[];
