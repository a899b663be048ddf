//! The `sandbox` command; see the library of the same name.

use std::process::ExitCode;

/// The same allocator as in the services' own binaries, because this binary runs as each of them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    sandbox::main()
}
