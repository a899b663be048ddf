//! Settings of the producer.

use std::num::NonZeroU64;
use std::time::Duration;

use serde::Deserialize;

use crate::librdkafka::defaults;
use crate::librdkafka::features::Features;
use crate::librdkafka::properties::Properties;
use crate::settings::checker::Checker;
use crate::settings::choices::{COMPRESSION_TYPES, Rate};
use crate::settings::connection::Connection;
use crate::settings::passthrough;
use crate::settings::runtime::RuntimeSettings;
use crate::variables::environment::Environment;
use crate::variables::problem::Problems;
use crate::variables::variable::{
    KAFKA_ACKS, KAFKA_COMPRESSION_TYPE, KAFKA_DELIVERY_TIMEOUT_MS, KAFKA_LINGER_MS, PRODUCER_MAX_MESSAGES,
    PRODUCER_RATE_PER_SEC,
};

/// Up to this rate a message is sent immediately; above it, librdkafka waits for more messages to fill a batch.
const LINGER_ABOVE_PER_SEC: f64 = 1000.0;
const LINGER_MS_ABOVE: u64 = 5;
/// Above that rate, how long messages that become due may wait for each other before they are handed to librdkafka.
const PACE_MIN: Duration = Duration::from_micros(200);
const PACE_MAX: Duration = Duration::from_millis(1);
/// More bytes than the value of a message has: it is a number and a time in JSON.
const VALUE_BYTES_MAX: u64 = 64;

#[derive(Default, Deserialize)]
struct RawDelivery {
    acks: Option<String>,
    compression_type: Option<String>,
    linger_ms: Option<String>,
    delivery_timeout_ms: Option<String>,
}

#[derive(Default, Deserialize)]
struct RawProducer {
    rate_per_sec: Option<String>,
    max_messages: Option<String>,
}

/// The checked settings of `producer-svc`.
///
/// The variables, their units and their defaults are listed in [`VARIABLES`](crate::VARIABLES).
#[derive(Debug)]
pub struct ProducerSettings {
    /// The broker and the topic to write to.
    pub connection: Connection,
    /// How fast to send (`PRODUCER_RATE_PER_SEC`).
    pub rate: Rate,
    /// How long a message waits for others to share a request with (`KAFKA_LINGER_MS`).
    pub linger: Duration,
    /// Messages that become due within this time may be sent together. Zero up to 1,000 messages per second.
    pub pace: Duration,
    /// The number of messages after which the producer stops; `None` means no limit (`PRODUCER_MAX_MESSAGES`).
    pub max_messages: Option<NonZeroU64>,
    /// Logging, health checks, traces and shutdown.
    pub runtime: RuntimeSettings,
    /// How many messages librdkafka's queue holds (`queue.buffering.max.messages` and `queue.buffering.max.kbytes`).
    pub queue_messages: u64,
    /// How many messages a request takes for one partition (`batch.num.messages`).
    pub batch_messages: u64,
    /// The properties to create the librdkafka client with.
    pub properties: Properties,
}

impl ProducerSettings {
    /// Reads and checks the settings. Contacts no broker, but opens the files that settings name.
    ///
    /// # Errors
    /// Returns every problem that was found, not only the first.
    pub fn from_environment(environment: &Environment) -> Result<Self, Problems> {
        Self::read(Checker::new(environment, Features::linked()))
    }

    fn read(mut checker: Checker<'_>) -> Result<Self, Problems> {
        let raw: RawProducer = checker.fields("PRODUCER_");
        let mut properties = Properties::default();
        properties.set_defaults(defaults::PRODUCER);
        let connection = Connection::read("producer-svc", &mut checker, &mut properties);
        let rate = rate(raw.rate_per_sec.as_deref(), &mut checker);
        let linger = delivery(rate, &mut checker, &mut properties);
        let max_messages = checker.integer(&PRODUCER_MAX_MESSAGES, raw.max_messages.as_deref(), 0..=u64::MAX);
        let runtime = RuntimeSettings::read(&mut checker);
        passthrough::apply(&mut checker, &mut properties);
        passthrough::check_statistics(&mut checker, &properties);
        properties.check(&mut checker.problems);

        if checker.problems.is_empty() {
            let queue_messages = queue_messages(&properties);
            let batch_messages = properties.number("batch.num.messages").map_or(1, |count| count.max(1));
            let pace = pace(rate, linger);
            Ok(Self {
                connection,
                rate,
                linger,
                pace,
                max_messages: NonZeroU64::new(max_messages),
                runtime,
                queue_messages,
                batch_messages,
                properties,
            })
        } else {
            Err(Problems(checker.problems))
        }
    }
}

