//! Counts the instructions of the code that handles each message, under valgrind. Unlike a time, a count hardly depends on the machine
//! and on what else runs there: it repeats to within 0.3 %, most of them exactly.
//!
//! `python3 bench/counts/count.py` counts, and fails if a benchmark takes over 3 % more instructions than [`limits::MEASURED`] says.
//! `python3 bench/counts/count.py --update` writes that table again, which belongs into the commit that changes the counts.
//!
//! | benchmarks | what they execute |
//! |---|---|
//! | `wire` | `message`: encode and decode a value, write and read a key |
//! | `lines` | `journal`: ranges of a summary, and the writer of lines in JSON |
//! | `services` | what each service does with a message, through its module `hot_path`: all but librdkafka, its bindings, and traces |
//!
//! The counts include the allocator, which is the one of the services. They leave out the kernel: a system call is one instruction here.
//! librdkafka has threads of its own, whose instructions depend on the timing, so what it does shows up only in a comparison
//! (`bench/compare.py`).

pub mod limits;

use gungraun::{Callgrind, EventKind, LibraryBenchmarkConfig};

/// Messages per benchmark, enough that what is done once does not matter.
pub const MESSAGES: u64 = 1000;

/// By how much a count may exceed the one in [`limits::MEASURED`], in percent.
pub const TOLERANCE_PERCENT: u64 = 3;

/// A run id that is the same in each run, because a random one could take another path.
pub const RUN: &str = "0192f0c1a2b37c4d8e9f001122334455";

/// The local time in the value of a message.
pub const TS: &str = "2026-11-22 10:00:00";

/// Makes a benchmark fail if it takes more instructions than its limit. A benchmark that is not in the table has the limit 0.
#[must_use]
pub fn limit(benchmark: &str) -> LibraryBenchmarkConfig {
    let measured = limits::MEASURED.iter().find(|(name, _)| *name == benchmark).map_or(0, |(_, measured)| *measured);
    let limit = measured * (100 + TOLERANCE_PERCENT) / 100;
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(Callgrind::default().hard_limits([(EventKind::Ir, limit)]));
    config
}
