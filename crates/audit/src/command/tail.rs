//! A file that grows, read by its name: also when it is rotated or truncated.

use std::fs::{File, Metadata};
use std::io::{self, Read as _, Seek as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use audit::{LineSplitter, Lines};
use journal::Line;

use super::input::GZIP;

/// How much is read of one file before the next one has its turn.
const CHUNK: usize = 256 * 1024;
/// How long a file is read after another one took its name: its writer may not have noticed yet.
const AFTER_ROTATION: Duration = Duration::from_secs(1);

/// A file that grows.
pub(super) struct Tail {
    path: PathBuf,
    file: File,
    position: u64,
    splitter: LineSplitter,
    /// Since when another file, or none, has had the name.
    rotated: Option<Instant>,
    buffer: Vec<u8>,
}

impl Tail {
    /// Opens a file that exists.
    ///
    /// # Errors
    /// The file can't be opened, or is compressed.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let mut file = File::open(path).with_context(|| format!("could not open {}", path.display()))?;
        let mut start = Vec::new();
        (&file)
            .take(GZIP.len() as u64)
            .read_to_end(&mut start)
            .and_then(|_| file.rewind())
            .with_context(|| format!("could not read {}", path.display()))?;
        if start == GZIP {
            bail!(
                "could not follow {}: it is compressed and can't grow; give it to an audit without --follow",
                path.display()
            );
        }
        let (splitter, buffer) = (LineSplitter::default(), vec![0; CHUNK]);
        Ok(Self { path: path.to_owned(), file, position: 0, splitter, rotated: None, buffer })
    }

    /// Passes the lines of the next chunk to `take`. Returns whether anything was read.
    ///
    /// # Errors
    /// The file can't be read.
    pub(super) fn poll(&mut self, lines: &mut Lines, take: &mut impl FnMut(&Line)) -> Result<bool> {
        self.read(lines, take).with_context(|| format!("could not read {}", self.path.display()))
    }

    /// How many bytes the file has that were not read.
    fn unread(&self) -> u64 {
        self.file.metadata().map_or(0, |metadata| metadata.len().saturating_sub(self.position))
    }

    /// Whether more is unread than what was written since the last look: one chunk is taken for that.
    pub(super) fn is_behind(&self) -> bool {
        self.unread() > CHUNK as u64
    }

    /// Passes the lines to `take` that the file has now, and none that are written meanwhile, however many these are.
    ///
    /// # Errors
    /// The file can't be read.
    pub(super) fn catch_up(&mut self, lines: &mut Lines, take: &mut impl FnMut(&Line)) -> Result<()> {
        let mut left = self.unread();
        while left > 0 {
            let before = self.position;
            if !self.poll(lines, take)? {
                break;
            }
            left = left.saturating_sub(self.position.saturating_sub(before));
        }
        Ok(())
    }

    fn read(&mut self, lines: &mut Lines, take: &mut impl FnMut(&Line)) -> io::Result<bool> {
        let count = self.file.read(&mut self.buffer)?;
        self.position += count as u64;
        self.splitter.push(&self.buffer[..count], lines, take);
        if count > 0 {
            return Ok(true);
        }
        let open = self.file.metadata()?;
        let identity = |metadata: &Metadata| (metadata.dev(), metadata.ino());
        match std::fs::metadata(&self.path) {
            Ok(named) if identity(&named) == identity(&open) => {
                self.rotated = None;
                if open.len() < self.position {
                    // It was truncated.
                    self.splitter.finish(lines, take);
                    self.file.rewind()?;
                    self.position = 0;
                    return Ok(true);
                }
            }
            Ok(_) if self.rotated.get_or_insert_with(Instant::now).elapsed() >= AFTER_ROTATION => {
                self.splitter.finish(lines, take);
                self.file = File::open(&self.path)?;
                (self.position, self.rotated) = (0, None);
                return Ok(true);
            }
            // The new file is read when it is there.
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(false)
    }

    /// Ends the last line.
    pub(super) fn finish(&mut self, lines: &mut Lines, take: &mut impl FnMut(&Line)) {
        self.splitter.finish(lines, take);
    }
}
