//! One run of the sandbox: starts everything, shows what happens, stops in order, judges.
//!
//! Order of a stop: the producer first, so that nothing new comes; the replicas when they have caught up and committed, or
//! after a deadline; then the verdict.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitCode, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use audit::Verdict;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::broker::{Broker, TOPIC};
use crate::child::{Child, Event};
use crate::evidence::{Evidence, GROUP};
use crate::screen::Screen;
use crate::{Arguments, Role};

/// A replica that took over from a killed one waits for the session timeout first.
const CATCH_UP: Duration = Duration::from_secs(20);
/// More than a service's own deadline.
const STOP: Duration = Duration::from_secs(12);
const TICK: Duration = Duration::from_millis(100);

#[derive(Clone, Copy)]
enum Phase {
    Running,
    /// The producer was asked to stop.
    Draining {
        until: Instant,
    },
    /// It has stopped; the replicas read what is left.
    CatchingUp {
        until: Instant,
    },
    /// The replicas were asked to stop.
    Stopping {
        until: Instant,
    },
}

struct Demo {
    children: Vec<Child>,
    evidence: Evidence,
    screen: Screen,
    phase: Phase,
    /// How many repeats a killed replica may leave behind.
    repeats_per_kill: u64,
    killed_replicas: u64,
    /// Services that ended with an error, or before they were asked to.
    mishaps: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("could not start")?;
    let exit_code = runtime.block_on(async {
        let broker = Broker::start(arguments.partitions)?;
        if arguments.broker_only { broker_only(&broker).await } else { demo(arguments, &broker).await }
    })?;
    Ok(ExitCode::from(exit_code))
}

#[expect(clippy::future_not_send, reason = "the runtime has one thread")]
async fn broker_only(broker: &Broker) -> Result<u8> {
    let screen = Screen::default();
    screen
        .say("The embedded broker runs until Ctrl-C. It is a development stand-in: no authentication, no persistence.");
    screen.print("In other terminals, paste this and start services by hand:\n");
    for (variable, value) in settings(broker).iter().filter(|(variable, _)| variable.starts_with("KAFKA_")) {
        screen.print(&format!("export {variable}={value}"));
    }
    screen.print("\ncargo run -p producer-svc\ncargo run -p consumer-svc");
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(0)
}

fn settings(broker: &Broker) -> Vec<(&'static str, String)> {
    vec![
        ("KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap_servers()),
        ("KAFKA_TOPIC", TOPIC.to_owned()),
        ("KAFKA_GROUP_ID", GROUP.to_owned()),
        ("LOG_FORMAT", "json".to_owned()),
    ]
}

#[expect(clippy::future_not_send, reason = "the runtime has one thread")]
async fn demo(arguments: &Arguments, broker: &Broker) -> Result<u8> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let (events, mut heard) = unbounded_channel();
    let (sights, mut seen) = unbounded_channel();
    let _watching = broker.watch(GROUP, move |sight| {
        // Nobody listens any more when it is over.
        sights.send(sight).ok();
    })?;
    let mut demo = Demo {
        children: start(arguments, broker, &events)?,
        evidence: Evidence::new()?,
        screen: Screen::default(),
        phase: Phase::Running,
        repeats_per_kill: repeats_per_kill(arguments),
        killed_replicas: 0,
        mishaps: Vec::new(),
    };
    demo.introduce(arguments);
    let mut tick = tokio::time::interval(TICK);
    while !demo.children.is_empty() {
        tokio::select! {
            Some(event) = heard.recv() => demo.hear(event)?,
            Some(sight) = seen.recv() => demo.evidence.see(&sight),
            _ = interrupt.recv() => if demo.interrupted() { return Ok(130) },
            _ = terminate.recv() => if demo.interrupted() { return Ok(143) },
            _ = tick.tick() => demo.go_on(),
        }
    }
    demo.judge()
}

fn start(arguments: &Arguments, broker: &Broker, events: &UnboundedSender<Event>) -> Result<Vec<Child>> {
    let settings = settings(broker);
    let mut of_producer = settings.clone();
    of_producer.push(("PRODUCER_RATE_PER_SEC", arguments.rate.to_string()));
    of_producer.push(("PRODUCER_MAX_MESSAGES", arguments.count.to_string()));
    let mut children = vec![Child::start(Role::Producer, "producer", &of_producer, events.clone())?];
    for number in 1..=arguments.consumers {
        children.push(Child::start(Role::Consumer, &format!("consumer-{number}"), &settings, events.clone())?);
    }
    Ok(children)
}

