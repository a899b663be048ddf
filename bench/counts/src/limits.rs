//! How many instructions each benchmark took when this file was last written by `python3 bench/counts/count.py --update`.

/// Name of the benchmark, and its instructions for [`MESSAGES`](crate::MESSAGES) messages.
pub const MEASURED: &[(&str, u64)] = &[
    ("collect_ranges", 418470),
    ("write_lines", 3247896),
    ("write_summaries", 1491312),
    ("producer_lines", 4174333),
    ("producer_summary", 929656),
    ("replica_lines", 4870689),
    ("replica_summary", 1247868),
    ("encode_value", 143136),
    ("decode_value", 677104),
    ("write_key", 105027),
    ("read_key", 210511),
];
