//! Reads log lines from files that also hold other text.

use std::io::{self, BufRead};

use journal::{Line, from_line};

/// How many lines were read, and of which kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lines {
    /// Lines of the services.
    pub read: u64,
    /// Lines of other programs.
    pub skipped: u64,
    /// Lines of the services that are cut off or damaged. Their numbers are missing, unless a killed process left them.
    pub damaged: u64,
}

/// Passes each line of the services in `input` to `take` and counts all lines in `lines`.
///
/// # Errors
/// The input can't be read.
pub fn each_line(mut input: impl BufRead, lines: &mut Lines, mut take: impl FnMut(&Line)) -> io::Result<()> {
    let mut bytes = Vec::new();
    while input.read_until(b'\n', &mut bytes)? > 0 {
        // Lines of other programs may not be UTF-8.
        match from_line(&String::from_utf8_lossy(&bytes)) {
            Ok(line) => {
                lines.read += 1;
                take(&line);
            }
            Err(Some(_)) => lines.damaged += 1,
            Err(None) => lines.skipped += 1,
        }
        bytes.clear();
    }
    Ok(())
}
