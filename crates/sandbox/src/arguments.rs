//! The command line.

use kafka_config::{AppliesTo, help};

use crate::stories::Name;

/// The replicas of a debug build keep up with this rate on two cores, with room to spare.
pub(crate) const RATE_MAX: f64 = 20_000.0;

/// Shows a Kafka consumer group on this machine: a broker inside this process, a producer and several replicas beside it.
///
/// Open the page that it prints in a browser, or kill and add replicas from another terminal, and watch how the group shares the
/// partitions; end with Ctrl-C and read the verdict. The broker is a development stand-in: no authentication, no persistence, 5 MB per
/// partition.
///
/// Exit code: 0 proven, every acknowledged message was received; 1 violated, or a service failed; 3 the evidence is not sufficient;
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
    /// Use the Kafka that environment variables name instead of a broker of its own: `KAFKA_BOOTSTRAP_SERVERS`, `KAFKA_TOPIC` and whatever
    /// else the services need. Messages are written to that topic. Needs `cargo run -p sandbox --features tls` for TLS, SCRAM
    /// and OAUTHBEARER.
    #[arg(long, conflicts_with_all = ["partitions", "broker_only"])]
    pub(crate) external: bool,
    /// Start only the broker, and print how to start services by hand in other terminals.
    #[arg(long)]
    pub(crate) broker_only: bool,
    /// Serve no page.
    #[arg(long, global = true)]
    pub(crate) no_page: bool,
    /// For the sandbox's own services: stop when the sandbox is gone.
    #[arg(long, hide = true, global = true)]
    pub(crate) stop_at_end_of_input: bool,
    #[command(subcommand)]
    pub(crate) command: Option<Subcommand>,
}

/// What this binary does instead of a free demonstration.
#[derive(clap::Subcommand, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subcommand {
    /// Run one producer, with settings from environment variables.
    #[command(after_long_help = help(AppliesTo::Producer))]
    Producer,
    /// Run one replica of a consumer group, with settings from environment variables.
    #[command(after_long_help = help(AppliesTo::Consumer))]
    Consumer,
    /// Play a story that explains one thing about consumer groups, step by step, with real processes, and prove what it claims.
    Story {
        /// The story.
        name: Name,
    },
}

/// A service that this binary can run as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Producer,
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

/// Whether the producer may be asked for this rate.
pub(crate) fn is_rate(rate: f64) -> bool {
    rate > 0.0 && rate <= RATE_MAX
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if is_rate(rate) => Ok(rate),
        _ => Err(format!("expected a decimal number above 0 and at most {RATE_MAX}")),
    }
}
