//! The replicas: how they are started, and what their end means.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::Instant;

use anyhow::Result;
use rustix::process::Signal;

use super::stop::Phase;
use super::{Demonstration, PRODUCER};
use crate::arguments::Role;
use crate::evidence::watch;
use crate::model::{Kind, Replica, ReplicaState, Reset};
use crate::services::process::ServiceProcess;

impl Demonstration {
    /// Begins to look at a group's offsets.
    pub(super) fn watch_group(&mut self, group: &str) -> Result<()> {
        let observer = self.kafka.observe(group, self.plan.partitions)?;
        let states = self.states.clone();
        self.watches.push(watch(group, observer, move |state| {
            // The receiver is gone only when the demonstration is over.
            states.send(state).ok();
        }));
        self.model.add_group(group);
        Ok(())
    }

    /// Starts the next replica, and returns its name and process id.
    pub(super) fn start_replica(&mut self, group: &str, reset: Reset, max_messages: u64) -> Result<(String, i32)> {
        let name = format!("consumer-{}", self.replicas_started + 1);
        let settings = self.kafka.replica(group, reset, max_messages);
        let process = ServiceProcess::start(Role::Consumer, &name, &settings, self.events.clone())?;
        let pid = process.pid();
        self.replicas_started += 1;
        self.services.push(process);
        self.model.add_replica(Replica::new(&name, group, pid, reset), Instant::now());
        self.model.timeline.add(Kind::Start, &name, format!("{name} has started in group {group} (process {pid})"));
        Ok((name, pid))
    }

    /// `kill -USR1` adds a replica.
    pub(super) fn add_by_signal(&mut self) {
        let group = self.kafka.group().to_owned();
        let command = crate::commands::Command::Add { group, reset: Reset::default(), max_messages: 0 };
        if let Err(refusal) = self.carry_out(command) {
            self.screen.headline(&refusal);
        }
    }

    pub(super) fn note_frozen(&mut self, name: &str, is_frozen: bool) {
        let (kind, text) = if is_frozen {
            let text = format!(
                "{name} is frozen (SIGSTOP). The group waits for it until {} has passed, and goes on without it.",
                self.kafka.session_timeout()
            );
            (Kind::Freeze, text)
        } else {
            (Kind::Thaw, format!("{name} continues (SIGCONT). If the group has gone on without it, it joins again."))
        };
        self.screen.headline(&text);
        self.model.timeline.add(kind, name, text);
    }

    pub(super) fn note_end(&mut self, name: &str, status: ExitStatus) {
        self.screen.headline(&format!("{name} has ended: {status}"));
        self.services.retain(|service| service.name != name);
        let is_producer = name == PRODUCER;
        // The user may stop or kill any service; anything else but success is a failure.
        let user_signals = [Signal::KILL, Signal::TERM, Signal::INT, Signal::HUP].map(|signal| signal.as_raw());
        let is_killed = status.signal().is_some_and(|signal| user_signals.contains(&signal));
        let now = Instant::now();
        // A replica that was frozen or cut off may find that it can no longer commit. It says so, and the next owner repeats that.
        let is_excused =
            self.model.replica(name).is_some_and(|replica| replica.is_disturbed(now) && replica.has_uncommitted_end);
        let is_failed = !is_killed && !status.success() && !is_excused;
        if is_producer {
            self.model.producer.state = "ended";
        } else {
            let state = match (is_killed, is_failed) {
                (true, _) => ReplicaState::Killed,
                (false, true) => ReplicaState::Failed,
                (false, false) => ReplicaState::Stopped,
            };
            self.model.end_replica(name, state, now);
        }
        let kind = if is_killed { Kind::Kill } else { Kind::Stop };
        self.model.timeline.add(kind, name, format!("{name} has ended: {status}"));
        if is_failed {
            self.failures.push(format!("failure: {name} ended with {status}"));
            if matches!(self.phase, Phase::Running) {
                self.screen.headline(&format!("Stopping, because {name} failed."));
                self.stop_producer();
            }
        }
        if is_producer && (matches!(self.phase, Phase::Running | Phase::StoppingProducer { .. })) {
            self.catch_up();
        }
        if matches!(self.phase, Phase::Running)
            && self.playing.is_none()
            && self.with_role(Role::Consumer).next().is_none()
        {
            let pid = std::process::id();
            let text = format!("No replica is left; messages wait on the broker. `kill -USR1 {pid}` adds one.");
            self.screen.headline(&text);
            self.model.timeline.add(Kind::Warning, "", "No replica is left; messages wait on the broker.".to_owned());
        }
    }
}
