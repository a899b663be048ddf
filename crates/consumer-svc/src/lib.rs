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

use journal::Starting;
use kafka_config::ConsumerSettings;
use service::{Begun, Health, Metrics, Traces, begin, command, supervise};

use crate::metrics::ConsumerMetrics;

/// To ask for a broker that is away takes the loop a second and a half.
const STALL_LIMIT_MIN: Duration = Duration::from_secs(5);

const NAME: &str = "consumer-svc";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The whole program: settings come from the environment, `--help` lists them.
pub fn main() -> ExitCode {
    let settings = kafka_config::help(kafka_config::AppliesTo::Consumer);
    command(NAME, VERSION, env!("CARGO_PKG_DESCRIPTION"), settings, || start(std::future::pending()))
}

/// Runs the service with the settings of this process' environment until it is done, gets a signal, or `stop` ends.
pub fn start(stop: impl Future<Output = ()>) -> ExitCode {
    let begun = begin(ConsumerSettings::from_environment, |settings: &ConsumerSettings| {
        let starting = Starting {
            service: NAME.to_owned(),
            version: VERSION.to_owned(),
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
    let Begun { settings, journal, identity } = match begun {
        Ok(begun) => begun,
        Err(exit_code) => return exit_code,
    };
    // Past this the group has given its partitions away.
    let health = Health::new(settings.max_poll_interval.max(STALL_LIMIT_MIN));
    let metrics = Metrics::new(&[("topic", &settings.connection.topic), ("group_id", &settings.group_id)], &identity);
    let of_books = ConsumerMetrics::new(&metrics);
    let (runtime, of_loop, its_health) = (settings.runtime.clone(), Arc::clone(&journal), Arc::clone(&health));
    supervise(&journal, &runtime, &health, metrics, stop, move |shutdown| {
        let of_spans = [("messaging.consumer.group.name", settings.group_id.as_str())];
        match Traces::start(settings.runtime.traces.as_ref(), &identity, &of_spans) {
            Ok(traces) => run::run(settings, traces, &of_loop, of_books, &its_health, shutdown),
            Err(failure) => failure.into(),
        }
    })
}
