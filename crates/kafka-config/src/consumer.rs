//! Settings of the consumer.

use std::time::Duration;

use serde::Deserialize;

use crate::check::Check;
use crate::choices::{AUTO_OFFSET_RESETS, AutoOffsetReset, GROUP_PROTOCOLS};
use crate::connection::{Connection, RawConnection};
use crate::defaults;
use crate::environment::Environment;
use crate::passthrough;
use crate::problem::Problems;
use crate::properties::Properties;
use crate::runtime::{RawRuntime, RuntimeSettings};
use crate::traces::RawTraces;
use crate::variable::{
    CONSUMER_MAX_MESSAGES, KAFKA_AUTO_COMMIT_INTERVAL_MS, KAFKA_AUTO_OFFSET_RESET, KAFKA_GROUP_ID,
    KAFKA_GROUP_INSTANCE_ID, KAFKA_GROUP_PROTOCOL, KAFKA_MAX_POLL_INTERVAL_MS, KAFKA_SESSION_TIMEOUT_MS,
};

#[derive(Deserialize)]
struct RawKafka {
    group_id: Option<String>,
    auto_offset_reset: Option<String>,
    group_protocol: Option<String>,
    group_instance_id: Option<String>,
    auto_commit_interval_ms: Option<String>,
    session_timeout_ms: Option<String>,
    max_poll_interval_ms: Option<String>,
}

#[derive(Deserialize)]
struct RawConsumer {
    max_messages: Option<String>,
}

/// Settings of `consumer-svc`, checked.
#[derive(Debug)]
pub struct ConsumerSettings {
    /// Where from.
    pub connection: Connection,
    /// Consumer group.
    pub group_id: String,
    /// Where a group without committed offset starts, or with one that the broker no longer has.
    pub auto_offset_reset: AutoOffsetReset,
    /// The name of a static member.
    pub group_instance_id: Option<String>,
    /// `classic` or `consumer`.
    pub group_protocol: &'static str,
    /// How long the loop may go without a poll before the group gives its partitions away.
    pub max_poll_interval: Duration,
    /// Stop after so many messages; 0: never.
    pub max_messages: u64,
    /// Logging and stopping.
    pub runtime: RuntimeSettings,
    /// For librdkafka.
    pub properties: Properties,
}

impl ConsumerSettings {
    /// Reads and checks the settings; contacts nothing.
    ///
    /// # Errors
    /// Every problem that was found, not just the first.
    pub fn from_environment(environment: &Environment) -> Result<Self, Problems> {
        let one = |problem| Problems(vec![problem]);
        let raw_connection: RawConnection = environment.fields("KAFKA_").map_err(one)?;
        let raw_kafka: RawKafka = environment.fields("KAFKA_").map_err(one)?;
        let raw: RawConsumer = environment.fields("CONSUMER_").map_err(one)?;
        let raw_runtime: RawRuntime = environment.fields("").map_err(one)?;
        let raw_traces: RawTraces = environment.fields("OTEL_").map_err(one)?;

        let mut check = Check::new(environment);
        let mut properties = Properties::default();
        for (name, value, _) in defaults::CONSUMER {
            properties.set(name, *value, "KAFKA_*");
        }
        let connection = Connection::read(raw_connection, "consumer-svc", &mut check, &mut properties);
        let group_id = check.required(&KAFKA_GROUP_ID, raw_kafka.group_id.clone());
        properties.set("group.id", group_id.as_str(), KAFKA_GROUP_ID.name);
        let reset = raw_kafka.auto_offset_reset.as_deref();
        let (auto_offset_reset, reset) = check.choice(&KAFKA_AUTO_OFFSET_RESET, reset, AUTO_OFFSET_RESETS);
        properties.set("auto.offset.reset", reset, KAFKA_AUTO_OFFSET_RESET.name);
        let group_instance_id = raw_kafka.group_instance_id.clone();
        let (group_protocol, max_poll_interval) = group(raw_kafka, &mut check, &mut properties);
        let max_messages = check.integer(&CONSUMER_MAX_MESSAGES, raw.max_messages.as_deref(), 0..=u64::MAX);
        let runtime = RuntimeSettings::read(raw_runtime, raw_traces, &mut check);
        passthrough::apply(environment, &mut properties, &mut check.problems);
        three_heartbeats(&mut check, &properties);
        properties.check(&mut check.problems);

        if check.problems.is_empty() {
            Ok(Self {
                connection,
                group_id,
                auto_offset_reset,
                group_instance_id,
                group_protocol,
                max_poll_interval,
                max_messages,
                runtime,
                properties,
            })
        } else {
            Err(Problems(check.problems))
        }
    }
}

