//! The environment: which variables there are, what they contain, and how problems with them are reported.

pub(crate) mod environment;
pub(crate) mod names;
pub(crate) mod problem;
pub(crate) mod variable;
