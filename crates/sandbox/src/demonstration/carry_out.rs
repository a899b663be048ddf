//! Carries out commands: each does to real processes what its name says, and the terminal and the timeline say so.

use std::time::Instant;

use super::stop::Phase;
use super::{Demonstration, PRODUCER};
use crate::arguments::{RATE_MAX, is_rate};
use crate::broker::EmbeddedBroker;
use crate::commands::Command;
use crate::kafka::Kafka;
use crate::model::{Kind, ReplicaState, Reset};
use crate::services::process::ServiceProcess;

const REPLICAS_MAX: usize = 50;
const GROUPS_MAX: usize = 6;
const NOT_OURS: &str = "This Kafka belongs to somebody else, so it is not taken away.";

/// What was done, or why it was not.
pub(super) type Answer = Result<String, String>;

impl Demonstration {
    pub(super) fn carry_out(&mut self, command: Command) -> Answer {
        match command {
            Command::Add { group, reset, max_messages } => self.add_replica(&group, reset, max_messages),
            Command::NewGroup { name, reset, max_messages } => self.add_group(name, reset, max_messages),
            Command::Stop { replica } => self.stop_replica(&replica),
            Command::Kill { replica } => {
                self.live(&replica)?.kill();
                Ok(self.note(Kind::Kill, &replica, format!("{replica} is killed (SIGKILL): it commits nothing more.")))
            }
            Command::Freeze { replica } => self.set_frozen(&replica, true),
            Command::Thaw { replica } => self.set_frozen(&replica, false),
            Command::Rate { per_sec } => self.set_rate(per_sec),
            Command::Pause {} => self.set_paused(true),
            Command::Resume {} => self.set_paused(false),
            Command::BrokerDown {} => self.set_broker_by_user(false),
            Command::BrokerUp {} => self.set_broker_by_user(true),
            Command::Story { name } => {
                self.refuse_while_stopping()?;
                if !self.model.broker.is_own {
                    return Err(
                        "A story needs a topic and groups without a past, so it needs the sandbox's own broker."
                            .to_owned(),
                    );
                }
                self.next = Some(self.plan.story(name));
                Ok("The story begins.".to_owned())
            }
            Command::Restart {} => {
                self.refuse_while_stopping()?;
                self.next = Some(self.plan.free());
                Ok("Everything begins anew.".to_owned())
            }
            Command::Finish {} => {
                if !matches!(self.phase, Phase::Running) {
                    return Err("Everything is stopping already.".to_owned());
                }
                self.plan.stays = true;
                self.finish();
                Ok(self.note(
                    Kind::Stop,
                    "",
                    "Stopping: first the producer, then the replicas once they have received the rest.".to_owned(),
                ))
            }
        }
    }

    /// Says in the terminal and in the timeline what is done.
    pub(super) fn note(&mut self, kind: Kind, service: &str, text: String) -> String {
        self.screen.headline(&text);
        self.model.timeline.add(kind, service, text.clone());
        text
    }

    fn refuse_while_stopping(&self) -> Result<(), String> {
        if self.is_stop_requested { Err("The sandbox is stopping.".to_owned()) } else { Ok(()) }
    }

    fn live(&self, name: &str) -> Result<&ServiceProcess, String> {
        let service = self.service(name).filter(|service| service.name != PRODUCER);
        service.ok_or_else(|| format!("There is no running replica `{name}`."))
    }

    fn add_replica(&mut self, group: &str, reset: Reset, max_messages: u64) -> Answer {
        if matches!(self.phase, Phase::StoppingReplicas { .. }) || self.standing.is_final {
            return Err("No replica was added, because the replicas are stopping.".to_owned());
        }
        let Some(known) = self.model.group(group) else { return Err(format!("There is no group `{group}`.")) };
        if self.services.len() > REPLICAS_MAX {
            return Err(format!("No replica was added: {REPLICAS_MAX} are enough."));
        }
        let hint = if reset == Reset::Latest && known.has_commits() {
            " auto.offset.reset=latest has no effect: the group has committed offsets, and continues there."
        } else if reset == Reset::Latest {
            " The group has committed nothing, so auto.offset.reset=latest decides: old messages are skipped."
        } else {
            ""
        };
        let (name, pid) = self.start_replica(group, reset, max_messages).map_err(|error| format!("{error:#}"))?;
        Ok(self.note(Kind::Start, &name, format!("{name} was added; `kill -9 {pid}` kills it.{hint}")))
    }

