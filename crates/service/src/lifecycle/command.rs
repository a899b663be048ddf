//! The command line of both services. Settings come from the environment, so there are few arguments.

use std::process::ExitCode;

use clap::Command;

use super::start::{Service, start};
use crate::observability::healthcheck::healthcheck;

/// The main function of a service. Without arguments it runs `service`; `healthcheck` asks an already running service with the same
/// environment whether it is ready; `--help` lists the settings. Any other argument ends with exit code 64.
pub fn main<S: Service>(service: S) -> ExitCode {
    let healthcheck_command = Command::new("healthcheck").about(
        "Ask the service that runs with this environment whether it is ready. Exits with 0 if it is, with 1 if not, with 64 if HTTP_ADDR is missing or wrong",
    );
    let command = Command::new(S::NAME)
        .version(S::VERSION)
        .about(S::ABOUT)
        .after_long_help(kafka_config::help(S::APPLIES_TO))
        .subcommand(healthcheck_command);
    match command.try_get_matches() {
        Ok(arguments) if arguments.subcommand().is_some() => healthcheck(),
        Ok(_) => start(service, std::future::pending()),
        Err(error) => {
            // Nothing can be done about a failed print.
            drop(error.print());
            if error.use_stderr() { ExitCode::from(64) } else { ExitCode::SUCCESS }
        }
    }
}
