//! The life of a process: command line, settings, signals, the shutdown deadline and the exit code.

pub(crate) mod command;
pub(crate) mod failure;
pub(crate) mod shutdown;
mod signals;
pub(crate) mod start;
pub(crate) mod supervise;
