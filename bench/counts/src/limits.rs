//! How many instructions each benchmark took when this file was last written by `python3 bench/counts/count.py --update`.

/// Name of the benchmark, and its instructions for [`MESSAGES`](crate::MESSAGES) messages.
pub const MEASURED: &[(&str, u64)] = &[
    ("collect_ranges", 483537),
    ("write_lines", 6924813),
    ("write_summaries", 1727121),
    ("producer_lines", 9124065),
    ("producer_summary", 1717247),
    ("replica_lines", 10444015),
    ("replica_summary", 1845565),
    ("encode_value", 578026),
    ("decode_value", 1129107),
    ("write_key", 287023),
    ("read_key", 288507),
];
