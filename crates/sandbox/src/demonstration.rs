//! One demonstration: starts everything, shows what happens, stops in order, and judges.
//!
//! The order of a stop: first the producer, so that no new messages are written; then the replicas, once they have received
//! and committed everything or after a deadline; then the verdict.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::arguments::{Arguments, Role};
use crate::broker::EmbeddedBroker;
use crate::environment::{connection, replica};
use crate::evidence::{Evidence, watch};
use crate::outcome::Outcome;
use crate::screen::Screen;
use crate::service_process::{Event, ServiceProcess};
use crate::{GROUP, TOPIC};

/// How long the replicas may take to receive the rest. It must be longer than the takeover from a killed replica.
const CATCH_UP: Duration = Duration::from_secs(20);
/// How long a service may take to stop. It must be longer than the service's own deadline.
const STOP: Duration = Duration::from_secs(12);
const TICK: Duration = Duration::from_millis(100);
const PRODUCER: &str = "producer";

#[derive(Clone, Copy)]
enum Phase {
    /// The producer sends messages.
    Running,
    /// The producer was asked to stop.
    StoppingProducer { until: Instant },
    /// The producer has ended; the replicas receive the rest.
    CatchingUp { until: Instant },
    /// The replicas were asked to stop.
    StoppingReplicas { until: Instant },
}

struct Demonstration {
    services: Vec<ServiceProcess>,
    /// The number of replicas started so far.
    replicas_started: u16,
    replica_settings: Vec<(&'static str, String)>,
    events: UnboundedSender<Event>,
    evidence: Evidence,
    screen: Screen,
    phase: Phase,
    is_stop_requested: bool,
    /// How many repeats one killed replica can cause.
    repeats_per_kill: u64,
    killed_replicas: u64,
    /// What the services did wrong, one sentence each.
    failures: Vec<String>,
}

/// Returns the exit code of the command.
#[expect(clippy::future_not_send, reason = "the runtime has one thread")]
pub(crate) async fn demonstrate(arguments: &Arguments, broker: &EmbeddedBroker) -> Result<u8> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let mut add = signal(SignalKind::user_defined1())?;
    let (states, mut received_states) = unbounded_channel();
    let observer = broker.observe(GROUP, arguments.partitions).context("could not observe the broker")?;
    let _watching = watch(observer, move |state| {
        // The receiver is gone only when the demonstration is over.
        states.send(state).ok();
    });
    let (events, mut received_events) = unbounded_channel();
    let mut demonstration = Demonstration::start(arguments, broker, events)?;
    demonstration.introduce(arguments);
    let mut tick = tokio::time::interval(TICK);
    while !demonstration.services.is_empty() {
        tokio::select! {
            Some(event) = received_events.recv() => demonstration.handle(event)?,
            Some(state) = received_states.recv() => demonstration.evidence.add_state(&state),
            _ = add.recv() => demonstration.add_replica()?,
            _ = interrupt.recv() => if demonstration.stop_or_kill() { return Ok(130) },
            _ = terminate.recv() => if demonstration.stop_or_kill() { return Ok(143) },
            _ = tick.tick() => demonstration.advance(),
        }
    }
    demonstration.judge()
}

/// An upper bound of the repeats that a killed replica can cause, which is what it processed since its last commit. It
/// commits every second, and a summary is processed as a whole, so this is two seconds' messages and one per partition.
fn repeats_per_kill(arguments: &Arguments) -> u64 {
    (arguments.rate * 2.0).ceil() as u64 + u64::from(arguments.partitions.unsigned_abs())
}

impl Demonstration {
    fn start(arguments: &Arguments, broker: &EmbeddedBroker, events: UnboundedSender<Event>) -> Result<Self> {
        let mut settings = connection(broker);
        settings.push(("PRODUCER_RATE_PER_SEC", arguments.rate.to_string()));
        settings.push(("PRODUCER_MAX_MESSAGES", arguments.count.to_string()));
        let producer = ServiceProcess::start(Role::Producer, PRODUCER, &settings, events.clone())?;
        let mut demonstration = Self {
            services: vec![producer],
            replicas_started: 0,
            replica_settings: connection(broker).into_iter().chain(replica()).collect(),
            events,
            evidence: Evidence::new()?,
            screen: Screen::default(),
            phase: Phase::Running,
            is_stop_requested: false,
            repeats_per_kill: repeats_per_kill(arguments),
            killed_replicas: 0,
            failures: Vec::new(),
        };
        for _ in 0..arguments.consumers {
            demonstration.start_replica()?;
        }
        Ok(demonstration)
    }

    fn start_replica(&mut self) -> Result<&ServiceProcess> {
        let name = format!("consumer-{}", self.replicas_started + 1);
        let process = ServiceProcess::start(Role::Consumer, &name, &self.replica_settings, self.events.clone())?;
        self.replicas_started += 1;
        self.services.push(process);
        self.services.last().context("the replica has just been added")
    }

