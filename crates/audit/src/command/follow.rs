//! Judges files while they grow, or a pipe while it is written.

use std::fs::File;
use std::io::{IsTerminal as _, Read, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use audit::{LineSplitter, Lines, State, Time, Timeline, Watch};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use signal_hook::consts::{SIGINT, SIGTERM};

use super::arguments::{Arguments, Format};
use super::output;
use super::tail::Tail;

/// How often files are looked at.
const POLL: Duration = Duration::from_millis(200);
/// How often the state is shown.
const SHOW: Duration = Duration::from_secs(1);
/// How many chunks of pipes wait to be read.
const CHUNKS: usize = 16;
/// How long a chunk of a pipe is waited for after the end was asked for.
const LAST_CHUNK: Duration = Duration::from_millis(50);

/// Reads until the end of all pipes, or until SIGINT or SIGTERM. Then writes the report and returns the exit code.
///
/// # Errors
/// An input can't be read, or the state or the report can't be written.
pub(super) fn judge(arguments: &Arguments) -> Result<u8> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // The second signal ends the process, even if it is stuck.
        signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&stop))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)))
            .context("could not install the signal handlers")?;
    }
    let (mut tails, mut pipes, chunks) = open(&arguments.files())?;
    let mut watch = Watch::new(arguments.account(), arguments.max_repeats);
    let mut timeline = (arguments.format != Format::Text).then(Timeline::default);
    let mut lines = Lines::default();
    let mut screen = Screen::new(arguments.format);
    let mut has_input = true;
    while has_input && !stop.load(Ordering::Relaxed) {
        let mut take = |line: &journal::Line| {
            watch.add(line, Instant::now());
            if let Some(timeline) = &mut timeline {
                timeline.add(line);
            }
        };
        let mut has_more = false;
        for tail in &mut tails {
            has_more |= tail.poll(&mut lines, &mut take)?;
        }
        match chunks.recv_timeout(if has_more { Duration::ZERO } else { POLL }) {
            Ok(chunk) => take_chunk(&mut pipes, chunk, &mut lines, &mut take)?,
            Err(RecvTimeoutError::Timeout) => {}
            // There is no pipe, so the channel does not make the loop wait.
            Err(RecvTimeoutError::Disconnected) if has_more => {}
            Err(RecvTimeoutError::Disconnected) => std::thread::park_timeout(POLL),
        }
        screen.show(|now| watch.state(lines, now, tails.iter().any(Tail::is_behind)))?;
        has_input = !tails.is_empty() || !pipes.is_empty();
    }
    let mut take = |line: &journal::Line| {
        watch.add(line, Instant::now());
        if let Some(timeline) = &mut timeline {
            timeline.add(line);
        }
    };
    // What is there by now belongs to the evidence. Without it, one replica could be judged by more of its lines than another.
    for tail in &mut tails {
        tail.catch_up(&mut lines, &mut take)?;
        tail.finish(&mut lines, &mut take);
    }
    for chunk in std::iter::from_fn(|| chunks.recv_timeout(LAST_CHUNK).ok()).take(2 * CHUNKS) {
        take_chunk(&mut pipes, chunk, &mut lines, &mut take)?;
    }
    pipes.values_mut().for_each(|pipe| pipe.finish(&mut lines, &mut take));
    drop(screen);
    let (report, mentions) = watch.report(lines);
    output::write(arguments, &report, &mentions, timeline.as_ref(), true)
}

type Chunk = (PathBuf, std::io::Result<Vec<u8>>);
type Pipes = std::collections::BTreeMap<PathBuf, LineSplitter>;

/// Reads a chunk of a pipe.
fn take_chunk(
    pipes: &mut Pipes,
    (pipe, chunk): Chunk,
    lines: &mut Lines,
    take: &mut impl FnMut(&journal::Line),
) -> Result<()> {
    let chunk = chunk.with_context(|| format!("could not read {}", pipe.display()))?;
    if chunk.is_empty() {
        if let Some(mut pipe) = pipes.remove(&pipe) {
            pipe.finish(lines, take);
        }
    } else if let Some(pipe) = pipes.get_mut(&pipe) {
        pipe.push(&chunk, lines, take);
    }
    Ok(())
}

fn open(files: &[PathBuf]) -> Result<(Vec<Tail>, Pipes, Receiver<Chunk>)> {
    let (sender, receiver) = sync_channel(CHUNKS);
    let (mut tails, mut pipes) = (Vec::new(), Pipes::new());
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
            read_in_thread(path, File::open(path).with_context(|| format!("could not open {name}"))?, sender.clone());
            pipes.insert(path.clone(), LineSplitter::default());
        }
    }
    Ok((tails, pipes, receiver))
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

/// Shows the state: on a terminal in place, otherwise as a line of JSON for each change.
struct Screen {
    bar: Option<ProgressBar>,
    /// Whether standard output is for the report alone.
    to_standard_error: bool,
    shown: Option<State>,
    next: Instant,
}

#[derive(Serialize)]
struct StateLine<'a> {
    time: Time,
    #[serde(flatten)]
    state: &'a State,
}

impl Screen {
    fn new(format: Format) -> Self {
        let bar = std::io::stdout().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(
                ProgressStyle::with_template("{spinner} {wide_msg}")
                    .unwrap_or_else(|_| ProgressStyle::default_spinner()),
            );
            bar
        });
        Self { bar, to_standard_error: format == Format::Html, shown: None, next: Instant::now() }
    }

    /// Shows the state if it is time.
    fn show(&mut self, state: impl FnOnce(Instant) -> State) -> Result<()> {
        let now = Instant::now();
        if now < self.next {
            return Ok(());
        }
        let state = state(now);
        // An account with many anomalies takes its time; most of it is for reading.
        self.next = now + SHOW.max(now.elapsed() * 4);
        if let Some(bar) = &self.bar {
            bar.set_message(state.summary());
            bar.tick();
        } else if self.shown.as_ref().is_none_or(|shown| *shown != state) {
            let line = serde_json::to_string(&StateLine { time: Time::now(), state: &state })?;
            let written = if self.to_standard_error {
                writeln!(std::io::stderr(), "{line}")
            } else {
                writeln!(std::io::stdout(), "{line}")
            };
            written.context("could not write the state")?;
            self.shown = Some(state);
        }
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
