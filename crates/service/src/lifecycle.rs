//! The life of a process: command line, settings, signals, the shutdown deadline and the exit code.

pub(crate) mod command;
mod signals;
pub(crate) mod start;
pub(crate) mod supervise;
