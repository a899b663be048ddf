//! Plays a story: says a sentence, does what belongs to it, and waits for what it announces.

use std::time::Instant;

use super::Demonstration;
use crate::model::Kind;
use crate::stories::{Progress, View};

impl Demonstration {
    /// Goes on with the story if what its step waits for has happened.
    pub(super) fn advance_story(&mut self, now: Instant) {
        let view = View { model: &self.model, evidence: &self.evidence };
        let min = if self.plan.stays { crate::stories::READING_TIME } else { std::time::Duration::ZERO };
        let Some(playing) = &mut self.playing else { return };
        match playing.advance(&view, now, min) {
            Progress::Waiting => {}
            Progress::Step(step) => {
                let commands = (step.act)();
                self.screen.headline(&format!("\n{}", step.say));
                self.model.timeline.add(Kind::Story, "", step.say.to_owned());
                for command in commands {
                    if let Err(refusal) = self.carry_out(command) {
                        self.failures.push(format!("failure: the story could not go on: {refusal}"));
                        self.finish();
                        return;
                    }
                }
            }
            Progress::Stuck(waits_for) => {
                self.failures.push(format!("failure: the story waited in vain: {waits_for}"));
                self.finish();
            }
            Progress::Done => self.finish(),
        }
    }
}
