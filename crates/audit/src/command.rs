//! The command: reads the files of the command line, once or as they grow, and writes the report.

mod arguments;
mod follow;
mod input;
mod once;
mod output;
mod progress;
mod tail;

use anyhow::Result;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

pub(crate) use self::arguments::Arguments;

/// Does what the command line asks for, and returns the exit code.
///
/// # Errors
/// A file can't be read, or the report can't be written.
pub(crate) fn execute(arguments: &Arguments) -> Result<u8> {
    raise_limit_of_open_files();
    if arguments.follow { follow::judge(arguments) } else { once::judge(arguments) }
}

/// Lets the command open as many files as the system permits. Logs that are rotated come to thousands of files, and the usual limit is
/// 1,024, which a process may raise by itself.
fn raise_limit_of_open_files() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Where this is refused, opening the first file above the limit says so.
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).ok();
}