/// How many messages surely fit into librdkafka's queue, which is limited by their number and by the bytes of their values.
fn queue_messages(properties: &Properties) -> u64 {
    // 0 stands for no limit, as in librdkafka.
    let count = properties.number("queue.buffering.max.messages").filter(|count| *count > 0).unwrap_or(u64::MAX);
    let kbytes = properties.number("queue.buffering.max.kbytes").unwrap_or(u64::MAX);
    count.min(kbytes.saturating_mul(1024) / VALUE_BYTES_MAX)
}

fn rate(raw: Option<&str>, checker: &mut Checker<'_>) -> Rate {
    let value = raw.unwrap_or(PRODUCER_RATE_PER_SEC.default).trim();
    if value.eq_ignore_ascii_case("max") {
        return Rate::Max;
    }
    match value.parse::<f64>() {
        // The lower limit, about one message a day, keeps the schedule's arithmetic within its range.
        Ok(rate) if rate.is_finite() && (1e-5..=1e7).contains(&rate) => Rate::PerSec(rate),
        _ => {
            let hint = "set it to a decimal number from 0.00001 to 10000000, such as 1, 0.5 or 2000, or to `max`";
            checker.problem(&PRODUCER_RATE_PER_SEC, "is not a rate", hint);
            Rate::PerSec(1.0)
        }
    }
}

/// Waking for each message of a fast stream costs more than sending it. The messages wait for a tenth of the time for which librdkafka
/// makes them wait anyway, or for a fraction of the time that a broker takes to answer.
fn pace(rate: Rate, linger: Duration) -> Duration {
    match rate {
        Rate::PerSec(rate) if rate <= LINGER_ABOVE_PER_SEC => Duration::ZERO,
        _ => (linger / 10).clamp(PACE_MIN, PACE_MAX),
    }
}

/// Returns the time for which librdkafka waits for more messages.
fn delivery(rate: Rate, checker: &mut Checker<'_>, properties: &mut Properties) -> Duration {
    let raw: RawDelivery = checker.fields("KAFKA_");
    let acks = raw.acks.as_deref().unwrap_or(KAFKA_ACKS.default).trim();
    // `-1` is how Kafka's protocol encodes `all`.
    if !acks.eq_ignore_ascii_case("all") && acks != "-1" {
        let hint = "set it to all; otherwise, a broker that fails takes acknowledged messages with it, and idempotence is \
                    not possible";
        checker.problem(&KAFKA_ACKS, "has a value other than `all`", hint);
    }
    properties.set("acks", "all", KAFKA_ACKS.name);
    let compression = checker.choice(&KAFKA_COMPRESSION_TYPE, raw.compression_type.as_deref(), COMPRESSION_TYPES);
    properties.set("compression.type", compression, KAFKA_COMPRESSION_TYPE.name);

    let derived = match rate {
        Rate::PerSec(rate) if rate <= LINGER_ABOVE_PER_SEC => 0,
        _ => LINGER_MS_ABOVE,
    };
    let raw_linger = raw.linger_ms.unwrap_or_else(|| derived.to_string());
    let linger = checker.integer(&KAFKA_LINGER_MS, Some(&raw_linger), 0..=900_000);
    let timeout = checker.integer(&KAFKA_DELIVERY_TIMEOUT_MS, raw.delivery_timeout_ms.as_deref(), 1000..=3_600_000);
    if timeout <= linger && !checker.is_broken(&KAFKA_LINGER_MS) && !checker.is_broken(&KAFKA_DELIVERY_TIMEOUT_MS) {
        let hint = "increase it, or decrease KAFKA_LINGER_MS";
        checker.problem(&KAFKA_DELIVERY_TIMEOUT_MS, "is not greater than KAFKA_LINGER_MS", hint);
    }
    properties.set("linger.ms", linger.to_string(), KAFKA_LINGER_MS.name);
    properties.set("delivery.timeout.ms", timeout.to_string(), KAFKA_DELIVERY_TIMEOUT_MS.name);
    Duration::from_millis(linger)
}
