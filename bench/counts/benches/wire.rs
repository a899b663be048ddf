//! Value and key of a message.

#![expect(missing_docs, clippy::disallowed_methods, reason = "the macros generate public items, and a main that exits")]

use std::hint::black_box;

use counts::{MESSAGES, RUN, TS, limit};
use gungraun::prelude::*;
use message::{KeyReader, KeyWriter, Payload, RunId, encode};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn run() -> RunId {
    RUN.parse().expect("a valid run id")
}

fn value() -> Vec<u8> {
    let mut value = Vec::new();
    encode(123_456_789, TS, &mut value);
    value
}

#[library_benchmark(config = limit("encode_value"))]
#[bench::values(Vec::with_capacity(100))]
fn encode_value(mut buffer: Vec<u8>) -> Vec<u8> {
    for num in 0..MESSAGES {
        encode(black_box(num + 100_000_000), black_box(TS), &mut buffer);
    }
    buffer
}

#[library_benchmark(config = limit("decode_value"))]
#[bench::values(value())]
fn decode_value(value: Vec<u8>) {
    for _ in 0..MESSAGES {
        black_box(Payload::decode(black_box(Some(&value)))).expect("a valid value");
    }
}

#[library_benchmark(config = limit("write_key"))]
#[bench::keys(KeyWriter::new(run()))]
fn write_key(mut keys: KeyWriter) -> KeyWriter {
    for pseq in 0..MESSAGES {
        black_box(keys.write(black_box(pseq + 1_000_000)));
    }
    keys
}

#[library_benchmark(config = limit("read_key"))]
#[bench::keys(KeyWriter::new(run()).write(1_234_567).to_vec())]
fn read_key(key: Vec<u8>) {
    let mut keys = KeyReader::default();
    for _ in 0..MESSAGES {
        black_box(keys.read(black_box(&key))).expect("a valid key");
    }
}

library_benchmark_group!(name = wire, benchmarks = [encode_value, decode_value, write_key, read_key]);

main!(library_benchmark_groups = wire);
