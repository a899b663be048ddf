//! The services as processes of their own: how they are started, told things, and ended.

mod descriptors;
pub(crate) mod environment;
pub(crate) mod input;
pub(crate) mod process;
