//! `audit`: proves from the services' log lines what a consumer group delivered.

use std::fs::File;
use std::io::{BufReader, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use audit::{Account, Lines, each_line};
use clap::Parser as _;

const EXIT_CODES: &str = "\
Exit codes:
  0  proven: every acknowledged message was received, and repeats are within the limit
  1  violated: a message is missing, was produced twice or should not exist, or there are more repeats than permitted
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
    /// The files hold every line that the processes wrote. Without this, the last lines of a process that was killed may have been
    /// lost on their way, so a message that only those could show is a doubt and no violation.
    #[arg(long)]
    complete: bool,
    /// Files with log lines. `-` is standard input, which is also read if no file is given.
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
    let mut inputs = open(&arguments.files)?;
    let mut account = if arguments.complete { Account::complete() } else { Account::default() };
    let mut lines = Lines::default();
    for input in &mut inputs {
        each_line(BufReader::new(&*input), &mut lines, |line| account.add(line)).context("could not read the lines")?;
    }
    let mut report = account.report();
    report.lines = lines;
    if report.has_offenders() {
        for input in &mut inputs {
            input.rewind().context("could not read the lines again")?;
            each_line(BufReader::new(&*input), &mut Lines::default(), |line| report.add_details(line))?;
        }
    }
    let verdict = report.verdict(arguments.max_repeats);
    writeln!(std::io::stdout(), "{report}\nverdict: {verdict}").context("could not write the report")?;
    Ok(verdict.exit_code())
}

/// Opens the files. The lines are read twice, because the offenders are known only at the end of the first pass; so an input that
/// can't be rewound, such as a pipe, is first copied to a temporary file.
fn open(files: &[PathBuf]) -> Result<Vec<File>> {
    let standard_input = [PathBuf::from("-")];
    let files = if files.is_empty() { &standard_input } else { files };
    files
        .iter()
        .map(|path| open_rewindable(path).with_context(|| format!("could not open {}", path.display())))
        .collect()
}

fn open_rewindable(path: &Path) -> Result<File> {
    let mut copy = tempfile::tempfile()?;
    if path == Path::new("-") {
        std::io::copy(&mut std::io::stdin().lock(), &mut copy)?;
    } else {
        let mut file = File::open(path)?;
        if file.metadata()?.is_file() {
            return Ok(file);
        }
        std::io::copy(&mut file, &mut copy)?;
    }
    copy.rewind()?;
    Ok(copy)
}
