//! What each service does with a message: the producer from building it to the line about its acknowledgement, a replica from its bytes
//! to the line about its receipt; with a line per message and with a summary.
//!
//! This is the services' own code, through their modules `hot_path`. What it leaves out is librdkafka with the bindings to it, storing
//! offsets (once a second), and traces.

#![expect(missing_docs, clippy::disallowed_methods, reason = "the macros generate public items, and a main that exits")]

use consumer_svc::hot_path::HotPath as Replica;
use counts::{MESSAGES, RUN, TS, limit};
use gungraun::prelude::*;
use journal::Detail;
use message::RunId;
use producer_svc::hot_path::HotPath as Producer;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Messages before those that are counted, so that buffers have their size and the time zone is loaded.
const BEFORE: u64 = 10;

fn run() -> RunId {
    RUN.parse().expect("a valid run id")
}

fn producer(detail: Detail) -> Producer {
    let mut producer = Producer::new(run(), detail);
    producer.deliver(BEFORE);
    producer
}

fn replica(detail: Detail) -> Replica {
    let mut replica = Replica::new(detail, run(), TS, BEFORE + MESSAGES);
    replica.receive(BEFORE as usize);
    replica
}

fn deliver_all(producer: &mut Producer) {
    producer.deliver(MESSAGES);
    producer.finish();
}

fn receive_all(replica: &mut Replica) {
    replica.receive(MESSAGES as usize);
    replica.tick();
}

// The values are returned, so that dropping them is not counted.

#[library_benchmark(config = limit("producer_lines"))]
#[bench::each(producer(Detail::Each))]
fn producer_lines(mut producer: Producer) -> Producer {
    deliver_all(&mut producer);
    producer
}

#[library_benchmark(config = limit("producer_summary"))]
#[bench::summary(producer(Detail::Summary))]
fn producer_summary(mut producer: Producer) -> Producer {
    deliver_all(&mut producer);
    producer
}

#[library_benchmark(config = limit("replica_lines"))]
#[bench::each(replica(Detail::Each))]
fn replica_lines(mut replica: Replica) -> Replica {
    receive_all(&mut replica);
    replica
}

#[library_benchmark(config = limit("replica_summary"))]
#[bench::summary(replica(Detail::Summary))]
fn replica_summary(mut replica: Replica) -> Replica {
    receive_all(&mut replica);
    replica
}

library_benchmark_group!(
    name = services,
    benchmarks = [producer_lines, producer_summary, replica_lines, replica_summary]
);

main!(library_benchmark_groups = services);
