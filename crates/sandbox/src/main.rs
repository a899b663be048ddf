//! `sandbox`: a producer and the replicas of a consumer group on this machine, with nothing else needed.
//!
//! The broker is librdkafka's mock cluster, inside this process. Producer and replicas are real processes, so that they
//! can be killed: this program started again, in the role of a service. Their lines are shown as they come, and judged
//! by the audit at the end.

mod broker;
mod child;
mod demo;
mod evidence;
mod screen;

use std::io::Read as _;
use std::process::ExitCode;

use clap::Parser as _;

/// Like the services' own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Shows a Kafka consumer group on this machine: a broker inside this process, a producer and some replicas beside it.
///
/// Kill a replica and watch the others take over; end with Ctrl-C and read the verdict. The broker is a development
/// stand-in: no authentication, no persistence, 5 MB a partition.
///
/// Exit code: 0 everything was delivered, 1 it was not, 3 that can't be said, 64 wrong usage.
#[derive(clap::Parser, Debug)]
#[command(version)]
pub(crate) struct Arguments {
    /// Replicas of the consumer group.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(0..=50))]
    consumers: u16,
    /// Partitions of the topic.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(i32).range(1..=100))]
    partitions: i32,
    /// Messages a second, 20000 at most: the embedded broker forgets what is not read in time.
    #[arg(long, default_value_t = 1.0, value_parser = rate)]
    rate: f64,
    /// Stop after so many messages; 0: go on until Ctrl-C.
    #[arg(long, default_value_t = 0)]
    count: u64,
    /// Only the broker; prints the variables for services that are started by hand.
    #[arg(long)]
    broker_only: bool,
    #[command(subcommand)]
    role: Option<Role>,
}

/// What this program is started again as.
#[derive(clap::Subcommand, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// The producer, with settings from the environment.
    #[command(hide = true)]
    Producer,
    /// A replica, with settings from the environment.
    #[command(hide = true)]
    Consumer,
}

/// Replicas of a debug build keep up with this on two cores, with room to spare.
const RATE_MAX: f64 = 20_000.0;

fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if rate > 0.0 && rate <= RATE_MAX => Ok(rate),
        _ => Err(format!("give a decimal above 0, at most {RATE_MAX}")),
    }
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            drop(error.print());
            return ExitCode::from(if error.use_stderr() { 64 } else { 0 });
        }
    };
    match arguments.role {
        Some(Role::Producer) => producer_svc::start(end_of_input()),
        Some(Role::Consumer) => consumer_svc::start(end_of_input()),
        None => demo::run(&arguments).unwrap_or_else(|error| {
            eprintln!("sandbox: {error:#}");
            ExitCode::from(1)
        }),
    }
}

/// Ends when standard input does. The sandbox holds its other end: when it dies, however that happens, so do its services.
async fn end_of_input() {
    let (ended, end) = tokio::sync::oneshot::channel::<()>();
    // A thread of its own, because nothing can interrupt the read.
    std::thread::spawn(move || {
        drop(std::io::stdin().read_to_end(&mut Vec::new()));
        drop(ended);
    });
    drop(end.await);
}
