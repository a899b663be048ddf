//! Reads log lines from files that also hold other text.

use std::io::{self, BufRead};

use journal::{Line, from_line};
use memchr::memchr;

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
    // Lines of other programs may not be UTF-8.
    match from_line(&String::from_utf8_lossy(bytes)) {
        Ok(line) => {
            lines.read += 1;
            take(&line);
        }
        Err(Some(_)) => lines.damaged += 1,
        Err(None) => lines.skipped += 1,
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
