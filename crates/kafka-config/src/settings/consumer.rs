//! Settings of the consumer.

use std::num::NonZeroU64;
use std::time::Duration;

use serde::Deserialize;

use crate::librdkafka::defaults;
use crate::librdkafka::features::Features;
use crate::librdkafka::properties::Properties;
use crate::settings::checker::Checker;
use crate::settings::choices::{AUTO_OFFSET_RESETS, AutoOffsetReset, GROUP_PROTOCOLS, GroupProtocol};
use crate::settings::connection::Connection;
use crate::settings::passthrough;
use crate::settings::runtime::RuntimeSettings;
use crate::variables::environment::Environment;
use crate::variables::problem::{Problem, Problems};
use crate::variables::variable::{
    CONSUMER_MAX_MESSAGES, KAFKA_AUTO_COMMIT_INTERVAL_MS, KAFKA_AUTO_OFFSET_RESET, KAFKA_GROUP_ID,
    KAFKA_GROUP_INSTANCE_ID, KAFKA_GROUP_PROTOCOL, KAFKA_MAX_POLL_INTERVAL_MS, KAFKA_SESSION_TIMEOUT_MS,
};

#[derive(Default, Deserialize)]
struct RawGroup {
    group_id: Option<String>,
    auto_offset_reset: Option<String>,
    group_protocol: Option<String>,
    group_instance_id: Option<String>,
    auto_commit_interval_ms: Option<String>,
    session_timeout_ms: Option<String>,
    max_poll_interval_ms: Option<String>,
}

#[derive(Default, Deserialize)]
struct RawConsumer {
    max_messages: Option<String>,
}

/// The checked settings of `consumer-svc`.
///
/// The variables, their units and their defaults are listed in [`VARIABLES`](crate::VARIABLES).
#[derive(Debug)]
pub struct ConsumerSettings {
    /// The broker and the topic to read from.
    pub connection: Connection,
    /// The consumer group (`group.id`).
    pub group_id: String,
    /// Where to start in a partition for which the group has no valid committed offset (`auto.offset.reset`).
    pub auto_offset_reset: AutoOffsetReset,
    /// The name of this replica as a static member of the group (`group.instance.id`, KIP-345); `None` for a dynamic
    /// member.
    pub group_instance_id: Option<String>,
    /// How the group agrees on who receives what (`group.protocol`, KIP-848).
    pub group_protocol: GroupProtocol,
    /// The longest time between two polls; a replica that exceeds it has to give up its partitions
    /// (`max.poll.interval.ms`).
    pub max_poll_interval: Duration,
    /// The number of messages after which the consumer stops; `None` means no limit (`CONSUMER_MAX_MESSAGES`).
    pub max_messages: Option<NonZeroU64>,
    /// Logging, health checks, traces and shutdown.
    pub runtime: RuntimeSettings,
    /// The properties to create the librdkafka client with.
    pub properties: Properties,
}

impl ConsumerSettings {
    /// Reads and checks the settings. Contacts no broker, but opens the files that settings name.
    ///
    /// # Errors
    /// Returns every problem that was found, not only the first.
    pub fn from_environment(environment: &Environment) -> Result<Self, Problems> {
        Self::read(Checker::new(environment, Features::linked()))
    }

    pub(crate) fn read(mut checker: Checker<'_>) -> Result<Self, Problems> {
        let raw: RawConsumer = checker.fields("CONSUMER_");
        let raw_group: RawGroup = checker.fields("KAFKA_");
        let mut properties = Properties::default();
        properties.set_defaults(defaults::CONSUMER);
        let connection = Connection::read("consumer-svc", &mut checker, &mut properties);
        let group_id = checker.required(&KAFKA_GROUP_ID, raw_group.group_id.clone());
        properties.set("group.id", group_id.as_str(), KAFKA_GROUP_ID.name);
        let reset = raw_group.auto_offset_reset.as_deref();
        let auto_offset_reset = checker.choice(&KAFKA_AUTO_OFFSET_RESET, reset, AUTO_OFFSET_RESETS);
        properties.set("auto.offset.reset", auto_offset_reset.to_string(), KAFKA_AUTO_OFFSET_RESET.name);
        let group_instance_id = raw_group.group_instance_id.clone();
        let (group_protocol, max_poll_interval) = membership(raw_group, &mut checker, &mut properties);
        let max_messages = checker.integer(&CONSUMER_MAX_MESSAGES, raw.max_messages.as_deref(), 0..=u64::MAX);
        let runtime = RuntimeSettings::read(&mut checker);
        passthrough::apply(&mut checker, &mut properties);
        check_heartbeats(&mut checker, &properties);
        check_health(&mut checker, &properties);
        properties.check(&mut checker.problems);

        if checker.problems.is_empty() {
            Ok(Self {
                connection,
                group_id,
                auto_offset_reset,
                group_instance_id,
                group_protocol,
                max_poll_interval,
                max_messages: NonZeroU64::new(max_messages),
                runtime,
                properties,
            })
        } else {
            Err(Problems(checker.problems))
        }
    }
}

