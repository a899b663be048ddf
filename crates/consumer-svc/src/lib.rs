//! `consumer-svc`: one replica of a consumer group that logs each message it receives.
//!
//! [`start()`] reads the settings and starts the loop (`replica`). The loop takes messages from librdkafka in batches (`native::inbox`) and
//! enters each one in the books (`books`), which write the line that accounts for it. Only then is the offset of the message stored (`positions`), and librdkafka
//! commits nothing but stored offsets. A committed offset therefore never lies above a message that was not accounted for, and a
//! replica that is killed can only cause repeats. The books also account for the sessions: where each one begins (`beginnings`) and
//! where it ends.
//!
//! The binary is a call of [`main()`]; the sandbox calls [`start()`] in a child process of its own.

mod allocator;
mod beginnings;
mod books;
mod fetching;
mod group;
mod health;
#[doc(hidden)]
pub mod hot_path;
mod leaving;
mod membership;
mod metrics;
mod native;
mod positions;
mod replica;

use std::future::Future;
use std::num::NonZeroU64;
use std::process::ExitCode;
use std::time::Duration;

use journal::Starting;
use kafka_config::{AppliesTo, Connection, ConsumerSettings, Environment, Problems, RuntimeSettings};
use service::{Ending, Handles, Metrics, Service, Shutdown};

use crate::metrics::ConsumerMetrics;

/// Questions to a broker that does not answer block the loop for up to two seconds each, which must not count as a stall.
const STALL_LIMIT_MIN: Duration = Duration::from_secs(5);

/// The program: reads the settings from the environment; `--help` lists them.
pub fn main() -> ExitCode {
    allocator::reclaim_across_threads();
    service::main(Consumer)
}

/// Runs the service with the settings of this process' environment until it is done, receives a signal, or `stop` completes. To be called
/// before there is a second thread.
pub fn start(stop: impl Future<Output = ()>) -> ExitCode {
    allocator::reclaim_across_threads();
    service::start(Consumer, stop)
}

/// One replica.
struct Consumer;

impl Service for Consumer {
    const NAME: &'static str = "consumer-svc";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const ABOUT: &'static str = env!("CARGO_PKG_DESCRIPTION");
    const APPLIES_TO: AppliesTo = AppliesTo::Consumer;
    type Settings = ConsumerSettings;
    type Metrics = ConsumerMetrics;

    fn read_settings(environment: &Environment) -> Result<ConsumerSettings, Problems> {
        ConsumerSettings::from_environment(environment)
    }

    fn connection(settings: &ConsumerSettings) -> &Connection {
        &settings.connection
    }

    fn runtime(settings: &ConsumerSettings) -> &RuntimeSettings {
        &settings.runtime
    }

    fn starting(&self, settings: &ConsumerSettings) -> Starting {
        Starting {
            service: Self::NAME.to_owned(),
            version: Self::VERSION.to_owned(),
            topic: settings.connection.topic.clone(),
            run: None,
            group_id: Some(settings.group_id.clone()),
            settings: [
                ("group_protocol".to_owned(), settings.group_protocol.name().into()),
                ("auto_offset_reset".to_owned(), settings.auto_offset_reset.to_string().into()),
                ("max_messages".to_owned(), settings.max_messages.map_or(0, NonZeroU64::get).into()),
            ]
            .into_iter()
            .collect(),
        }
    }

    fn labels(settings: &ConsumerSettings) -> Vec<(&'static str, &str)> {
        vec![("topic", &settings.connection.topic), ("group_id", &settings.group_id)]
    }

    fn span_attributes(settings: &ConsumerSettings) -> Vec<(&'static str, &str)> {
        vec![("messaging.consumer.group.name", &settings.group_id)]
    }

    /// After `KAFKA_MAX_POLL_INTERVAL_MS` the group has given the replica's partitions to others.
    fn stall_limit(settings: &ConsumerSettings) -> Duration {
        settings.max_poll_interval.max(STALL_LIMIT_MIN)
    }

    fn register_metrics(metrics: &Metrics, settings: &ConsumerSettings) -> ConsumerMetrics {
        ConsumerMetrics::new(metrics, &settings.connection.topic, settings.runtime.metrics_by_partition)
    }

    fn work(
        self,
        settings: ConsumerSettings,
        metrics: ConsumerMetrics,
        handles: Handles,
        shutdown: &Shutdown,
    ) -> Ending {
        replica::receive_messages(settings, metrics, handles, shutdown)
    }
}
