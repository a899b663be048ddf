//! The sandbox's page without a browser: what its server lets in, and what its commands do to real processes.

#[path = "page/commands.rs"]
mod commands;
#[path = "page/guard.rs"]
mod guard;
#[path = "page/tab.rs"]
mod tab;