/// The longest time for which a broker may hold back the answer to a fetch. A leader that owes one for ten seconds counts as failed.
const FETCH_WAIT_MAX_MS: u64 = 5000;

/// Properties without which a replica cannot tell whether it is served.
fn check_health(checker: &mut Checker<'_>, properties: &Properties) {
    if properties.number("fetch.wait.max.ms").is_some_and(|wait| wait > FETCH_WAIT_MAX_MS) {
        let hint = "a leader that does not answer a fetch for ten seconds counts as failed";
        let problem = format!("is more than {FETCH_WAIT_MAX_MS} ms");
        checker.problems.push(Problem::new("KAFKA_PROP_FETCH_WAIT_MAX_MS", problem, hint));
    }
    if properties.number("statistics.interval.ms") == Some(0) {
        let hint = "without statistics nothing would tell that partitions are not received";
        checker.problems.push(Problem::new("KAFKA_PROP_STATISTICS_INTERVAL_MS", "turns statistics off", hint));
    }
    passthrough::check_statistics(checker, properties);
}

/// Checks that a session spans three heartbeats, so that one can be late and one can be lost. librdkafka compares the two
/// values only where both have their defaults.
fn check_heartbeats(checker: &mut Checker<'_>, properties: &Properties) {
    let (session, heartbeat) = (properties.number("session.timeout.ms"), properties.number("heartbeat.interval.ms"));
    if let (Some(session), Some(heartbeat)) = (session, heartbeat)
        && session < heartbeat.saturating_mul(3)
        && !checker.is_broken(&KAFKA_SESSION_TIMEOUT_MS)
    {
        let problem = format!("is shorter than three heartbeats, which are {heartbeat} ms apart");
        let hint = "increase it, or decrease KAFKA_PROP_HEARTBEAT_INTERVAL_MS";
        checker.problem(&KAFKA_SESSION_TIMEOUT_MS, problem, hint);
    }
}

/// Sets how a replica is a member of its group, and returns the group protocol and the poll interval.
fn membership(raw: RawGroup, checker: &mut Checker<'_>, properties: &mut Properties) -> (GroupProtocol, Duration) {
    let protocol = checker.choice(&KAFKA_GROUP_PROTOCOL, raw.group_protocol.as_deref(), GROUP_PROTOCOLS);
    properties.set("group.protocol", protocol.name(), KAFKA_GROUP_PROTOCOL.name);
    if let Some(instance) = raw.group_instance_id {
        properties.set("group.instance.id", instance, KAFKA_GROUP_INSTANCE_ID.name);
    }
    let commit = raw.auto_commit_interval_ms.as_deref();
    let commit = checker.integer(&KAFKA_AUTO_COMMIT_INTERVAL_MS, commit, 100..=3_600_000);
    properties.set("auto.commit.interval.ms", commit.to_string(), KAFKA_AUTO_COMMIT_INTERVAL_MS.name);
    let has_session = raw.session_timeout_ms.is_some();
    let session = checker.integer(&KAFKA_SESSION_TIMEOUT_MS, raw.session_timeout_ms.as_deref(), 1000..=3_600_000);
    let poll = raw.max_poll_interval_ms.as_deref();
    let poll = checker.integer(&KAFKA_MAX_POLL_INTERVAL_MS, poll, 1000..=86_400_000);
    properties.set("max.poll.interval.ms", poll.to_string(), KAFKA_MAX_POLL_INTERVAL_MS.name);

    if protocol == GroupProtocol::Classic {
        properties.set_defaults(defaults::CLASSIC_GROUP);
        properties.set("session.timeout.ms", session.to_string(), KAFKA_SESSION_TIMEOUT_MS.name);
        let is_broken = checker.is_broken(&KAFKA_SESSION_TIMEOUT_MS) || checker.is_broken(&KAFKA_MAX_POLL_INTERVAL_MS);
        if poll < session && !is_broken {
            let hint = "increase it, or decrease KAFKA_SESSION_TIMEOUT_MS";
            checker.problem(&KAFKA_MAX_POLL_INTERVAL_MS, "is less than KAFKA_SESSION_TIMEOUT_MS", hint);
        }
    } else if has_session {
        let hint = "unset it; the broker's group.consumer.session.timeout.ms applies";
        checker.problem(&KAFKA_SESSION_TIMEOUT_MS, "cannot be used with KAFKA_GROUP_PROTOCOL=consumer", hint);
    }
    (protocol, Duration::from_millis(poll))
}
