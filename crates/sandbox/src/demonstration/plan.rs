//! What a demonstration begins with.

use crate::arguments::{Arguments, Subcommand};
use crate::stories::{Name, Story};

/// What a demonstration begins with, and what happens at its end.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) consumers: u16,
    pub(super) partitions: i32,
    pub(super) rate: f64,
    /// 0: no limit.
    pub(super) count: u64,
    pub(super) story: Option<&'static Story>,
    /// A story that was chosen on the page: after the verdict the page stays for the next choice.
    pub(super) stays: bool,
    /// The free demonstration to return to.
    free: Option<Box<Self>>,
}

impl Plan {
    pub(super) fn new(arguments: &Arguments) -> Self {
        let &Arguments { consumers, partitions, rate, count, .. } = arguments;
        let free = Self { consumers, partitions, rate, count, story: None, stays: false, free: None };
        match arguments.command {
            Some(Subcommand::Story { name }) => Self { stays: false, ..free.story(name) },
            _ => free,
        }
    }

    /// A story instead, after which the page stays.
    pub(super) fn story(&self, name: Name) -> Self {
        let story = Story::of(name);
        Self {
            consumers: story.replicas,
            partitions: story.partitions,
            rate: story.rate,
            count: 0,
            story: Some(story),
            stays: true,
            free: Some(Box::new(self.free())),
        }
    }

    /// The free demonstration.
    pub(super) fn free(&self) -> Self {
        self.free.as_deref().unwrap_or(self).clone()
    }
}
