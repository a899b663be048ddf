//! What happens to which of the three brokers, and the check of what the services make of it.

use std::fmt;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::PARTITIONS;
use super::load::{ACKNOWLEDGED_AGAIN, GIVEN_UP, Load, NOT_ACKNOWLEDGED, NOT_RECEIVED, RECEIVED_AGAIN, delay, wait};
use crate::cluster::{BROKERS, Cluster};
use crate::pair::wait_for_shares;
use crate::topic::Topic;

/// The rate of the healthy partitions is compared in intervals of this length.
const INTERVAL: Duration = Duration::from_secs(10);
/// How many intervals a broker is frozen or dead.
const INTERVALS: u32 = 5;
/// A partition is late after ten seconds. The rest is for a busy machine.
const SAID_BY_PRODUCER: Duration = Duration::from_secs(14);
/// A replica learns of a silent leader from librdkafka's statistics, which come every five seconds. If the broker also coordinates the
/// group, the replicas first have to join the group again at another broker, and own nothing until then: 33 to 39 s on an idle machine.
const SAID_BY_REPLICA: Duration = Duration::from_secs(60);

/// What happens to a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It accepts connections and does not answer.
    Frozen,
    /// It ends by SIGKILL, and is started again at the end of the outage.
    Killed,
    /// It ends by SIGTERM, and is started again at once.
    Restarted,
}

/// Which broker it happens to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// One that leads partitions, and neither coordinates the group nor is the active controller.
    Leader,
    /// The one that coordinates the group.
    Coordinator,
    /// The active controller.
    Controller,
}

/// What happens to which broker, and how many replicas the partitions of the topic have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outage {
    pub(super) fault: Fault,
    pub(super) role: Role,
    pub(super) replication: i32,
}

impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fault = match self.fault {
            Fault::Frozen => "frozen",
            Fault::Killed => "killed",
            Fault::Restarted => "restarted",
        };
        let role = match self.role {
            Role::Leader => "leader",
            Role::Coordinator => "coordinator",
            Role::Controller => "controller",
        };
        let replicas =
            if self.replication == 1 { "1 replica".to_owned() } else { format!("{} replicas", self.replication) };
        write!(f, "{fault} {role}, {replicas}")
    }
}

impl Role {
    /// The broker that has this role for the group of `topic`.
    pub(super) fn find(self, cluster: &Cluster, topic: &Topic) -> Result<usize> {
        let coordinator = cluster.coordinator(&topic.group("g"), None)?;
        let controller = cluster.controller(None)?;
        match self {
            Self::Leader => (1..=BROKERS)
                .find(|id| *id != coordinator && *id != controller)
                .context("two roles leave one of three brokers"),
            Self::Coordinator => Ok(coordinator),
            Self::Controller => Ok(controller),
        }
    }
}

impl Fault {
    fn inflict(self, cluster: &Cluster, broker: usize) -> Result<()> {
        match self {
            Self::Frozen => cluster.freeze(broker),
            Self::Killed => cluster.kill(broker),
            Self::Restarted => cluster.stop(broker),
        }
    }
}

