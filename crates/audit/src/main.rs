//! `audit`: proves from the services' log lines what a consumer group received.

mod command;

use std::process::ExitCode;

use clap::Parser as _;

use crate::command::Arguments;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            drop(error.print());
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    match command::execute(&arguments) {
        Ok(exit_code) => ExitCode::from(exit_code),
        Err(error) => {
            eprintln!("audit: {error:#}");
            ExitCode::from(2)
        }
    }
}