    fn introduce(&self, arguments: &Arguments) {
        let Arguments { consumers, partitions, rate, count, .. } = arguments;
        let replicas = if *consumers == 1 { "replica" } else { "replicas" };
        let end = if *count == 0 { String::new() } else { format!(", {count} in all,") };
        self.screen.headline(&format!(
            "A Kafka broker runs in this process; beside it 1 producer and {consumers} {replicas} of the consumer group `{GROUP}`."
        ));
        self.screen.print(&format!(
            "The producer sends {rate} messages/s{end} to topic `{TOPIC}`. Each of its {partitions} partitions belongs to one replica.\n\n\
             Try this in another terminal, and watch how the group shares the partitions:"
        ));
        for service in &self.services {
            let effect = match service.name.as_str() {
                "consumer-1" if *consumers > 1 => "; the others take over after some 7 s",
                _ => "",
            };
            self.screen.print(&format!("  kill -9 {:<8}  kill {}{effect}", service.pid(), service.name));
        }
        self.screen.print(&format!(
            "  kill -USR1 {:<5}  add a replica\n\n\
             Ctrl-C stops everything in order and prints the verdict: was every message delivered, and none twice?\n\
             The first messages are received after about 3 s, when the group has formed.\n",
            std::process::id()
        ));
    }

    fn handle(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Line { service, text } => {
                self.evidence.add_line(&service, &text)?;
                self.screen.print_line(&service, &text);
            }
            Event::Ended { service, status } => self.note_end(&service, status),
        }
        Ok(())
    }

    fn note_end(&mut self, name: &str, status: ExitStatus) {
        self.screen.headline(&format!("{name} has ended: {status}"));
        self.services.retain(|service| service.name != name);
        let is_producer = name == PRODUCER;
        // The user may stop or kill any service; anything else but success is a failure.
        let user_signals = [Signal::KILL, Signal::TERM, Signal::INT, Signal::HUP].map(|signal| signal.as_raw());
        let is_killed = status.signal().is_some_and(|signal| user_signals.contains(&signal));
        if is_killed && !is_producer {
            self.killed_replicas += 1;
        }
        if !is_killed && !status.success() {
            self.failures.push(format!("failure: {name} ended with {status}"));
            if matches!(self.phase, Phase::Running) {
                self.screen.headline(&format!("Stopping, because {name} failed."));
                self.stop_producer();
            }
        }
        if is_producer && matches!(self.phase, Phase::Running | Phase::StoppingProducer { .. }) {
            self.phase = Phase::CatchingUp { until: Instant::now() + CATCH_UP };
        }
        if matches!(self.phase, Phase::Running) && self.with_role(Role::Consumer).next().is_none() {
            let pid = std::process::id();
            self.screen
                .headline(&format!("No replica is left; messages wait on the broker. `kill -USR1 {pid}` adds one."));
        }
    }

    fn add_replica(&mut self) -> Result<()> {
        if matches!(self.phase, Phase::StoppingReplicas { .. }) {
            self.screen.headline("No replica was added, because the replicas are stopping.");
            return Ok(());
        }
        let replica = self.start_replica()?;
        let text = format!("{} was added; `kill -9 {}` kills it.", replica.name, replica.pid());
        self.screen.headline(&text);
        Ok(())
    }

    /// Handles Ctrl-C and SIGTERM: the first one stops everything in order, a second one kills everything. Returns whether
    /// the demonstration is over.
    fn stop_or_kill(&mut self) -> bool {
        if self.is_stop_requested {
            self.services.iter().for_each(ServiceProcess::kill);
            return true;
        }
        self.is_stop_requested = true;
        self.screen.headline(
            "Stopping: first the producer, then the replicas once they have received the rest. Ctrl-C again ends at once.",
        );
        if matches!(self.phase, Phase::Running) {
            self.stop_producer();
        }
        false
    }

    fn stop_producer(&mut self) {
        self.with_role(Role::Producer).for_each(ServiceProcess::stop);
        self.phase = Phase::StoppingProducer { until: Instant::now() + STOP };
    }

    fn with_role(&self, role: Role) -> impl Iterator<Item = &ServiceProcess> {
        self.services.iter().filter(move |service| service.role == role)
    }

    /// Enters the next phase when it is time.
    fn advance(&mut self) {
        let now = Instant::now();
        match self.phase {
            Phase::StoppingProducer { until } | Phase::StoppingReplicas { until } if now >= until => {
                self.failures.push("failure: services did not stop in time and were killed".to_owned());
                self.services.iter().for_each(ServiceProcess::kill);
                self.phase = Phase::StoppingReplicas { until: now + STOP };
            }
            Phase::CatchingUp { until } if now >= until || self.evidence.is_caught_up() => {
                self.with_role(Role::Consumer).for_each(ServiceProcess::stop);
                self.phase = Phase::StoppingReplicas { until: now + STOP };
            }
            _ => {}
        }
    }

    /// Prints the verdict, and returns the exit code of the command.
    fn judge(mut self) -> Result<u8> {
        let report = self.evidence.report()?;
        let permitted = self.killed_replicas * self.repeats_per_kill;
        let acknowledged = report.runs.iter().map(|run| run.acknowledged).sum();
        let outcome = Outcome::new(report.verdict(permitted), acknowledged, !self.failures.is_empty());
        self.screen.print("");
        self.screen.print(&self.evidence.name_services(&report.to_string()));
        self.failures.iter().for_each(|failure| self.screen.print(failure));
        if permitted > 0 {
            self.screen.print(&format!(
                "A killed replica had not committed its last messages, so the others may repeat them: up to {permitted} are permitted."
            ));
        }
        self.screen.headline(&format!("verdict: {outcome}"));
        if !outcome.is_proven() {
            self.screen.print(&format!("The services' log lines are in {}", self.evidence.keep()?));
        }
        Ok(outcome.exit_code())
    }
}
