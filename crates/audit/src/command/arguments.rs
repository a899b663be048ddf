//! The command line.

use std::path::PathBuf;

use audit::{Account, Conditions, Options};

const EXIT_CODES: &str = "\
Exit codes:
  0  proven: every acknowledged message was received, and repeats are within the limit
  1  violated: a message was lost, was produced twice or should not exist, or there are more repeats than permitted
  2  wrong arguments, or a file can't be read
  3  the evidence is not sufficient";

/// Proves from the services' JSON log lines what a consumer group received.
///
/// The lines may be in any order and in any number of files, and may have the prefixes that `docker compose logs` and
/// `kubectl logs --prefix` add. Lines of other programs are skipped.
#[derive(clap::Parser, Debug)]
#[command(version, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    /// How many repeats each group may have. After a replica is killed, the group receives again what that replica had processed
    /// since its last commit.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) max_repeats: u64,
    /// The files hold every line of every producer and replica. Without this, a message between the end of one replica's reading and the
    /// beginning of another's is a doubt and no violation, because the log of a third replica, or the last lines of a killed one, may
    /// not be there.
    #[arg(long)]
    pub(crate) complete: bool,
    /// The files may begin in the middle: the first lines of processes may be missing, and what happened before is not judged.
    #[arg(long)]
    from_here: bool,
    /// Judge only this consumer group.
    #[arg(long, value_name = "ID")]
    group: Option<String>,
    /// Judge only this topic.
    #[arg(long, value_name = "NAME")]
    topic: Option<String>,
    /// The form of the report. `html` is one file to look at, with a timeline; `json` has the same for programs.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// Keep reading as the files grow, also when they are rotated, or until the end of standard input. Shows the state once a second
    /// on a terminal, and writes one line of JSON when it changes otherwise. Ctrl-C ends it with the report.
    #[arg(long)]
    pub(crate) follow: bool,
    /// Files with log lines, plain or compressed with gzip. `-` is standard input, which is also read if no file is given.
    files: Vec<PathBuf>,
}

/// The form of a report.
#[derive(clap::ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people, in a terminal.
    Text,
    /// For programs, with a documented schema.
    Json,
    /// For people, in a browser.
    Html,
}

impl Arguments {
    /// The files, of which `-` is standard input.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        if self.files.is_empty() { vec![PathBuf::from("-")] } else { self.files.clone() }
    }

    /// An empty account that judges as the arguments say.
    pub(crate) fn account(&self) -> Account {
        Account::new(self.options())
    }

    pub(crate) fn conditions(&self) -> Conditions {
        Conditions::new(self.options(), self.max_repeats)
    }

    fn options(&self) -> Options {
        Options {
            is_complete: self.complete,
            is_from_here: self.from_here,
            group: self.group.clone(),
            topic: self.topic.clone(),
        }
    }
}
