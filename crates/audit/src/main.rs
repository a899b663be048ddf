//! `audit`: proves from the services' log lines what a consumer group delivered.

use std::fs::File;
use std::io::{BufReader, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use audit::{Account, Lines, each_line};
use clap::Parser as _;

/// Proves from the services' JSON log lines what a consumer group delivered.
///
/// Lines may come in any order, from any number of files, also with the prefixes of `docker compose logs` and
/// `kubectl logs --prefix`. Lines of others are skipped.
///
/// Exit code: 0 everything acknowledged was received, repeats within the limit; 1 violated; 2 usage; 3 the evidence
/// does not suffice.
#[derive(clap::Parser, Debug)]
#[command(version)]
struct Arguments {
    /// How many repeats a group may have: after a kill, what was processed since the last commit comes again.
    #[arg(long, value_name = "N", default_value_t = 0)]
    max_repeats: u64,
    /// Files with log lines; standard input where there are none, or for `-`.
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
    match judge(&arguments) {
        Ok(exit_code) => ExitCode::from(exit_code),
        Err(error) => {
            eprintln!("audit: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn judge(arguments: &Arguments) -> Result<u8> {
    let mut inputs = open(&arguments.files)?;
    let mut account = Account::default();
    let mut lines = Lines::default();
    for input in &mut inputs {
        each_line(BufReader::new(&*input), &mut lines, |line| account.add(line)).context("could not read the lines")?;
    }
    let mut report = account.report();
    report.lines = lines;
    if report.has_offenders() {
        for input in &mut inputs {
            input.rewind().context("could not read the lines again")?;
            each_line(BufReader::new(&*input), &mut Lines::default(), |line| report.learn(line))?;
        }
    }
    let verdict = report.verdict(arguments.max_repeats);
    writeln!(std::io::stdout(), "{report}\nverdict: {verdict}").context("could not write the report")?;
    Ok(verdict.exit_code())
}

/// Offenders are known at the end and named by a second look, so what can't be read twice is copied first.
fn open(files: &[PathBuf]) -> Result<Vec<File>> {
    let standard_input = [PathBuf::from("-")];
    let files = if files.is_empty() { &standard_input } else { files };
    files.iter().map(|path| open_one(path).with_context(|| format!("could not open {}", path.display()))).collect()
}

fn open_one(path: &Path) -> Result<File> {
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
