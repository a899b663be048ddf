//! Shows a Kafka consumer group on one machine that has no Kafka: `cargo run -p sandbox`.
//!
//! The command starts a broker inside its own process (librdkafka's mock cluster), one producer, and several replicas of a
//! consumer group. The producer and the replicas are real processes, so that they can be killed: the same binary, started
//! again in the role of a service. The command shows their log lines as they arrive, and at the end the audit judges from
//! these lines whether every message was delivered. `docs/consumer-groups.md` uses it to demonstrate how groups work.
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
mod demonstration;
mod environment;
mod evidence;
mod outcome;
mod screen;
mod service_process;

use std::io::Read as _;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser as _;

use crate::arguments::{Arguments, Role};
pub use crate::broker::{EmbeddedBroker, GroupObserver};

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
    match arguments.role {
        Some(Role::Producer) => producer_svc::start(end_of_input(arguments.stop_at_end_of_input)),
        Some(Role::Consumer) => consumer_svc::start(end_of_input(arguments.stop_at_end_of_input)),
        None => start(&arguments).unwrap_or_else(|error| {
            eprintln!("sandbox: {error:#}");
            ExitCode::from(1)
        }),
    }
}

fn start(arguments: &Arguments) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("could not start")?;
    let broker = EmbeddedBroker::start(TOPIC, arguments.partitions).context("could not start the embedded broker")?;
    let exit_code = runtime.block_on(async {
        if arguments.broker_only {
            broker_only::serve(&broker).await
        } else {
            demonstration::demonstrate(arguments, &broker).await
        }
    })?;
    Ok(ExitCode::from(exit_code))
}

/// Completes at the end of standard input if `is_watched`, and never otherwise.
///
/// The sandbox holds the other end of its services' standard input: when the sandbox dies, however that happens, they stop.
/// A service started by hand does not watch its input, which may be `/dev/null` or a terminal that it must not read from.
async fn end_of_input(is_watched: bool) {
    if !is_watched {
        return std::future::pending().await;
    }
    let (at_end, end) = tokio::sync::oneshot::channel::<()>();
    // The read needs a thread of its own, because nothing can interrupt it.
    std::thread::spawn(move || {
        drop(std::io::stdin().read_to_end(&mut Vec::new()));
        drop(at_end);
    });
    drop(end.await);
}
