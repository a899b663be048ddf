//! Settings of the producer.

use serde::Deserialize;

use crate::check::Check;
use crate::choices::{COMPRESSION_TYPES, Rate};
use crate::connection::{Connection, RawConnection};
use crate::defaults;
use crate::environment::Environment;
use crate::passthrough;
use crate::problem::Problems;
use crate::properties::Properties;
use crate::runtime::{RawRuntime, RuntimeSettings};
use crate::traces::RawTraces;
use crate::variable::{
    KAFKA_ACKS, KAFKA_COMPRESSION_TYPE, KAFKA_DELIVERY_TIMEOUT_MS, KAFKA_LINGER_MS, PRODUCER_MAX_MESSAGES,
    PRODUCER_RATE_PER_SEC,
};

/// Up to this rate a message is sent at once; above, it waits for company.
const LINGER_ABOVE_PER_SEC: f64 = 1000.0;
const LINGER_MS_ABOVE: u64 = 5;

#[derive(Deserialize)]
struct RawKafka {
    acks: Option<String>,
    compression_type: Option<String>,
    linger_ms: Option<String>,
    delivery_timeout_ms: Option<String>,
}

#[derive(Deserialize)]
struct RawProducer {
    rate_per_sec: Option<String>,
    max_messages: Option<String>,
}

/// Settings of `producer-svc`, checked.
#[derive(Debug)]
pub struct ProducerSettings {
    /// Where to.
    pub connection: Connection,
    /// How fast.
    pub rate: Rate,
    /// Stop after so many messages; 0: never.
    pub max_messages: u64,
    /// Logging and stopping.
    pub runtime: RuntimeSettings,
    /// For librdkafka.
    pub properties: Properties,
}

impl ProducerSettings {
    /// Reads and checks the settings; contacts nothing.
    ///
    /// # Errors
    /// Every problem that was found, not just the first.
    pub fn from_environment(environment: &Environment) -> Result<Self, Problems> {
        let one = |problem| Problems(vec![problem]);
        let raw_connection: RawConnection = environment.fields("KAFKA_").map_err(one)?;
        let raw_kafka: RawKafka = environment.fields("KAFKA_").map_err(one)?;
        let raw: RawProducer = environment.fields("PRODUCER_").map_err(one)?;
        let raw_runtime: RawRuntime = environment.fields("").map_err(one)?;
        let raw_traces: RawTraces = environment.fields("OTEL_").map_err(one)?;

        let mut check = Check::new(environment);
        let mut properties = Properties::default();
        for (name, value, _) in defaults::PRODUCER {
            properties.set(name, *value, "KAFKA_*");
        }
        let connection = Connection::read(raw_connection, "producer-svc", &mut check, &mut properties);
        let rate = rate(raw.rate_per_sec.as_deref(), &mut check);
        kafka(raw_kafka, rate, &mut check, &mut properties);
        let max_messages = check.integer(&PRODUCER_MAX_MESSAGES, raw.max_messages.as_deref(), 0..=u64::MAX);
        let runtime = RuntimeSettings::read(raw_runtime, raw_traces, &mut check);
        passthrough::apply(environment, &mut properties, &mut check.problems);
        properties.check(&mut check.problems);

        if check.problems.is_empty() {
            Ok(Self { connection, rate, max_messages, runtime, properties })
        } else {
            Err(Problems(check.problems))
        }
    }
}

fn rate(raw: Option<&str>, check: &mut Check<'_>) -> Rate {
    let value = raw.unwrap_or(PRODUCER_RATE_PER_SEC.default).trim();
    if value.eq_ignore_ascii_case("max") {
        return Rate::Max;
    }
    match value.parse::<f64>() {
        // Below one message in a day, the schedule's arithmetic has no meaning any more.
        Ok(rate) if rate.is_finite() && (1e-5..=1e7).contains(&rate) => Rate::PerSec(rate),
        _ => {
            let hint = "give a decimal from 0.00001 to 10000000, such as 1, 0.5 or 2000, or `max`";
            check.problem(&PRODUCER_RATE_PER_SEC, "is no rate", hint);
            Rate::PerSec(1.0)
        }
    }
}

fn kafka(raw: RawKafka, rate: Rate, check: &mut Check<'_>, properties: &mut Properties) {
    let acks = raw.acks.as_deref().unwrap_or(KAFKA_ACKS.default).trim();
    if !acks.eq_ignore_ascii_case("all") && acks != "-1" {
        let hint = "give all; a message that only one broker has is lost with it, and idempotence needs all";
        check.problem(&KAFKA_ACKS, "would break a promise of this service", hint);
    }
    properties.set("acks", "all", KAFKA_ACKS.name);
    let compression = check.choice(&KAFKA_COMPRESSION_TYPE, raw.compression_type.as_deref(), COMPRESSION_TYPES);
    properties.set("compression.type", compression, KAFKA_COMPRESSION_TYPE.name);

    let derived = match rate {
        Rate::PerSec(rate) if rate <= LINGER_ABOVE_PER_SEC => 0,
        _ => LINGER_MS_ABOVE,
    };
    let raw_linger = raw.linger_ms.unwrap_or_else(|| derived.to_string());
    let linger = check.integer(&KAFKA_LINGER_MS, Some(&raw_linger), 0..=900_000);
    let timeout = check.integer(&KAFKA_DELIVERY_TIMEOUT_MS, raw.delivery_timeout_ms.as_deref(), 1000..=3_600_000);
    if timeout <= linger && !check.is_broken(&KAFKA_LINGER_MS) && !check.is_broken(&KAFKA_DELIVERY_TIMEOUT_MS) {
        check.problem(&KAFKA_DELIVERY_TIMEOUT_MS, "is not above KAFKA_LINGER_MS", "give more, or linger less");
    }
    properties.set("linger.ms", linger.to_string(), KAFKA_LINGER_MS.name);
    properties.set("delivery.timeout.ms", timeout.to_string(), KAFKA_DELIVERY_TIMEOUT_MS.name);
}
