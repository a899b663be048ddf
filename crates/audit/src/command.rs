//! The command: reads the files of the command line, once or as they grow, and writes the report.

mod arguments;
mod follow;
mod input;
mod once;
mod output;
mod progress;
mod tail;

use anyhow::Result;

pub(crate) use self::arguments::Arguments;

/// Does what the command line asks for, and returns the exit code.
///
/// # Errors
/// A file can't be read, or the report can't be written.
pub(crate) fn execute(arguments: &Arguments) -> Result<u8> {
    if arguments.follow { follow::judge(arguments) } else { once::judge(arguments) }
}
