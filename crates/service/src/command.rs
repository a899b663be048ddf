//! The command line of both services: settings come from the environment, so there is little to say here.

use std::process::ExitCode;

use clap::Command;

use crate::healthcheck::healthcheck;

/// Obeys the arguments of this process: none runs `start`, `healthcheck` asks the service that runs with this environment,
/// `--help` says what there is, with `settings` at its end. Anything else ends with 64.
pub fn command(
    name: &'static str,
    version: &'static str,
    about: &'static str,
    settings: String,
    start: impl FnOnce() -> ExitCode,
) -> ExitCode {
    let question = Command::new("healthcheck")
        .about("Ask the service that runs with this environment whether it is ready: 0 if it is, 1 if not");
    let command = Command::new(name).version(version).about(about).after_long_help(settings).subcommand(question);
    match command.try_get_matches() {
        Ok(arguments) if arguments.subcommand().is_some() => healthcheck(),
        Ok(_) => start(),
        Err(error) => {
            // Nobody reads what can't be printed.
            drop(error.print());
            if error.use_stderr() { ExitCode::from(64) } else { ExitCode::SUCCESS }
        }
    }
}
