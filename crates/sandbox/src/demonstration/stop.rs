//! The order of a stop: first the producer, so that no new messages are written; then the replicas, once they have received and committed
//! everything or after a deadline; then the verdict. An absent broker is brought back first, and what is frozen is thawed: at once if the
//! group still waits for it, and at the end if the group has gone on without it. Such a replica would join again, and while a group forms
//! anew, the mock broker refuses the last commits of the others.

use std::time::{Duration, Instant};

use super::Demonstration;
use crate::arguments::Role;
use crate::model::{Kind, ReplicaState};
use crate::services::process::ServiceProcess;

/// Once everything is received, how long the replicas may take to commit it before they are asked to stop, which commits as well. The mock
/// broker refuses commits while a group forms anew, which takes three seconds.
const COMMIT: Duration = Duration::from_millis(3500);
/// How long a service may take to stop. It must be longer than the service's own deadline.
const STOP: Duration = Duration::from_secs(12);

#[derive(Clone, Copy)]
pub(super) enum Phase {
    /// The producer sends messages.
    Running,
    /// The producer was asked to stop.
    StoppingProducer { until: Instant },
    /// The producer has ended; the replicas receive the rest.
    CatchingUp { until: Instant, received_at: Option<Instant> },
    /// The replicas were asked to stop.
    StoppingReplicas { until: Instant },
}

impl Demonstration {
    /// Handles Ctrl-C and SIGTERM: the first one stops everything in order, a second one kills everything. Returns whether
    /// the demonstration is over.
    pub(super) fn stop_or_kill(&mut self) -> bool {
        if self.is_stop_requested {
            self.services.iter().for_each(ServiceProcess::kill);
            return true;
        }
        self.is_stop_requested = true;
        if self.services.is_empty() {
            return false;
        }
        self.screen.headline(
            "Stopping: first the producer, then the replicas once they have received the rest. Ctrl-C again ends at once.",
        );
        self.finish();
        false
    }

    /// Stops everything in order.
    pub(super) fn finish(&mut self) {
        if !self.model.broker.is_up {
            self.set_broker(true);
        }
        self.thaw(|is_needed| is_needed, ServiceProcess::thaw);
        if matches!(self.phase, Phase::Running) {
            self.stop_producer();
        }
    }

    /// Thaws the frozen replicas for which `holds`, told whether the group still waits for them.
    fn thaw(&mut self, holds: impl Fn(bool) -> bool, thaw: impl Fn(&ServiceProcess)) {
        let is_needed = |name: &str| self.model.groups.iter().any(|group| !group.owned_by(name).is_empty());
        let frozen: Vec<String> = self
            .model
            .replicas
            .iter()
            .filter(|replica| replica.state == ReplicaState::Frozen && holds(is_needed(&replica.name)))
            .map(|replica| replica.name.clone())
            .collect();
        for name in &frozen {
            if let Some(service) = self.service(name) {
                thaw(service);
            }
            if self.model.set_frozen(name, false, Instant::now()) {
                self.note_frozen(name, false);
            }
        }
    }

    /// Asks the replicas to stop, but not those that are frozen.
    fn stop_replicas(&mut self) {
        let is_frozen =
            |name: &str| self.model.replica(name).is_some_and(|replica| replica.state == ReplicaState::Frozen);
        self.with_role(Role::Consumer).filter(|service| !is_frozen(&service.name)).for_each(ServiceProcess::stop);
        self.model.phase = "stopping the replicas";
        self.phase = Phase::StoppingReplicas { until: Instant::now() + STOP };
    }

    /// Once only frozen replicas are left, lets them go on and stop.
    fn stop_frozen_replicas(&mut self) {
        let is_frozen = |service: &ServiceProcess| {
            self.model.replica(&service.name).is_some_and(|replica| replica.state == ReplicaState::Frozen)
        };
        if self.with_role(Role::Consumer).all(is_frozen) {
            self.thaw(|_| true, ServiceProcess::stop);
        }
    }

    pub(super) fn stop_producer(&mut self) {
        self.with_role(Role::Producer).for_each(ServiceProcess::stop);
        if self.model.producer.is_alive() {
            self.model.producer.state = "stopping";
        }
        self.model.phase = "stopping the producer";
        self.phase = Phase::StoppingProducer { until: Instant::now() + STOP };
        if self.with_role(Role::Producer).next().is_none() {
            self.catch_up();
        }
    }

    /// The producer has ended.
    pub(super) fn catch_up(&mut self) {
        self.model.phase = "receiving the rest";
        self.phase = Phase::CatchingUp { until: Instant::now() + self.kafka.catch_up_time(), received_at: None };
    }

    /// Enters the next phase when it is time, and the next step of a story.
    pub(super) fn advance(&mut self) {
        let now = Instant::now();
        match self.phase {
            Phase::Running => self.advance_story(now),
            Phase::StoppingProducer { until } | Phase::StoppingReplicas { until } if now >= until => {
                self.failures.push("failure: services did not stop in time and were killed".to_owned());
                self.services.iter().for_each(ServiceProcess::kill);
                self.phase = Phase::StoppingReplicas { until: now + STOP };
            }
            Phase::CatchingUp { until, received_at } => {
                let is_received = self.active_groups().all(|group| self.evidence.in_flight(group) == 0);
                let received_at = if is_received { received_at.or(Some(now)) } else { None };
                let is_committed =
                    self.active_groups().all(|name| self.model.group(name).is_some_and(|group| group.is_committed()));
                let is_done = received_at.is_some_and(|at| is_committed || now >= at + COMMIT);
                if is_done || now >= until {
                    self.stop_replicas();
                } else {
                    self.phase = Phase::CatchingUp { until, received_at };
                }
            }
            Phase::StoppingReplicas { .. } => self.stop_frozen_replicas(),
            Phase::StoppingProducer { .. } => {}
        }
    }

    /// The groups that have replicas.
    fn active_groups(&self) -> impl Iterator<Item = &str> {
        let names = self.model.groups.iter().map(|group| group.name.as_str());
        names.filter(|name| self.model.live_replicas(name).next().is_some())
    }

    /// Kills everything, because another demonstration follows.
    pub(super) fn abandon(&mut self) {
        if !self.services.is_empty() {
            let text = "Beginning anew: all services are killed, and there is no verdict.";
            self.screen.headline(text);
            self.model.timeline.add(Kind::Stop, "", text.to_owned());
        }
        self.services.iter().for_each(ServiceProcess::kill);
    }
}
