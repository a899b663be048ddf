//! The command line.

use kafka_config::{AppliesTo, help};

/// The replicas of a debug build keep up with this rate on two cores, with room to spare.
const RATE_MAX: f64 = 20_000.0;

/// Shows a Kafka consumer group on this machine: a broker inside this process, a producer and several replicas beside it.
///
/// Kill or add replicas and watch how the group shares the partitions; end with Ctrl-C and read the verdict. The broker is
/// a development stand-in: no authentication, no persistence, 5 MB per partition.
///
/// Exit code: 0 every acknowledged message was delivered; 1 not so, or a service failed; 3 the evidence is not sufficient;
/// 64 wrong usage; 130 or 143 ended at once by a second Ctrl-C or SIGTERM.
#[derive(clap::Parser, Debug)]
#[command(version, args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    /// Number of replicas in the consumer group.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(0..=50))]
    pub(crate) consumers: u16,
    /// Number of partitions of the topic.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(i32).range(1..=100))]
    pub(crate) partitions: i32,
    /// Messages per second, at most 20000: the embedded broker deletes what is not read in time.
    #[arg(long, default_value_t = 1.0, value_parser = rate)]
    pub(crate) rate: f64,
    /// Stop after this many messages; 0: continue until Ctrl-C.
    #[arg(long, default_value_t = 0)]
    pub(crate) count: u64,
    /// Start only the broker, and print how to start services by hand in other terminals.
    #[arg(long)]
    pub(crate) broker_only: bool,
    /// For the sandbox's own services: stop when the sandbox is gone.
    #[arg(long, hide = true, global = true)]
    pub(crate) stop_at_end_of_input: bool,
    #[command(subcommand)]
    pub(crate) role: Option<Role>,
}

/// A service that this binary can run as.
#[derive(clap::Subcommand, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Run one producer, with settings from environment variables.
    #[command(after_long_help = help(AppliesTo::Producer))]
    Producer,
    /// Run one replica of a consumer group, with settings from environment variables.
    #[command(after_long_help = help(AppliesTo::Consumer))]
    Consumer,
}

impl Role {
    /// The subcommand that starts this role.
    pub(crate) fn subcommand(self) -> &'static str {
        match self {
            Self::Producer => "producer",
            Self::Consumer => "consumer",
        }
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if rate > 0.0 && rate <= RATE_MAX => Ok(rate),
        _ => Err(format!("expected a decimal number above 0 and at most {RATE_MAX}")),
    }
}
