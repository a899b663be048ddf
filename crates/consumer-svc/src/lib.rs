//! `consumer-svc`: one replica of a consumer group that logs each message it receives.
//!
//! The flow is: [`start()`] reads the settings and supervises the loop; the loop (`run`) polls librdkafka; each message
//! goes through the books, which write the line that accounts for it; only then its offset goes to the positions, which
//! store it for librdkafka to commit. So a committed offset always stands above messages that were accounted for, and a
//! replica that dies can only cause repeats.

mod books;
mod group;
mod membership;
mod metrics;
mod positions;
mod run;

use std::future::Future;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser as _;
use journal::Starting;
use kafka_config::ConsumerSettings;
use service::{Begun, Health, Metrics, Traces, begin, supervise};

use crate::metrics::ConsumerMetrics;

/// To ask for a broker that is away takes the loop a second and a half.
const STALL_LIMIT_MIN: Duration = Duration::from_secs(5);

/// One replica of a consumer group that logs each message it receives.
#[derive(clap::Parser, Debug)]
#[command(name = "consumer-svc", version, after_long_help = kafka_config::help(kafka_config::AppliesTo::Consumer))]
struct Arguments {
    #[command(subcommand)]
    question: Option<Question>,
}

#[derive(clap::Subcommand, Debug)]
enum Question {
    /// Ask the service that runs with this environment whether it is ready: 0 if it is, 1 if not.
    Healthcheck,
}

/// The whole program: settings come from the environment, `--help` lists them.
pub fn main() -> ExitCode {
    match Arguments::try_parse() {
        Ok(Arguments { question: None }) => start(std::future::pending()),
        Ok(Arguments { question: Some(Question::Healthcheck) }) => service::healthcheck(),
        Err(error) => service::explain(&error),
    }
}

/// Runs the service with the settings of this process' environment until it is done, gets a signal, or `stop` ends.
pub fn start(stop: impl Future<Output = ()>) -> ExitCode {
    let begun = begin(ConsumerSettings::from_environment, |settings: &ConsumerSettings| {
        let starting = Starting {
            service: "consumer-svc".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            topic: settings.connection.topic.clone(),
            run: None,
            group_id: Some(settings.group_id.clone()),
            settings: [
                ("group_protocol".to_owned(), settings.group_protocol.into()),
                ("auto_offset_reset".to_owned(), settings.auto_offset_reset.to_string().into()),
                ("max_messages".to_owned(), settings.max_messages.into()),
            ]
            .into_iter()
            .collect(),
        };
        (&settings.connection, &settings.runtime, starting)
    });
    let Begun { settings, journal, instance } = match begun {
        Ok(begun) => begun,
        Err(exit_code) => return exit_code,
    };
    // Past this the group has given its partitions away.
    let health = Health::new(settings.max_poll_interval.max(STALL_LIMIT_MIN));
    let metrics = Metrics::new(
        &[("topic", &settings.connection.topic), ("group_id", &settings.group_id)],
        &[
            ("service", "consumer-svc"),
            ("version", env!("CARGO_PKG_VERSION")),
            ("client_id", &settings.connection.client_id),
            ("service_instance_id", &instance),
        ],
    );
    let of_books = ConsumerMetrics::new(&metrics);
    let (runtime, of_loop, its_health) = (settings.runtime.clone(), Arc::clone(&journal), Arc::clone(&health));
    supervise(&journal, &runtime, &health, metrics, stop, move |shutdown| {
        let about = [
            ("service.name", "consumer-svc"),
            ("service.version", env!("CARGO_PKG_VERSION")),
            ("service.instance.id", &instance),
        ];
        let of_spans = [
            ("messaging.client.id", settings.connection.client_id.as_str()),
            ("messaging.consumer.group.name", &settings.group_id),
        ];
        match Traces::start(settings.runtime.traces.as_ref(), &about, &of_spans) {
            Ok(traces) => run::run(settings, traces, &of_loop, of_books, &its_health, shutdown),
            Err(failure) => failure.into(),
        }
    })
}
