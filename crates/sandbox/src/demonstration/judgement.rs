//! The verdict at the end.

use anyhow::Result;

use super::Demonstration;
use crate::model::Kind;
use crate::outcome::Outcome;
use crate::standing::{Standing, verdict};

impl Demonstration {
    /// Prints the verdict, and returns the exit code of the command.
    pub(super) fn judge(&mut self) -> Result<u8> {
        let report = self.evidence.report()?;
        let granted: u64 = self.model.groups.iter().map(|group| group.granted).sum();
        let acknowledged = report.runs.iter().map(|run| run.acknowledged).sum();
        if let Some(Err(failure)) = self.playing.as_ref().map(|playing| playing.proof(&self.model, &report)) {
            self.failures.push(format!("failure: {failure}"));
        }
        let outcome = Outcome::new(verdict(&report, &self.model), acknowledged, !self.failures.is_empty());
        self.screen.print("");
        self.screen.print(&self.evidence.name_services(&report.to_string()));
        self.failures.iter().for_each(|failure| self.screen.print(failure));
        if granted > 0 {
            self.screen.print(&format!(
                "What a replica had not committed when it was killed, frozen or cut off may be received again: up to {granted} repeats \
                 are permitted."
            ));
        }
        if let Some(Ok(proof)) = self.playing.as_ref().map(|playing| playing.proof(&self.model, &report)) {
            self.screen.print(&format!("proof: {proof}"));
            self.model.timeline.add(Kind::Story, "", proof);
        }
        self.screen.headline(&format!("verdict: {outcome}"));
        self.model.timeline.add(Kind::Verdict, "", format!("verdict: {outcome}"));
        self.model.phase = "over";
        if let Some(playing) = &mut self.playing {
            playing.finish(&self.model, &report);
        }
        self.standing = Standing {
            state: outcome.name(),
            is_final: true,
            text: outcome.to_string(),
            ..Standing::new(&report, &self.model)
        };
        if !outcome.is_proven() {
            self.screen.print(&format!("The services' log lines are in {}", self.evidence.keep()?));
        }
        Ok(outcome.exit_code())
    }
}
