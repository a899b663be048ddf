//! `audit`: proves from the services' log lines what a consumer group delivered.

mod input;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use audit::{Account, Lines, Options};
use clap::Parser as _;

use crate::input::Input;

const EXIT_CODES: &str = "\
Exit codes:
  0  proven: every acknowledged message was received, and repeats are within the limit
  1  violated: a message was lost, was produced twice or should not exist, or there are more repeats than permitted
  2  wrong arguments, or a file can't be read
  3  the evidence is not sufficient";

/// Proves from the services' JSON log lines what a consumer group delivered.
///
/// The lines may be in any order and in any number of files, and may have the prefixes that `docker compose logs` and
/// `kubectl logs --prefix` add. Lines of other programs are skipped.
#[derive(clap::Parser, Debug)]
#[command(version, after_help = EXIT_CODES)]
struct Arguments {
    /// How many repeats each group may have. After a replica is killed, the group receives again what that replica had processed
    /// since its last commit.
    #[arg(long, value_name = "N", default_value_t = 0)]
    max_repeats: u64,
    /// The files hold every line of every producer and replica. Without this, a message between the end of one replica's reading and the
    /// beginning of another's is a doubt and no violation, because the log of a third replica, or the last lines of a killed one, may
    /// not be there.
    #[arg(long)]
    complete: bool,
    /// The files may begin in the middle: the first lines of processes may be missing, and what happened before is not judged.
    #[arg(long)]
    from_here: bool,
    /// Judge only this consumer group.
    #[arg(long, value_name = "ID")]
    group: Option<String>,
    /// Judge only this topic.
    #[arg(long, value_name = "NAME")]
    topic: Option<String>,
    /// Files with log lines, plain or compressed with gzip. `-` is standard input, which is also read if no file is given.
    files: Vec<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            drop(error.print());
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    match audit(&arguments) {
        Ok(exit_code) => ExitCode::from(exit_code),
        Err(error) => {
            eprintln!("audit: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn audit(arguments: &Arguments) -> Result<u8> {
    let mut inputs = Input::open_all(&arguments.files)?;
    let mut account = Account::new(Options {
        is_complete: arguments.complete,
        is_from_here: arguments.from_here,
        group: arguments.group.clone(),
        topic: arguments.topic.clone(),
    });
    let mut lines = Lines::default();
    for input in &mut inputs {
        input.each_line(&mut lines, |line| account.add(line))?;
    }
    let mut report = account.report();
    report.lines = lines;
    if report.has_offenders() {
        for input in &mut inputs {
            input.each_line(&mut Lines::default(), |line| report.add_details(line))?;
        }
    }
    let verdict = report.verdict(arguments.max_repeats);
    writeln!(std::io::stdout(), "{report}\nverdict: {verdict}").context("could not write the report")?;
    Ok(verdict.exit_code())
}
