//! One demonstration after the other: starts everything, shows what happens, obeys, stops in order, and judges.

mod carry_out;
mod introduction;
mod judgement;
mod members;
mod plan;
mod stop;
mod storyline;

use std::rc::Rc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use self::plan::Plan;
use self::stop::Phase;
use crate::arguments::{Arguments, Role};
use crate::evidence::{Evidence, PartitionState};
use crate::kafka::Kafka;
use crate::kafka::external::ExternalKafka;
use crate::model::{Broker, Frames, Model, Producer};
use crate::page::{Page, Request};
use crate::screen::Screen;
use crate::services::process::{Event, ServiceProcess};
use crate::standing::{Judge, Standing};
use crate::stories::{Playing, Story};

const PRODUCER: &str = "producer";
/// How often the page gets what has changed. A message has to be there 100 ms after its acknowledgement.
const FRAME: Duration = Duration::from_millis(40);
/// How often the account is drawn up, and the processes are looked at.
const LOOK: Duration = Duration::from_millis(200);
/// How often replicas that fall behind are looked for.
const TICK: Duration = Duration::from_secs(1);

struct Demonstration {
    plan: Plan,
    kafka: Kafka,
    services: Vec<ServiceProcess>,
    /// The number of replicas started so far.
    replicas_started: u16,
    events: UnboundedSender<Event>,
    states: UnboundedSender<PartitionState>,
    /// The threads that look at the groups' offsets end when these are dropped.
    watches: Vec<Sender<()>>,
    evidence: Evidence,
    model: Model,
    judge: Judge,
    standing: Standing,
    frames: Frames,
    playing: Option<Playing>,
    screen: Screen,
    phase: Phase,
    is_stop_requested: bool,
    /// What comes after this demonstration.
    next: Option<Plan>,
    /// What the services did wrong, one sentence each.
    failures: Vec<String>,
}

/// How a demonstration ended.
enum End {
    ExitCode(u8),
    Again(Plan),
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    add: Signal,
}

/// Returns the exit code of the command. Without an `external` Kafka each demonstration has a broker of its own.
#[expect(clippy::future_not_send, reason = "the runtime has one thread")]
pub(crate) async fn demonstrate(arguments: &Arguments, external: Option<ExternalKafka>) -> Result<u8> {
    let mut signals = Signals {
        interrupt: signal(SignalKind::interrupt())?,
        terminate: signal(SignalKind::terminate())?,
        add: signal(SignalKind::user_defined1())?,
    };
    let external = external.map(Rc::new);
    let mut plan = Plan::new(arguments);
    if let Some(kafka) = &external {
        plan.partitions = kafka.partitions;
    }
    let mut page = if arguments.no_page { None } else { Some(Page::open().await.context("could not open the page")?) };
    loop {
        let kafka = match &external {
            Some(kafka) => Kafka::External(Rc::clone(kafka)),
            None => Kafka::embedded(plan.partitions)?,
        };
        match play(plan, kafka, &mut signals, page.as_mut()).await? {
            End::ExitCode(code) => {
                if let Some(page) = page {
                    page.close().await;
                }
                return Ok(code);
            }
            End::Again(next) => plan = next,
        }
    }
}

#[expect(clippy::future_not_send, reason = "the runtime has one thread")]
async fn play(plan: Plan, kafka: Kafka, signals: &mut Signals, mut page: Option<&mut Page>) -> Result<End> {
    let (events, mut received_events) = unbounded_channel();
    let (states, mut received_states) = unbounded_channel();
    let mut demonstration = Demonstration::start(plan, kafka, events, states)?;
    demonstration.introduce(page.as_deref().map(Page::link));
    if let Some(page) = page.as_deref() {
        // For tabs that saw the demonstration before.
        page.send(demonstration.frames.snapshot(&demonstration.model, demonstration.sections()));
    }
    let mut frame = tokio::time::interval(FRAME);
    let mut look = tokio::time::interval(LOOK);
    let mut tick = tokio::time::interval(TICK);
    let mut exit_code = None;
    loop {
        tokio::select! {
            Some(event) = received_events.recv() => {
                demonstration.handle(event)?;
                demonstration.handle_waiting(&mut received_events)?;
            }
            Some(state) = received_states.recv() => demonstration.add_state(&state),
            request = next_request(&mut page) => demonstration.answer(request, page.as_deref()),
            _ = signals.add.recv() => demonstration.add_by_signal(),
            _ = signals.interrupt.recv() => if demonstration.stop_or_kill() { return Ok(End::ExitCode(130)) },
            _ = signals.terminate.recv() => if demonstration.stop_or_kill() { return Ok(End::ExitCode(143)) },
            _ = frame.tick() => demonstration.show(page.as_deref()),
            _ = look.tick() => demonstration.look(),
            _ = tick.tick() => demonstration.model.tick(Instant::now()),
        }
        demonstration.advance();
        if let Some(next) = demonstration.next.take() {
            demonstration.abandon();
            return Ok(End::Again(next));
        }
        if demonstration.services.is_empty() && exit_code.is_none() {
            exit_code = Some(demonstration.judge()?);
            demonstration.show(page.as_deref());
        }
        if let Some(code) = exit_code
            && (!demonstration.plan.stays || demonstration.is_stop_requested)
        {
            return Ok(End::ExitCode(code));
        }
    }
}

