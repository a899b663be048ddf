//! A Kafka that belongs to somebody else, with the settings of the services from this process' environment.

use std::ffi::OsString;
use std::fmt::{self, Write as _};
use std::time::Duration;

use kafka_config::{Connection, ConsumerSettings, Environment, Problems, ProducerSettings, Properties};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult};
use service::Access;

use super::Settings;
use crate::GROUP;
use crate::broker::GroupObserver;
use crate::services::environment::is_setting;

/// The most partitions that the page shows.
const PARTITIONS_MAX: usize = 100;

const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// Settings that the sandbox decides for each of its services, or that several processes on one machine cannot share.
const DECIDED_HERE: [&str; 9] = [
    "CONSUMER_MAX_MESSAGES",
    "HTTP_ADDR",
    "KAFKA_AUTO_OFFSET_RESET",
    "KAFKA_GROUP_ID",
    "KAFKA_GROUP_INSTANCE_ID",
    "KAFKA_LINGER_MS",
    "LOG_FORMAT",
    "PRODUCER_MAX_MESSAGES",
    "PRODUCER_RATE_PER_SEC",
];

/// A Kafka that the environment names.
pub(crate) struct ExternalKafka {
    pub(crate) partitions: i32,
    /// `KAFKA_GROUP_ID`, or the sandbox's own.
    pub(crate) group: String,
    /// What each service gets from the environment.
    pub(crate) environment: Settings,
    pub(crate) connection: Connection,
    properties: Properties,
}

/// Why the Kafka cannot be used.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Settings are wrong, and nothing was contacted.
    Settings(String),
    /// It does not answer, or its topic does not suit.
    Kafka(String),
}

impl Refusal {
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Settings(_) => 64,
            Self::Kafka(_) => 1,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Settings(text) | Self::Kafka(text)) = self;
        f.write_str(text)
    }
}

impl ExternalKafka {
    /// Checks the settings and asks for the topic's partitions.
    pub(crate) fn connect() -> Result<Self, Refusal> {
        let all: Vec<(OsString, OsString)> = std::env::vars_os().collect();
        let group = all.iter().find(|(name, _)| name == "KAFKA_GROUP_ID").and_then(|(_, group)| group.to_str());
        let group = group.filter(|group| !group.is_empty()).unwrap_or(GROUP).to_owned();
        let is_passed_on =
            |name: &OsString| name.to_str().is_some_and(|name| is_setting(name) && !DECIDED_HERE.contains(&name));
        let passed_on: Vec<_> = all.iter().filter(|(name, _)| is_passed_on(name)).cloned().collect();
        let own = (OsString::from("KAFKA_GROUP_ID"), OsString::from(&group));
        let environment = Environment::from_pairs(passed_on.iter().cloned().chain([own]));
        let consumer = ConsumerSettings::from_environment(&environment);
        let settings = match (consumer, ProducerSettings::from_environment(&environment)) {
            (Ok(settings), Ok(_)) => settings,
            (consumer, producer) => return Err(Refusal::Settings(problems([consumer.err(), producer.err()]))),
        };
        let ConsumerSettings { connection, properties, .. } = settings;
        let is_oauth = properties.client_config().get("sasl.mechanism") == Some("OAUTHBEARER");
        if is_oauth && connection.identity_server.is_none() {
            let text = "KAFKA_SASL_OAUTHBEARER_CONFIG: the sandbox has no unsecured tokens for its own look at the group's offsets; use an \
                        identity server or another mechanism";
            return Err(Refusal::Settings(text.to_owned()));
        }
        let partitions = partitions(&connection, &properties)?;
        // Settings that are not UTF-8 were refused above.
        let text = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        let environment = passed_on.into_iter().filter_map(text).collect();
        Ok(Self { partitions, group, environment, connection, properties })
    }

    /// Creates a client that looks at the progress of `group` without being a member.
    pub(super) fn observe(&self, group: &str, partitions: i32) -> KafkaResult<GroupObserver> {
        let access = Access::new(&self.connection, self.properties.clone());
        GroupObserver::new(self.properties.client_config(), Some(access), &self.connection.topic, group, partitions)
    }
}

/// The problems of both services, each once, with what to do if this build is the reason.
fn problems(of_services: [Option<Problems>; 2]) -> String {
    let mut all = Vec::new();
    for problem in of_services.into_iter().flatten().flat_map(|problems| problems.0) {
        if !all.contains(&problem) {
            all.push(problem);
        }
    }
    let mut text = Problems(all).to_string();
    if !cfg!(feature = "tls") {
        let next_step = "cargo run -p sandbox --features tls -- --external";
        write!(text, "\nThis build has neither TLS nor SCRAM. If the Kafka needs them: {next_step}")
            .unwrap_or_default();
    }
    text
}

fn partitions(connection: &Connection, properties: &Properties) -> Result<i32, Refusal> {
    let Connection { topic, bootstrap_servers: servers, .. } = connection;
    let unreachable = |error: KafkaError| {
        Refusal::Kafka(format!(
            "no answer from {servers}: {error}. The command `sandbox producer` with the same settings logs the cause and what to do."
        ))
    };
    let client: BaseConsumer = properties.client_config().create().map_err(unreachable)?;
    let access = Access::new(connection, properties.clone());
    access
        .wait_for_token(client.client(), ANSWER_TIMEOUT)
        .map_err(|reason| Refusal::Kafka(format!("no token: {reason}")))?;
    let metadata = client.fetch_metadata(Some(topic), ANSWER_TIMEOUT).map_err(unreachable)?;
    let count = metadata.topics().first().map_or(0, |topic| topic.partitions().len());
    match count {
        0 => Err(Refusal::Kafka(format!(
            "topic `{topic}` was not found at {servers}: create it, or grant the account Describe on it"
        ))),
        1..=PARTITIONS_MAX => Ok(i32::try_from(count).unwrap_or(i32::MAX)),
        _ => Err(Refusal::Kafka(format!(
            "topic `{topic}` has {count} partitions, and the page shows up to {PARTITIONS_MAX}"
        ))),
    }
}