impl Outage {
    /// All combinations.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let faults = [Fault::Frozen, Fault::Killed, Fault::Restarted];
        let roles = [Role::Leader, Role::Coordinator, Role::Controller];
        let with = move |fault| {
            roles.into_iter().flat_map(move |role| [1, 3].map(|replication| Self { fault, role, replication }))
        };
        faults.into_iter().flat_map(with)
    }

    /// Lets it happen under load, and checks what is said, by whom and when, that the other partitions are not held up, and that nothing
    /// is lost. Returns the numbers.
    pub(super) fn check(self, cluster: &Cluster) -> Result<String> {
        let topic = Topic::create_replicated(&cluster.endpoint(), PARTITIONS, self.replication, &[])?;
        let load = Load::start(&topic)?;
        let broker = self.role.find(cluster, &topic)?;
        let leaders = cluster.leaders(&topic)?;
        let led: Vec<i32> = leaders.iter().filter(|(_, leader)| **leader == broker as i32).map(|(id, _)| *id).collect();
        ensure!(led.len() == 2, "each broker leads two partitions: {leaders:?}");
        // Without other replicas, the partitions of this broker wait until it is back, and the others must not wait with them. With other
        // replicas, every partition waits until the cluster has declared the broker dead, because an acknowledgement needs all replicas in
        // sync; then all go on, whether the broker is back or not.
        let must_go_on = |partition| self.replication > 1 || !led.contains(&partition);
        let before = delivered_in(&load, INTERVAL, must_go_on);
        // The control: the same lines are looked for before the outage and during it.
        for message in [NOT_ACKNOWLEDGED, NOT_RECEIVED] {
            ensure!(load.lines(message).is_empty(), "before the outage: {:?}", load.lines(message));
        }

        let (start, clock) = (SystemTime::now(), Instant::now());
        self.fault.inflict(cluster, broker)?;
        let kept = if self.fault == Fault::Restarted {
            cluster.heal()?;
            "back at once".to_owned()
        } else {
            let shares: Vec<f64> =
                (0..INTERVALS).map(|_| delivered_in(&load, INTERVAL, must_go_on) as f64 / before as f64).collect();
            let share = if self.replication == 1 {
                shares.iter().copied().fold(f64::INFINITY, f64::min)
            } else {
                shares[shares.len() - 1]
            };
            ensure!(share >= 0.9, "shares of their rate that the other partitions kept: {shares:.2?}");
            self.check_roles(cluster, &topic, broker)?;
            format!("{shares:.2?} of the rate in intervals of {} s", INTERVAL.as_secs())
        };
        if self.fault != Fault::Restarted && self.replication == 1 {
            self.check_complaints(cluster, &load, broker, &led, start)?;
        }
        let said = Said::by(&load, start)?;

        cluster.heal()?;
        let away = clock.elapsed();
        let has_ended = |message, end| load.lines(message).is_empty() || !load.lines(end).is_empty();
        for process in load.replicas.iter().chain([&load.producer]) {
            process.wait_until("ready again", |process| process.ask("/readyz").0 == 200);
        }
        ensure!(
            has_ended(NOT_ACKNOWLEDGED, ACKNOWLEDGED_AGAIN) && has_ended(NOT_RECEIVED, RECEIVED_AGAIN),
            "no end is told"
        );
        ensure!(load.lines(GIVEN_UP).is_empty(), "messages were given up: {:?}", load.lines(GIVEN_UP));
        wait_for_shares(&load.replicas, PARTITIONS.into(), &[3, 3])?;
        cluster.wait_for_replicas()?;
        let numbers = load.finish(away)?;
        Ok(format!("{said}; {kept}; {numbers}"))
    }

    /// Checks that another broker has taken over the role.
    fn check_roles(self, cluster: &Cluster, topic: &Topic, broker: usize) -> Result<()> {
        let now = match self.role {
            Role::Leader => return Ok(()),
            Role::Coordinator => cluster.coordinator(&topic.group("g"), Some(broker))?,
            Role::Controller => cluster.controller(Some(broker))?,
        };
        ensure!(now != broker, "broker {broker} still has its role, so nothing was tried");
        Ok(())
    }

    /// Checks that both services name the partitions without a leader that answers, in time, in the log and by `/readyz`.
    fn check_complaints(
        self,
        cluster: &Cluster,
        load: &Load,
        broker: usize,
        led: &[i32],
        start: SystemTime,
    ) -> Result<()> {
        let of_broker = format!("of broker {broker} at {}", cluster.address(broker));
        let named = format!("partitions {}, {} {of_broker}", led[0], led[1]);
        let lines = load.producer.with_message(NOT_ACKNOWLEDGED);
        let first = lines.first().context("the producer says nothing")?;
        ensure!(delay(first, start)? < SAID_BY_PRODUCER, "said late: {first}");
        // The first line may name one of them only, if the last acknowledgements of the two lay that far apart.
        let complete = lines.iter().take(2).find(|line| line["partitions"] == named.as_str() && line["late"] == 2);
        complete.with_context(|| format!("neither of the first two lines says: {named}: {lines:?}"))?;
        ensure!(lines.len() <= INTERVALS as usize + 1, "more than one line in ten seconds: {lines:?}");
        let readyz = load.producer.ask("/readyz");
        ensure!(readyz == (503, format!("{NOT_ACKNOWLEDGED}: {named}")), "{readyz:?}");
        // Either one replica owns both partitions, or each owns one.
        let says_so = |process: &&testbed::Process| !process.with_message(NOT_RECEIVED).is_empty();
        let replica = load.replicas.iter().find(says_so).context("no replica says anything")?;
        let first = replica.with_message(NOT_RECEIVED).remove(0);
        let names_broker = |text: &Value| text.as_str().is_some_and(|text| text.contains(&of_broker));
        ensure!(names_broker(&first["partitions"]), "{first} does not name the {of_broker}");
        ensure!(delay(&first, start)? < SAID_BY_REPLICA, "said late: {first}");
        let readyz = replica.ask("/readyz");
        ensure!(readyz.0 == 503 && readyz.1.contains(&of_broker), "/readyz does not name the {of_broker}: {readyz:?}");
        Ok(())
    }
}

fn delivered_in(load: &Load, duration: Duration, of: impl Fn(i32) -> bool) -> u64 {
    let start = load.delivered(&of);
    wait(duration);
    load.delivered(&of) - start
}

/// When what was said first, and when the producer said that it is over.
struct Said {
    by_producer: Option<Duration>,
    over: Option<Duration>,
    by_replica: Option<Duration>,
}

impl Said {
    fn by(load: &Load, start: SystemTime) -> Result<Self> {
        let first = |message| {
            load.lines(message)
                .iter()
                .map(|line| delay(line, start))
                .min_by_key(|delay| delay.as_ref().ok().copied())
                .transpose()
        };
        Ok(Self {
            by_producer: first(NOT_ACKNOWLEDGED)?,
            over: first(ACKNOWLEDGED_AGAIN)?,
            by_replica: first(NOT_RECEIVED)?,
        })
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.by_producer {
            Some(after) => write!(f, "named by the producer after {:.0} s", after.as_secs_f64())?,
            None => write!(f, "no complaint of the producer")?,
        }
        if let Some(over) = self.over {
            write!(f, ", over after {:.0} s", over.as_secs_f64())?;
        }
        match self.by_replica {
            Some(after) => write!(f, ", named by a replica after {:.0} s", after.as_secs_f64()),
            None => write!(f, ", no complaint of a replica"),
        }
    }
}