/// What a replica processed since its last commit comes again after a kill: it commits each second, and a summary is
/// processed as a whole, so two seconds' messages may be concerned, and one more of each partition.
fn repeats_per_kill(arguments: &Arguments) -> u64 {
    (arguments.rate * 2.0).ceil() as u64 + u64::from(arguments.partitions.unsigned_abs())
}

impl Demo {
    fn introduce(&self, arguments: &Arguments) {
        let Arguments { consumers, partitions, rate, count, .. } = arguments;
        let end = if *count == 0 { "until Ctrl-C".to_owned() } else { format!("{count} messages") };
        self.screen.say(&format!(
            "Topic `{TOPIC}`, {partitions} partitions; group `{GROUP}`, {consumers} replicas; {rate} messages/s, {end}."
        ));
        self.screen.print(
            "The broker is embedded: a development stand-in without authentication or persistence, 5 MB a partition.\n\
             Its groups form after 3 s. Kill a replica and watch the others take over:",
        );
        for child in &self.children {
            self.screen.print(&format!("  {:<11} kill -9 {}", child.name, child.id()));
        }
        self.screen.print("");
    }

    fn hear(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Line { name, text } => {
                self.evidence.add(&name, &text)?;
                self.screen.show(&name, &text);
            }
            Event::Ended { name, status } => self.ended(&name, status),
        }
        Ok(())
    }

    fn ended(&mut self, name: &str, status: ExitStatus) {
        let was_expected = status.success() && (name == "producer" || matches!(self.phase, Phase::Stopping { .. }));
        self.screen.say(&format!("{name} has ended: {status}"));
        if !was_expected {
            self.mishaps.push(format!("{name} ended: {status}"));
        }
        if status.signal().is_some() && name != "producer" {
            self.killed_replicas += 1;
        }
        self.children.retain(|child| child.name != name);
        if name == "producer" && matches!(self.phase, Phase::Running | Phase::Draining { .. }) {
            self.phase = Phase::CatchingUp { until: Instant::now() + CATCH_UP };
        }
    }

    /// Ctrl-C; tells whether it was the second.
    fn interrupted(&mut self) -> bool {
        if !matches!(self.phase, Phase::Running) {
            self.children.iter().for_each(Child::kill);
            return true;
        }
        self.screen
            .say("Stopping: the producer first, the replicas when they have caught up. Ctrl-C again ends at once.");
        self.of(Role::Producer).for_each(Child::stop);
        self.phase = Phase::Draining { until: Instant::now() + STOP };
        false
    }

    fn of(&self, role: Role) -> impl Iterator<Item = &Child> {
        self.children.iter().filter(move |child| child.role == role)
    }

    fn go_on(&mut self) {
        let now = Instant::now();
        match self.phase {
            Phase::Draining { until } | Phase::Stopping { until } if now >= until => {
                self.mishaps.push("services did not stop in time and were killed".to_owned());
                self.children.iter().for_each(Child::kill);
                self.phase = Phase::Stopping { until: now + STOP };
            }
            Phase::CatchingUp { until } if now >= until || self.evidence.is_caught_up() => {
                self.of(Role::Consumer).for_each(Child::stop);
                self.phase = Phase::Stopping { until: now + STOP };
            }
            _ => {}
        }
    }

    fn judge(mut self) -> Result<u8> {
        let report = self.evidence.report()?;
        let permitted = self.killed_replicas * self.repeats_per_kill;
        let verdict = report.verdict(permitted);
        self.screen.print("");
        self.screen.print(&self.evidence.named(&report.to_string()));
        self.mishaps.iter().for_each(|mishap| self.screen.print(mishap));
        if permitted > 0 {
            self.screen
                .print(&format!("after a kill, up to {permitted} repeats are permitted: what was not yet committed"));
        }
        self.screen.say(&format!("verdict: {verdict}"));
        if verdict != Verdict::Proven {
            self.screen.print(&format!("evidence: {}", self.evidence.keep()?));
        }
        Ok(verdict.exit_code())
    }
}
