//! The sandbox's page without a browser: what its server lets in, and what its commands do to real processes.

#![expect(
    clippy::unwrap_used,
    reason = "clippy permits it in test functions, but not in the functions that they share"
)]

#[path = "page/commands.rs"]
mod commands;
#[path = "page/guard.rs"]
mod guard;
#[path = "page/tab.rs"]
mod tab;
