//! A story while it plays.

use std::time::{Duration, Instant};

use audit::Report;
use serde::{Serialize, Serializer};
use serde_json::json;

use super::{Step, Story, View};
use crate::model::Model;

/// No step takes so long on a busy machine with two cores: forming a group takes three to ten seconds.
const STEP_MAX: Duration = Duration::from_secs(60);

/// A story and how far it is.
#[derive(Debug)]
pub(crate) struct Playing {
    story: &'static Story,
    /// The current step, and when it began.
    step: Option<(usize, Instant)>,
    /// The proof, or why there is none.
    proof: Option<Result<String, String>>,
}

/// What comes next.
pub(crate) enum Progress {
    /// The current step waits.
    Waiting,
    /// This step begins.
    Step(&'static Step),
    /// The step with this sentence has waited too long.
    Stuck(&'static str),
    /// All steps are done.
    Done,
}

impl Playing {
    pub(crate) fn new(story: &'static Story) -> Self {
        Self { story, step: None, proof: None }
    }

    /// Goes on if what the current step waits for has happened, and it has stayed for `min`.
    pub(crate) fn advance(&mut self, view: &View<'_>, now: Instant, min: Duration) -> Progress {
        let next = match self.step {
            None => 0,
            Some((index, begun_at)) => {
                let Some(step) = self.story.steps.get(index) else { return Progress::Waiting };
                let elapsed = now.saturating_duration_since(begun_at);
                if elapsed < min || !(step.until)(view) {
                    return if elapsed > STEP_MAX { Progress::Stuck(step.say) } else { Progress::Waiting };
                }
                index + 1
            }
        };
        self.step = Some((next, now));
        self.story.steps.get(next).map_or(Progress::Done, Progress::Step)
    }

    /// Whether the claim holds.
    pub(crate) fn proof(&self, model: &Model, report: &Report) -> Result<String, String> {
        let is_done = self.step.is_some_and(|(index, _)| index >= self.story.steps.len());
        if is_done { (self.story.proof)(model, report) } else { Err("the story was not played to its end".to_owned()) }
    }

    /// Keeps the proof for the page.
    pub(crate) fn finish(&mut self, model: &Model, report: &Report) {
        self.proof = Some(self.proof(model, report));
    }
}

impl Serialize for Playing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { story, step, proof } = self;
        let (proof, failure) = match proof {
            Some(Ok(proof)) => (Some(proof), None),
            Some(Err(failure)) => (None, Some(failure)),
            None => (None, None),
        };
        let steps: Vec<&str> = story.steps.iter().map(|step| step.say).collect();
        json!({
            "name": story.name,
            "title": story.title,
            "claim": story.claim,
            "steps": steps,
            "step": step.map_or(0, |(index, _)| index),
            "proof": proof,
            "failure": failure,
        })
        .serialize(serializer)
    }
}
