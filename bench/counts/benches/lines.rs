//! The lines that account for messages: the ranges of a summary, and the writer.

#![expect(missing_docs, clippy::disallowed_methods, reason = "the macros generate public items, and a main that exits")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use counts::{MESSAGES, RUN, TS, limit};
use gungraun::prelude::*;
use journal::{
    Detail, Entry, Format, Journal, LatencyMillis, Level, Range, Received, ReceivedSummary, SUMMARY_RANGES_MAX,
    SummaryBuilder,
};
use message::RunId;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Messages of one partition in a row.
const TURN: i64 = 100;
const PARTITIONS: i32 = 10;

fn run() -> RunId {
    RUN.parse().expect("a valid run id")
}

fn journal() -> Journal {
    Journal::new(Format::Json, "consumer-svc", "0a1b2c3d4e5f6071", Box::new(std::io::sink()))
}

fn received() -> Entry {
    Entry::Received(Received {
        num: 123_456_789,
        ts: TS.to_owned(),
        topic: "demo".to_owned(),
        partition: 7,
        offset: 1_234_567,
        latency_ms: Some(3.0),
        group_id: "demo".to_owned(),
        run: Some(run()),
        pseq: Some(1_234_568),
    })
}

fn received_summary() -> Entry {
    let range = |partition| Range {
        partition,
        offset: [1_000_000, 1_099_999],
        run: Some(run()),
        pseq: Some([1_000_001, 1_100_000]),
    };
    Entry::ReceivedSummary(ReceivedSummary {
        count: 100_000 * SUMMARY_RANGES_MAX as u64,
        rate_per_sec: 2_000_000.0,
        latency_ms: LatencyMillis { p50: 1.234, p99: 5.678, max: 9.876 },
        bad: Default::default(),
        topic: "demo".to_owned(),
        group_id: "demo".to_owned(),
        ranges: (0..SUMMARY_RANGES_MAX as i32).map(range).collect(),
    })
}

#[library_benchmark(config = limit("collect_ranges"))]
#[bench::messages((SummaryBuilder::new(Detail::Summary, None, Instant::now()), run()))]
fn collect_ranges((mut summary, run): (SummaryBuilder, RunId)) {
    for message in 0..MESSAGES as i64 {
        let partition = (message / TURN) as i32 % PARTITIONS;
        let range = Range::one(partition, message % TURN, Some((black_box(run), (message % TURN) as u64 + 1)));
        if !summary.wants_line() {
            summary.push(range, Some(Duration::from_micros(1234)));
        }
    }
    assert_eq!(summary.take(Duration::from_secs(1)).len(), 1);
}

#[library_benchmark(config = limit("write_lines"))]
#[bench::lines((journal(), received()))]
fn write_lines((journal, entry): (Journal, Entry)) {
    for _ in 0..MESSAGES {
        journal.record(Level::Info, black_box(&entry)).expect("a sink takes everything");
    }
}

#[library_benchmark(config = limit("write_summaries"))]
#[bench::lines((journal(), received_summary()))]
fn write_summaries((journal, entry): (Journal, Entry)) {
    for _ in 0..MESSAGES / SUMMARY_RANGES_MAX as u64 {
        journal.record(Level::Info, black_box(&entry)).expect("a sink takes everything");
    }
}

library_benchmark_group!(name = lines, benchmarks = [collect_ranges, write_lines, write_summaries]);

main!(library_benchmark_groups = lines);