async fn next_request(page: &mut Option<&mut Page>) -> Request {
    match page {
        Some(page) => page.next_request().await,
        None => std::future::pending().await,
    }
}

impl Demonstration {
    fn start(
        plan: Plan,
        kafka: Kafka,
        events: UnboundedSender<Event>,
        states: UnboundedSender<PartitionState>,
    ) -> Result<Self> {
        let settings = kafka.producer(plan.rate, plan.count);
        let process = ServiceProcess::start(Role::Producer, PRODUCER, &settings, events.clone())?;
        let partitions = usize::try_from(plan.partitions).unwrap_or_default();
        let broker =
            Broker { is_up: true, is_own: matches!(kafka, Kafka::Embedded(_)), address: kafka.bootstrap_servers() };
        let model = Model::new(kafka.topic(), partitions, broker, Producer::new(process.pid(), plan.rate));
        let evidence = Evidence::new(kafka.topic())?;
        let group = kafka.group().to_owned();
        let mut demonstration = Self {
            kafka,
            services: vec![process],
            replicas_started: 0,
            events,
            states,
            watches: Vec::new(),
            evidence,
            model,
            judge: Judge::default(),
            standing: Standing::default(),
            frames: Frames::default(),
            playing: plan.story.map(Playing::new),
            screen: Screen::default(),
            phase: Phase::Running,
            is_stop_requested: false,
            next: None,
            failures: Vec::new(),
            plan,
        };
        if demonstration.plan.consumers > 0 || demonstration.playing.is_none() {
            demonstration.watch_group(&group)?;
        }
        for _ in 0..demonstration.plan.consumers {
            demonstration.start_replica(&group, crate::model::Reset::default(), 0)?;
        }
        Ok(demonstration)
    }

    fn handle(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Line { service, text } => {
                self.evidence.add_text(&text)?;
                if let Ok(line) = journal::from_line(&text) {
                    self.evidence.add_line(&service, &line);
                    self.model.add_line(&service, &line, Instant::now());
                }
                self.screen.print_line(&service, &text);
            }
            Event::Ended { service, status } => self.note_end(&service, status),
        }
        Ok(())
    }

    /// Handles the events that are waiting, but not so many that a command would have to wait.
    fn handle_waiting(&mut self, events: &mut UnboundedReceiver<Event>) -> Result<()> {
        const AT_ONCE: usize = 64;
        for _ in 0..AT_ONCE {
            match events.try_recv() {
                Ok(event) => self.handle(event)?,
                Err(_) => return Ok(()),
            }
        }
        Ok(())
    }

    fn add_state(&mut self, state: &PartitionState) {
        self.evidence.add_state(state);
        self.model.add_state(state);
    }

    /// Draws up the account, and looks whether processes are frozen, by the page or by a `kill -STOP` in another terminal.
    fn look(&mut self) {
        let now = Instant::now();
        if !self.standing.is_final {
            self.standing = self.judge.look(&self.evidence.brief_report(), &self.model, now);
        }
        let frozen: Vec<(String, bool)> =
            self.services.iter().filter_map(|service| Some((service.name.clone(), service.is_frozen()?))).collect();
        for (service, is_frozen) in frozen {
            if self.model.set_frozen(&service, is_frozen, now) {
                self.note_frozen(&service, is_frozen);
            }
        }
    }

    /// Answers a tab of the page.
    fn answer(&mut self, request: Request, page: Option<&Page>) {
        match request {
            Request::Join(tab) => {
                if let Some(page) = page {
                    let snapshot = self.frames.snapshot(&self.model, self.sections());
                    page.join(tab, snapshot);
                }
            }
            Request::Command { command, reply } => {
                // The tab may be closed.
                drop(reply.send(self.carry_out(command)));
            }
        }
    }

    /// Sends the tabs what has changed.
    fn show(&mut self, page: Option<&Page>) {
        match page.filter(|page| page.has_tabs()) {
            Some(page) => {
                let sections = self.sections();
                if let Some(delta) = self.frames.delta(&mut self.model, sections) {
                    page.send(delta);
                }
            }
            // Nobody sees it, and a tab that opens later begins with a snapshot.
            None => self.model.traffic = crate::model::Traffic::default(),
        }
    }

    fn sections(&self) -> crate::model::Sections {
        let mut sections = self.model.sections();
        sections.insert("account", serde_json::to_value(&self.standing).unwrap_or_default());
        sections.insert("story", serde_json::to_value(&self.playing).unwrap_or_default());
        sections.insert("stories", Story::list());
        sections
    }

    fn with_role(&self, role: Role) -> impl Iterator<Item = &ServiceProcess> {
        self.services.iter().filter(move |service| service.role == role)
    }

    fn service(&self, name: &str) -> Option<&ServiceProcess> {
        self.services.iter().find(|service| service.name == name)
    }
}
