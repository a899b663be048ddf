//! `producer-svc`: sends a numbered, timestamped message each second to a Kafka topic.

use std::process::ExitCode;

/// Faster than glibc's for librdkafka's many small allocations, and smaller.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    producer_svc::main()
}
