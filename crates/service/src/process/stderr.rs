//! Messages for standard error, used while the log is not open or cannot be written.

use std::fmt::Display;
use std::io::{self, Write as _};

/// Writes a line to standard error. If that fails, nobody listens; unlike `eprintln!`, this then does not panic, so that the exit code
/// stays what it is.
pub(crate) fn tell(text: impl Display) {
    writeln!(io::stderr(), "{text}").ok();
}
