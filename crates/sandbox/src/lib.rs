//! Shows a Kafka consumer group on one machine that has no Kafka: `cargo run -p sandbox`.
//!
//! The command starts a broker inside its own process (librdkafka's mock cluster), one producer, and several replicas of a
//! consumer group. The producer and the replicas are real processes, so that they can be killed: the same binary, started
//! again in the role of a service. The command shows their log lines as they arrive, and at the end the audit judges from
//! these lines whether every message was delivered. `docs/consumer-groups.md` uses it to demonstrate how groups work.
//! Meanwhile it serves a page on loopback that shows the same and takes commands: `docs/sandbox.md`.
//!
//! Tests use the broker without the command:
//!
//! ```
//! let broker = sandbox::EmbeddedBroker::start("demo", 10)?;
//! let client: rdkafka::producer::BaseProducer = broker.client_config().create()?;
//! # use rdkafka::producer::Producer as _;
//! let metadata = client.client().fetch_metadata(Some("demo"), std::time::Duration::from_secs(10))?;
//! assert_eq!(metadata.topics()[0].partitions().len(), 10);
//! # Ok::<(), rdkafka::error::KafkaError>(())
//! ```

mod arguments;
mod broker;
mod broker_only;
mod commands;
mod demonstration;
mod evidence;
mod kafka;
mod model;
mod outcome;
mod page;
mod screen;
mod services;
mod standing;
mod stories;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::Parser as _;

use crate::arguments::{Arguments, Subcommand};
pub use crate::broker::{EmbeddedBroker, GroupObserver};
use crate::kafka::external::ExternalKafka;
use crate::services::input::end_of_input;

/// The name of the topic on the sandbox's broker.
const TOPIC: &str = "demo";
/// The consumer group of the sandbox's replicas.
const GROUP: &str = "sandbox";

/// The whole command: a demonstration, the broker alone, or one service.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Without an output to print to there is nobody to tell.
            drop(error.print());
            return ExitCode::from(if error.use_stderr() { 64 } else { 0 });
        }
    };
    let is_watched = arguments.stop_at_end_of_input;
    match arguments.command {
        Some(Subcommand::Producer) => {
            let control = Arc::new(producer_svc::Control::default());
            let commands = Arc::clone(&control);
            let obey = move |line: &str| {
                if let Err(error) = commands.carry_out(line) {
                    eprintln!("{error}");
                }
            };
            producer_svc::start(control, end_of_input(is_watched, obey))
        }
        Some(Subcommand::Consumer) => consumer_svc::start(end_of_input(is_watched, |_| {})),
        Some(Subcommand::Story { .. }) | None => start(&arguments).unwrap_or_else(|error| {
            eprintln!("sandbox: {error:#}");
            ExitCode::from(1)
        }),
    }
}

fn start(arguments: &Arguments) -> Result<ExitCode> {
    let external = if arguments.external {
        match ExternalKafka::connect() {
            Ok(kafka) => Some(kafka),
            Err(refusal) => {
                eprintln!("sandbox: {refusal}");
                return Ok(ExitCode::from(refusal.exit_code()));
            }
        }
    } else {
        None
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("could not start")?;
    let exit_code = runtime.block_on(async {
        if arguments.broker_only {
            let broker =
                EmbeddedBroker::start(TOPIC, arguments.partitions).context("could not start the embedded broker")?;
            broker_only::serve(&broker).await
        } else {
            demonstration::demonstrate(arguments, external).await
        }
    })?;
    Ok(ExitCode::from(exit_code))
}
