//! The files of the command line, plain or compressed with gzip, each of which can be read twice.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use audit::{Lines, each_line};
use flate2::bufread::MultiGzDecoder;
use journal::Line;

use super::progress::Progress;

/// The first bytes of every gzip file (RFC 1952).
pub(crate) const GZIP: [u8; 2] = [0x1f, 0x8b];
/// Larger than the default, because reading is what the command does most.
const BUFFER: usize = 64 * 1024;

/// One input.
pub(crate) struct Input {
    name: String,
    source: Source,
}

enum Source {
    /// Can be rewound.
    File(File),
    /// Can't be rewound, so it is copied while it is read for the first time.
    Pipe { pipe: Box<dyn Read>, copy: File },
}

impl Input {
    /// Opens the files; `-` is standard input.
    ///
    /// # Errors
    /// A file can't be opened, or the temporary file for the copy of a pipe can't be created.
    pub(crate) fn open_all(files: &[PathBuf]) -> Result<Vec<Self>> {
        let open = |path: &PathBuf| {
            let name = path.display().to_string();
            let source = open(path).with_context(|| format!("could not open {name}"))?;
            Ok(Self { name, source })
        };
        files.iter().map(open).collect()
    }

    /// The size of all inputs together, unless that of one is not known.
    pub(crate) fn total(inputs: &[Self]) -> Option<u64> {
        let size = |input: &Self| match &input.source {
            Source::File(file) => file.metadata().ok().map(|metadata| metadata.len()),
            Source::Pipe { .. } => None,
        };
        inputs.iter().map(size).sum()
    }

    /// Passes each line of the services to `take`, from the beginning of the file.
    ///
    /// # Errors
    /// The file can't be read, or is damaged as a gzip file; or a pipe can't be copied.
    pub(crate) fn each_line(&mut self, progress: &Progress, lines: &mut Lines, take: impl FnMut(&Line)) -> Result<()> {
        let read = || match &mut self.source {
            Source::File(file) => {
                file.rewind()?;
                text_lines(progress.count(&*file), lines, take)
            }
            Source::Pipe { pipe, copy } => {
                text_lines(Copying { pipe: progress.count(pipe), copy: copy.try_clone()? }, lines, take)?;
                self.source = Source::File(copy.try_clone()?);
                Ok(())
            }
        };
        read().with_context(|| format!("could not read {}", self.name))
    }
}

fn open(path: &Path) -> Result<Source> {
    let pipe: Box<dyn Read> = if path == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            bail!("it is a directory; give the audit the files in it");
        }
        if metadata.is_file() {
            return Ok(Source::File(file));
        }
        Box::new(file)
    };
    Ok(Source::Pipe { pipe, copy: tempfile::tempfile().context("could not create a temporary file for its copy")? })
}

fn text_lines(input: impl Read, lines: &mut Lines, take: impl FnMut(&Line)) -> std::io::Result<()> {
    let mut plain = BufReader::with_capacity(BUFFER, input);
    if plain.fill_buf()?.starts_with(&GZIP) {
        each_line(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(plain)), lines, take)
    } else {
        each_line(plain, lines, take)
    }
}

/// A pipe that is copied to a file while it is read, because the offenders are known only at the end, and their lines are then read again.
struct Copying<R> {
    pipe: R,
    copy: File,
}

impl<R: Read> Read for Copying<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.pipe.read(buffer)?;
        self.copy.write_all(&buffer[..count])?;
        Ok(count)
    }
}
