//! `producer-svc`: sends a numbered, timestamped message each second to a Kafka topic, and logs the outcome of each.
//!
//! [`start()`] reads the settings and starts the loop (`sender`). The loop hands messages to librdkafka (`client`) when they are due.
//! librdkafka reports the outcome of each message (`client::delivery`) to the books (`books`), which write the lines that account for it. Every
//! message that librdkafka accepted ends up in exactly one column of the books: acknowledged, rejected or unknown.
//!
//! The binary is a call of [`main()`]; the sandbox calls [`start()`] in a child process of its own.

mod books;
mod client;
mod control;
mod health;
#[doc(hidden)]
pub mod hot_path;
mod metrics;
mod partitions;
mod schedule;
mod sender;

use std::future::Future;
use std::num::NonZeroU64;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use journal::Starting;
use kafka_config::{AppliesTo, Connection, Environment, Problems, ProducerSettings, RuntimeSettings};
use message::RunId;
use service::{Ending, Handles, Metrics, Service, Shutdown};

pub use crate::control::{Control, NotACommand};
use crate::metrics::ProducerMetrics;

/// The loop makes no progress only if the reader of the log is stuck, or if there is a defect.
const STALL_LIMIT: Duration = Duration::from_secs(60);

/// The program: reads the settings from the environment; `--help` lists them.
pub fn main() -> ExitCode {
    service::main(Producer::default())
}

/// Runs the service with the settings of this process' environment until it is done, receives a signal, or `stop` completes. Meanwhile
/// `control` may change its rate.
pub fn start(control: Arc<Control>, stop: impl Future<Output = ()>) -> ExitCode {
    service::start(Producer { control, ..Producer::default() }, stop)
}

/// One life of the producer.
#[derive(Default)]
struct Producer {
    run: RunId,
    control: Arc<Control>,
}

impl Service for Producer {
    const NAME: &'static str = "producer-svc";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const ABOUT: &'static str = env!("CARGO_PKG_DESCRIPTION");
    const APPLIES_TO: AppliesTo = AppliesTo::Producer;
    type Settings = ProducerSettings;
    type Metrics = ProducerMetrics;

    fn read_settings(environment: &Environment) -> Result<ProducerSettings, Problems> {
        ProducerSettings::from_environment(environment)
    }

    fn connection(settings: &ProducerSettings) -> &Connection {
        &settings.connection
    }

    fn runtime(settings: &ProducerSettings) -> &RuntimeSettings {
        &settings.runtime
    }

    fn starting(&self, settings: &ProducerSettings) -> Starting {
        Starting {
            service: Self::NAME.to_owned(),
            version: Self::VERSION.to_owned(),
            topic: settings.connection.topic.clone(),
            run: Some(self.run),
            group_id: None,
            settings: [
                ("rate_per_sec".to_owned(), settings.rate.to_string().into()),
                ("max_messages".to_owned(), settings.max_messages.map_or(0, NonZeroU64::get).into()),
            ]
            .into_iter()
            .collect(),
        }
    }

    fn labels(settings: &ProducerSettings) -> Vec<(&'static str, &str)> {
        vec![("topic", &settings.connection.topic)]
    }

    fn stall_limit(_: &ProducerSettings) -> Duration {
        STALL_LIMIT
    }

    fn register_metrics(metrics: &Metrics, settings: &ProducerSettings) -> ProducerMetrics {
        ProducerMetrics::new(metrics, &settings.connection.topic, settings.runtime.metrics_by_partition)
    }

    fn work(
        self,
        settings: ProducerSettings,
        metrics: ProducerMetrics,
        handles: Handles,
        shutdown: &Shutdown,
    ) -> Ending {
        sender::send_messages(settings, self.run, metrics, handles, &self.control, shutdown)
    }
}
