//! One process: who it is, whether it was asked to stop, and why it failed. Every other room builds on this one.

pub(crate) mod failure;
pub(crate) mod identity;
pub(crate) mod shutdown;
pub(crate) mod stderr;
