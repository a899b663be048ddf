//! Inputs that are read as they grow: files by their names, and pipes while they are written.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use audit::{LineSplitter, Lines};
use journal::Line;

use crate::command::tail::Tail;

/// How often files are looked at.
const POLL: Duration = Duration::from_millis(200);
/// How many chunks of pipes wait to be read.
const CHUNKS: usize = 16;
/// How long a chunk of a pipe is waited for after the end was asked for.
const LAST_CHUNK: Duration = Duration::from_millis(50);

/// A pipe, and what was read of it.
type Chunk = (PathBuf, std::io::Result<Vec<u8>>);

/// All inputs of the command line.
pub(super) struct Inputs {
    tails: Vec<Tail>,
    /// The pipes that have not ended, each with the beginning of its next line.
    pipes: BTreeMap<PathBuf, LineSplitter>,
    /// What the threads that read the pipes send.
    chunks: Receiver<Chunk>,
}

impl Inputs {
    /// Opens the files; `-` is standard input.
    ///
    /// # Errors
    /// A file can't be opened.
    pub(super) fn open(files: &[PathBuf]) -> Result<Self> {
        let (sender, chunks) = sync_channel(CHUNKS);
        let (mut tails, mut pipes) = (Vec::new(), BTreeMap::new());
        for path in files {
            if path == Path::new("-") {
                read_in_thread(path, std::io::stdin(), sender.clone());
                pipes.insert(path.clone(), LineSplitter::default());
                continue;
            }
            let name = path.display();
            let metadata = std::fs::metadata(path).with_context(|| format!("could not open {name}"))?;
            if metadata.is_dir() {
                bail!("could not open {name}: it is a directory; give the audit the files in it");
            }
            if metadata.is_file() {
                tails.push(Tail::open(path)?);
            } else {
                let pipe = File::open(path).with_context(|| format!("could not open {name}"))?;
                read_in_thread(path, pipe, sender.clone());
                pipes.insert(path.clone(), LineSplitter::default());
            }
        }
        Ok(Self { tails, pipes, chunks })
    }

    /// Whether more may follow. A file may always grow, a pipe has an end.
    pub(super) fn are_open(&self) -> bool {
        !self.tails.is_empty() || !self.pipes.is_empty()
    }

    /// Whether a file has much that was not read.
    pub(super) fn are_behind(&self) -> bool {
        self.tails.iter().any(Tail::is_behind)
    }

    /// Passes the lines of the next chunk of each file and of one pipe to `take`. If there are none, waits a moment for them.
    ///
    /// # Errors
    /// An input can't be read.
    pub(super) fn poll(&mut self, lines: &mut Lines, take: &mut impl FnMut(&Line)) -> Result<()> {
        let mut has_more = false;
        for tail in &mut self.tails {
            has_more |= tail.poll(lines, take)?;
        }
        match self.chunks.recv_timeout(if has_more { Duration::ZERO } else { POLL }) {
            Ok(chunk) => self.take_chunk(chunk, lines, take)?,
            Err(RecvTimeoutError::Timeout) => {}
            // There is no pipe, so the channel does not make the loop wait.
            Err(RecvTimeoutError::Disconnected) if has_more => {}
            Err(RecvTimeoutError::Disconnected) => std::thread::park_timeout(POLL),
        }
        Ok(())
    }

    /// Passes the lines to `take` that are there by now, and ends the last line of each input.
    ///
    /// These lines belong to the evidence. Without them, one replica could be judged by more of its lines than another.
    ///
    /// # Errors
    /// An input can't be read.
    pub(super) fn finish(mut self, lines: &mut Lines, take: &mut impl FnMut(&Line)) -> Result<()> {
        for tail in &mut self.tails {
            tail.catch_up(lines, take)?;
            tail.finish(lines, take);
        }
        for _ in 0..2 * CHUNKS {
            let Ok(chunk) = self.chunks.recv_timeout(LAST_CHUNK) else { break };
            self.take_chunk(chunk, lines, take)?;
        }
        self.pipes.values_mut().for_each(|pipe| pipe.finish(lines, take));
        Ok(())
    }

    /// Passes the lines that end in a chunk of a pipe to `take`. An empty chunk is the end of its pipe.
    fn take_chunk(&mut self, (path, chunk): Chunk, lines: &mut Lines, take: &mut impl FnMut(&Line)) -> Result<()> {
        let chunk = chunk.with_context(|| format!("could not read {}", path.display()))?;
        if chunk.is_empty() {
            if let Some(mut pipe) = self.pipes.remove(&path) {
                pipe.finish(lines, take);
            }
        } else if let Some(pipe) = self.pipes.get_mut(&path) {
            pipe.push(&chunk, lines, take);
        }
        Ok(())
    }
}

/// Sends what can be read of a pipe in chunks; an empty chunk is its end. Reading a pipe blocks, so it has a thread of its own, which
/// ends with the process if not before.
fn read_in_thread(path: &Path, mut pipe: impl Read + Send + 'static, sender: SyncSender<Chunk>) {
    let path = path.to_owned();
    std::thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let chunk = match pipe.read(&mut buffer) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                read => read.map(|count| buffer[..count].to_vec()),
            };
            let is_last = chunk.as_ref().map_or(true, Vec::is_empty);
            if sender.send((path.clone(), chunk)).is_err() || is_last {
                return;
            }
        }
    });
}
