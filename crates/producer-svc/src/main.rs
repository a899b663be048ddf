//! `producer-svc`: sends a numbered, timestamped message each second to a Kafka topic.

use std::process::ExitCode;

/// Faster than glibc's allocator for librdkafka's many small allocations, and needs less memory.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    producer_svc::main()
}
