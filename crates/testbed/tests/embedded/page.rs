//! The sandbox's page without a browser: what its server lets in, and what its commands do to real processes.

#![expect(
    clippy::unwrap_used,
    reason = "clippy permits it in test functions, but not in the functions that they share"
)]

mod commands;
mod guard;
mod tab;
