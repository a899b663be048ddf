//! `producer-svc`: sends a numbered, timestamped message each second to a Kafka topic, and tells what became of each.
//!
//! The flow is: [`start()`] reads the settings and supervises the loop; the loop (`run`) hands messages to librdkafka when
//! they are due; librdkafka reports each outcome to the books, which write the lines that account for it. A message
//! that librdkafka accepted ends up in exactly one of the books' columns: acknowledged, rejected or unknown.

mod books;
mod delivery;
mod intervals;
mod metrics;
mod partitions;
mod run;
mod schedule;

use std::future::Future;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use journal::Starting;
use kafka_config::ProducerSettings;
use message::RunId;
use service::{Begun, Health, Metrics, Traces, begin, command, supervise};

use crate::metrics::ProducerMetrics;

/// The loop stands still when nobody takes its log lines, or when it is broken.
const STALL_LIMIT: Duration = Duration::from_secs(60);

const NAME: &str = "producer-svc";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The whole program: settings come from the environment, `--help` lists them.
pub fn main() -> ExitCode {
    let settings = kafka_config::help(kafka_config::AppliesTo::Producer);
    command(NAME, VERSION, env!("CARGO_PKG_DESCRIPTION"), settings, || start(std::future::pending()))
}

/// Runs the service with the settings of this process' environment until it is done, gets a signal, or `stop` ends.
pub fn start(stop: impl Future<Output = ()>) -> ExitCode {
    let run = RunId::new();
    let begun = begin(ProducerSettings::from_environment, |settings: &ProducerSettings| {
        let starting = Starting {
            service: NAME.to_owned(),
            version: VERSION.to_owned(),
            topic: settings.connection.topic.clone(),
            run: Some(run),
            group_id: None,
            settings: [
                ("rate_per_sec".to_owned(), settings.rate.to_string().into()),
                ("max_messages".to_owned(), settings.max_messages.into()),
            ]
            .into_iter()
            .collect(),
        };
        (&settings.connection, &settings.runtime, starting)
    });
    let Begun { settings, journal, identity } = match begun {
        Ok(begun) => begun,
        Err(exit_code) => return exit_code,
    };
    let health = Health::new(STALL_LIMIT);
    let metrics = Metrics::new(&[("topic", &settings.connection.topic)], &identity);
    let of_books = ProducerMetrics::new(&metrics);
    let (runtime, of_loop, its_health) = (settings.runtime.clone(), Arc::clone(&journal), Arc::clone(&health));
    supervise(&journal, &runtime, &health, metrics, stop, move |shutdown| {
        match Traces::start(settings.runtime.traces.as_ref(), &identity, &[]) {
            Ok(traces) => run::run(settings, run, traces, &of_loop, of_books, &its_health, shutdown),
            Err(failure) => failure.into(),
        }
    })
}