/// One heartbeat may be late and one be lost. librdkafka compares the two only where both have defaults.
fn three_heartbeats(check: &mut Check<'_>, properties: &Properties) {
    let (session, heartbeat) = (properties.number("session.timeout.ms"), properties.number("heartbeat.interval.ms"));
    if let (Some(session), Some(heartbeat)) = (session, heartbeat)
        && session < heartbeat.saturating_mul(3)
        && !check.is_broken(&KAFKA_SESSION_TIMEOUT_MS)
    {
        let text = format!("is below three heartbeats, which come every {heartbeat} ms");
        check.problem(&KAFKA_SESSION_TIMEOUT_MS, &text, "give more, or change KAFKA_PROP_HEARTBEAT_INTERVAL_MS");
    }
}

fn group(raw: RawKafka, check: &mut Check<'_>, properties: &mut Properties) -> (&'static str, Duration) {
    let protocol = check.choice(&KAFKA_GROUP_PROTOCOL, raw.group_protocol.as_deref(), GROUP_PROTOCOLS);
    properties.set("group.protocol", protocol, KAFKA_GROUP_PROTOCOL.name);
    if let Some(instance) = raw.group_instance_id {
        properties.set("group.instance.id", instance, KAFKA_GROUP_INSTANCE_ID.name);
    }
    let commit = raw.auto_commit_interval_ms.as_deref();
    let commit = check.integer(&KAFKA_AUTO_COMMIT_INTERVAL_MS, commit, 100..=3_600_000);
    properties.set("auto.commit.interval.ms", commit.to_string(), KAFKA_AUTO_COMMIT_INTERVAL_MS.name);
    let session_given = raw.session_timeout_ms.is_some();
    let session = check.integer(&KAFKA_SESSION_TIMEOUT_MS, raw.session_timeout_ms.as_deref(), 1000..=3_600_000);
    let poll = raw.max_poll_interval_ms.as_deref();
    let poll = check.integer(&KAFKA_MAX_POLL_INTERVAL_MS, poll, 1000..=86_400_000);
    properties.set("max.poll.interval.ms", poll.to_string(), KAFKA_MAX_POLL_INTERVAL_MS.name);

    if protocol == "classic" {
        for (name, value, _) in defaults::CLASSIC_GROUP {
            properties.set(name, *value, "KAFKA_*");
        }
        properties.set("session.timeout.ms", session.to_string(), KAFKA_SESSION_TIMEOUT_MS.name);
        let broken = check.is_broken(&KAFKA_SESSION_TIMEOUT_MS) || check.is_broken(&KAFKA_MAX_POLL_INTERVAL_MS);
        if poll < session && !broken {
            let hint = "give at least as much, or a shorter session";
            check.problem(&KAFKA_MAX_POLL_INTERVAL_MS, "is below KAFKA_SESSION_TIMEOUT_MS", hint);
        }
    } else if session_given {
        let hint = "take it away; the broker's group.consumer.session.timeout.ms decides";
        check.problem(&KAFKA_SESSION_TIMEOUT_MS, "does not go with KAFKA_GROUP_PROTOCOL=consumer", hint);
    }
    (protocol, Duration::from_millis(poll))
}
