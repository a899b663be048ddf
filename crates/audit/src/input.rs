//! The files of the command line, plain or compressed with gzip, each of which can be read twice.

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _, Seek as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use audit::{Lines, each_line};
use flate2::bufread::MultiGzDecoder;
use journal::Line;

/// The first bytes of every gzip file (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// One input.
pub(crate) struct Input {
    name: String,
    file: File,
}

impl Input {
    /// Opens the files; `-` is standard input, and so is an empty list.
    ///
    /// The lines are read twice, because the offenders are known only at the end of the first pass. An input that can't be rewound,
    /// such as a pipe, is therefore copied to a temporary file first.
    ///
    /// # Errors
    /// A file can't be opened, or a pipe can't be copied.
    pub(crate) fn open_all(files: &[PathBuf]) -> Result<Vec<Self>> {
        let standard_input = [PathBuf::from("-")];
        let files = if files.is_empty() { &standard_input } else { files };
        files
            .iter()
            .map(|path| {
                let name = path.display().to_string();
                let file = open_rewindable(path).with_context(|| format!("could not open {name}"))?;
                Ok(Self { name, file })
            })
            .collect()
    }

    /// Passes each line of the services to `take`, from the beginning of the file.
    ///
    /// # Errors
    /// The file can't be read, or is damaged as a gzip file.
    pub(crate) fn each_line(&mut self, lines: &mut Lines, take: impl FnMut(&Line)) -> Result<()> {
        let read = || -> std::io::Result<()> {
            let mut start = Vec::new();
            self.file.rewind()?;
            (&self.file).take(GZIP.len() as u64).read_to_end(&mut start)?;
            self.file.rewind()?;
            let plain = BufReader::new(&self.file);
            let text: Box<dyn BufRead + '_> =
                if start == GZIP { Box::new(BufReader::new(MultiGzDecoder::new(plain))) } else { Box::new(plain) };
            each_line(text, lines, take)
        };
        read().with_context(|| format!("could not read {}", self.name))
    }
}

fn open_rewindable(path: &Path) -> Result<File> {
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
    Ok(copy)
}
