//! Lines out of files, whatever stands before and between them.

use std::io::{self, BufRead};

use journal::{Line, from_line};

/// What was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lines {
    /// Lines of ours.
    pub read: u64,
    /// Lines of somebody else.
    pub skipped: u64,
    /// Lines of ours that are cut or damaged, as a kill leaves them.
    pub damaged: u64,
}

/// Hands each line of ours in `input` to `take`.
///
/// # Errors
/// The input can't be read.
pub fn each_line(mut input: impl BufRead, lines: &mut Lines, mut take: impl FnMut(&Line)) -> io::Result<()> {
    let mut bytes = Vec::new();
    while input.read_until(b'\n', &mut bytes)? > 0 {
        // Somebody else's line may hold anything.
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
