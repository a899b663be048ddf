//! Stories: each explains one thing about consumer groups, step by step, with real processes, and proves what it claims.
//!
//! A step has a sentence, commands, and what it waits for. It never waits for a timer: the next step begins when what was announced has
//! really happened. On the page a step also stays long enough to be read.

mod playing;
mod scripts;
mod view;

use std::time::Duration;

use audit::Report;
use serde::{Deserialize, Serialize};

pub(crate) use self::playing::{Playing, Progress};
pub(crate) use self::view::View;
use crate::commands::Command;
use crate::model::Model;

/// How long a step stays on the page at least.
pub(crate) const READING_TIME: Duration = Duration::from_secs(3);

/// The name of a story.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Name {
    /// Two replicas share the messages.
    Share,
    /// What a group has read is not read again.
    Restart,
    /// Another group reads everything.
    Groups,
    /// `auto.offset.reset` matters only without a committed offset.
    Reset,
    /// 1, 2, 3, 10 and 11 replicas on ten partitions.
    Partitions,
    /// A kill repeats something and loses nothing.
    Kill,
}

/// A story.
#[derive(Debug)]
pub(crate) struct Story {
    pub(crate) name: Name,
    pub(crate) title: &'static str,
    /// What it claims.
    pub(crate) claim: &'static str,
    /// What it begins with.
    pub(crate) replicas: u16,
    pub(crate) partitions: i32,
    pub(crate) rate: f64,
    pub(crate) steps: &'static [Step],
    /// Whether the claim holds at the end, in one sentence.
    pub(crate) proof: fn(&Model, &Report) -> Result<String, String>,
}

/// One step.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) say: &'static str,
    /// What is done at its beginning.
    pub(crate) act: fn() -> Vec<Command>,
    /// What has to happen until the next step.
    pub(crate) until: fn(&View<'_>) -> bool,
}

impl Story {
    pub(crate) fn of(name: Name) -> &'static Self {
        match name {
            Name::Share => &scripts::share::STORY,
            Name::Restart => &scripts::restart::STORY,
            Name::Groups => &scripts::groups::STORY,
            Name::Reset => &scripts::reset::STORY,
            Name::Partitions => &scripts::partitions::STORY,
            Name::Kill => &scripts::kill::STORY,
        }
    }

    /// All stories as the page lists them.
    pub(crate) fn list() -> serde_json::Value {
        use clap::ValueEnum as _;
        let stories = Name::value_variants().iter().map(|name| Self::of(*name));
        stories
            .map(|story| serde_json::json!({ "name": story.name, "title": story.title, "claim": story.claim }))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn each_name_has_its_story_with_sentences() {
        for name in Name::value_variants() {
            let story = Story::of(*name);
            assert_eq!(story.name, *name);
            assert!(story.steps.len() >= 3, "{name:?}");
            assert!(story.steps.iter().all(|step| step.say.ends_with('.')), "{name:?}");
        }
    }
}
