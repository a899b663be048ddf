//! Reads log lines from files that also hold other text.

use std::io::{self, BufRead};

use journal::{Line, from_line};
use memchr::{memchr, memmem};

/// The longest line that is kept in memory. The services keep theirs below 16 KiB, where container runtimes split lines.
const LINE_BYTES_MAX: usize = 1024 * 1024;

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
/// A line of more than 1 MiB is cut there, so that a file without line feeds does not fill the memory.
///
/// # Errors
/// The input can't be read.
pub fn each_line(mut input: impl BufRead, lines: &mut Lines, mut take: impl FnMut(&Line)) -> io::Result<()> {
    let mut splitter = LineSplitter::default();
    loop {
        let chunk = match input.fill_buf() {
            Ok([]) => break,
            Ok(chunk) => chunk,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        splitter.push(chunk, lines, &mut take);
        let length = chunk.len();
        input.consume(length);
    }
    splitter.finish(lines, &mut take);
    Ok(())
}

/// Splits text that arrives in chunks into lines.
#[derive(Debug, Default)]
pub struct LineSplitter {
    /// The beginning of a line whose end has not arrived.
    partial: Vec<u8>,
}

impl LineSplitter {
    /// Adds a chunk: passes each line of the services that ends in it to `take`, and counts all lines in `lines`.
    pub fn push(&mut self, mut chunk: &[u8], lines: &mut Lines, take: &mut impl FnMut(&Line)) {
        while let Some(end) = memchr(b'\n', chunk) {
            let (line, rest) = chunk.split_at(end + 1);
            if self.partial.is_empty() {
                read_line(line, lines, take);
            } else {
                self.keep(line);
                self.finish(lines, take);
            }
            chunk = rest;
        }
        self.keep(chunk);
    }

    /// Ends the last line, also if no line feed followed it.
    pub fn finish(&mut self, lines: &mut Lines, take: &mut impl FnMut(&Line)) {
        if !self.partial.is_empty() {
            read_line(&self.partial, lines, take);
            self.partial.clear();
        }
    }

    fn keep(&mut self, part: &[u8]) {
        let room = LINE_BYTES_MAX - self.partial.len();
        self.partial.extend_from_slice(&part[..part.len().min(room)]);
    }
}

fn read_line(bytes: &[u8], lines: &mut Lines, take: &mut impl FnMut(&Line)) {
    let mut pass_on = |line: Line, lines: &mut Lines| {
        lines.read += 1;
        take(&line);
    };
    match parse(bytes) {
        Ok(line) => pass_on(line, lines),
        Err(Unusable::Damaged) => {
            lines.damaged += 1;
            // The last line of a killed process has no end, so that the first line of the next file may follow it directly. This text
            // cannot be part of a field, in which quotes are escaped.
            if let Some(start) = memmem::rfind(bytes, br#"{"timestamp":""#)
                && start > 0
                && let Ok(line) = parse(&bytes[start..])
            {
                pass_on(line, lines);
            }
        }
        Err(Unusable::Foreign) => lines.skipped += 1,
    }
}

/// Why a line is not used.
enum Unusable {
    /// One of the services wrote it, but not like this.
    Damaged,
    /// Another program wrote it.
    Foreign,
}

fn parse(bytes: &[u8]) -> Result<Line, Unusable> {
    let usable = |result: Result<Line, Option<_>>| {
        result.map_err(|error| if error.is_some() { Unusable::Damaged } else { Unusable::Foreign })
    };
    // What is before it may be anything.
    let start = memchr(b'{', bytes).ok_or(Unusable::Foreign)?;
    match std::str::from_utf8(&bytes[start..]) {
        Ok(text) => usable(from_line(text)),
        // The services write UTF-8. With a replacement character in it, a name would be another one.
        Err(_) => usable(from_line(&String::from_utf8_lossy(&bytes[start..]))).and(Err(Unusable::Damaged)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"message":"stop requested","instance":"0a1b2c3d4e5f6071","seq":3}"#;

    #[test]
    fn lines_are_the_same_however_the_text_is_cut_into_chunks() {
        let text = format!("{LINE}\nother\n{LINE}\n{{\"instance\":\"0\n\n{LINE}");
        let expected = Lines { read: 3, skipped: 2, damaged: 1 };
        for size in 1..text.len() {
            let (mut lines, mut taken) = (Lines::default(), 0);
            let mut splitter = LineSplitter::default();
            let mut take = |line: &Line| taken += line.seq;
            text.as_bytes().chunks(size).for_each(|chunk| splitter.push(chunk, &mut lines, &mut take));
            splitter.finish(&mut lines, &mut take);
            assert_eq!((lines, taken), (expected, 9), "{size}");
        }
    }

    #[test]
    fn a_line_with_other_bytes_than_utf_8_is_damaged_if_it_is_ours_and_foreign_otherwise() {
        let count = |line: &[u8]| {
            let mut lines = Lines::default();
            LineSplitter::default().push(&[line, b"\n"].concat(), &mut lines, &mut |_| {});
            lines
        };
        let ours = LINE.replace("stop", "st\u{1}p").into_bytes();
        let broken: Vec<u8> = ours.iter().map(|byte| if *byte == 1 { 0xe5 } else { *byte }).collect();
        assert_eq!(count(&broken), Lines { damaged: 1, ..Lines::default() });
        assert_eq!(count(&[b"\xe5 | ", LINE.as_bytes()].concat()), Lines { read: 1, ..Lines::default() });
        assert_eq!(count(b"{\"name\":\"\xe5\"}"), Lines { skipped: 1, ..Lines::default() });
    }

    #[test]
    fn a_line_that_follows_a_cut_one_directly_is_read() {
        let first = LINE.replace("{\"message\"", "{\"timestamp\":\"2026-11-22T10:00:00.123Z\",\"message\"");
        let text = format!("{}{first}\n", &first[..first.len() - 8]);
        let mut lines = Lines::default();
        LineSplitter::default().push(text.as_bytes(), &mut lines, &mut |_| {});
        assert_eq!(lines, Lines { read: 1, skipped: 0, damaged: 1 });
    }

    #[test]
    fn a_line_without_an_end_does_not_fill_the_memory() {
        let mut splitter = LineSplitter::default();
        let mut lines = Lines::default();
        for _ in 0..100 {
            splitter.push(&[b'x'; 100_000], &mut lines, &mut |_| {});
        }
        assert!(splitter.partial.capacity() <= 2 * LINE_BYTES_MAX);
        splitter.push(format!("\n{LINE}\n").as_bytes(), &mut lines, &mut |_| {});
        assert_eq!(lines, Lines { read: 1, skipped: 1, damaged: 0 });
    }
}
