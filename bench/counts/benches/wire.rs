//! Value and key of a message.

#![expect(missing_docs, clippy::disallowed_methods, reason = "the macros generate public items, and a main that exits")]

use std::hint::black_box;

use counts::{MESSAGES, RUN, TS, limit};
use gungraun::prelude::*;
use message::{KeyReader, KeyWriter, Payload, RunId, ValueWriter, encode};

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

fn values() -> ValueWriter {
    let mut values = ValueWriter::default();
    values.read_clock();
    values
}

fn key() -> Vec<u8> {
    let mut key = Vec::new();
    KeyWriter::new(run()).append(1_234_567, &mut key);
    key
}

#[library_benchmark(config = limit("encode_value"))]
#[bench::values((values(), Vec::with_capacity(100)))]
fn encode_value((values, mut buffer): (ValueWriter, Vec<u8>)) -> Vec<u8> {
    for num in 0..MESSAGES {
        buffer.clear();
        values.append(black_box(num + 100_000_000), &mut buffer);
        black_box(&buffer);
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
#[bench::keys((KeyWriter::new(run()), Vec::with_capacity(100)))]
fn write_key((keys, mut buffer): (KeyWriter, Vec<u8>)) -> Vec<u8> {
    for pseq in 0..MESSAGES {
        buffer.clear();
        keys.append(black_box(pseq + 1_000_000), &mut buffer);
        black_box(&buffer);
    }
    buffer
}

#[library_benchmark(config = limit("read_key"))]
#[bench::keys(key())]
fn read_key(key: Vec<u8>) {
    let mut keys = KeyReader::default();
    for _ in 0..MESSAGES {
        black_box(keys.read(black_box(&key))).expect("a valid key");
    }
}

library_benchmark_group!(name = wire, benchmarks = [encode_value, decode_value, write_key, read_key]);

main!(library_benchmark_groups = wire);