    fn add_group(&mut self, name: Option<String>, reset: Reset, max_messages: u64) -> Answer {
        if self.model.groups.len() >= GROUPS_MAX {
            return Err(format!("No group was started: {GROUPS_MAX} are enough."));
        }
        let first = self.kafka.group();
        let prefix =
            if self.model.broker.is_own { "group".to_owned() } else { format!("{first}-{}", std::process::id()) };
        let free = (2..).map(|number| format!("{prefix}-{number}")).find(|name| self.model.group(name).is_none());
        let Some(name) = name.or(free) else { return Err("There is no free name.".to_owned()) };
        self.watch_group(&name).map_err(|error| format!("{error:#}"))?;
        let begins = match reset {
            Reset::Earliest => "it has committed nothing, so it reads everything again, from the oldest message on",
            Reset::Latest => "with auto.offset.reset=latest it skips what is there, and reads what comes",
        };
        self.note(Kind::Start, "", format!("Group {name} is new: {begins}."));
        self.add_replica(&name, reset, max_messages)
    }

    fn stop_replica(&mut self, name: &str) -> Answer {
        self.live(name)?.stop();
        let now = Instant::now();
        if self.model.set_frozen(name, false, now) {
            self.note_frozen(name, false);
        }
        if let Some(replica) = self.model.replica_mut(name) {
            replica.state = ReplicaState::Stopping;
        }
        Ok(self.note(Kind::Stop, name, format!("{name} is asked to stop (SIGTERM): it commits, and leaves the group.")))
    }

    fn set_frozen(&mut self, name: &str, is_frozen: bool) -> Answer {
        let service = self.live(name)?;
        if is_frozen {
            service.freeze();
        } else {
            service.thaw();
        }
        if self.model.set_frozen(name, is_frozen, Instant::now()) {
            self.note_frozen(name, is_frozen);
            Ok(format!("{name} {}.", if is_frozen { "is frozen" } else { "continues" }))
        } else {
            Err(format!("{name} {} already.", if is_frozen { "is frozen" } else { "runs" }))
        }
    }

    fn tell_producer(&self, line: &str) -> Result<(), String> {
        let producer = self.service(PRODUCER).filter(|_| self.model.producer.is_alive());
        producer.ok_or_else(|| "The producer has ended.".to_owned())?.tell(line);
        Ok(())
    }

    fn set_rate(&mut self, per_sec: f64) -> Answer {
        if !is_rate(per_sec) {
            return Err(format!("The rate must be above 0 and at most {RATE_MAX} messages/s."));
        }
        self.tell_producer(&format!("rate {per_sec}"))?;
        self.model.producer.rate = per_sec;
        Ok(self.note(Kind::Producer, PRODUCER, format!("The producer sends {per_sec} messages/s from now on.")))
    }

    fn set_paused(&mut self, is_paused: bool) -> Answer {
        self.tell_producer(if is_paused { "pause" } else { "resume" })?;
        self.model.producer.state = if is_paused { "paused" } else { "running" };
        let text = if is_paused { "The producer pauses, and stays connected." } else { "The producer sends again." };
        Ok(self.note(Kind::Producer, PRODUCER, text.to_owned()))
    }

    fn set_broker_by_user(&mut self, is_up: bool) -> Answer {
        if !self.model.broker.is_own {
            return Err(NOT_OURS.to_owned());
        }
        if self.model.broker.is_up == is_up {
            return Err(format!("The broker is {} already.", if is_up { "up" } else { "down" }));
        }
        Ok(self.set_broker(is_up))
    }

    /// Takes the broker away, or brings it back.
    pub(super) fn set_broker(&mut self, is_up: bool) -> String {
        /// The mock cluster numbers its brokers from 1.
        const ONLY_BROKER: i32 = 1;
        let Kafka::Embedded(EmbeddedBroker { cluster, .. }) = &self.kafka else {
            return NOT_OURS.to_owned();
        };
        let done = if is_up { cluster.broker_up(ONLY_BROKER) } else { cluster.broker_down(ONLY_BROKER) };
        if let Err(error) = done {
            return self.note(Kind::Broker, "", format!("The broker did not obey: {error}"));
        }
        self.model.set_broker(is_up, Instant::now());
        let text = if is_up {
            "The broker is back. The group has missed its heartbeats, so it forms anew, which takes some seconds."
        } else {
            "The broker is away. The producer keeps its messages, and the replicas can neither receive nor commit."
        };
        self.note(Kind::Broker, "", text.to_owned())
    }
}
