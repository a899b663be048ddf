//! The progress bar on a terminal, for reads of more than a second.

use std::cell::{Cell, OnceCell};
use std::io::Read;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const SHOW_AFTER: Duration = Duration::from_secs(1);

/// How much was read of all inputs.
pub(crate) struct Progress {
    /// The size of all inputs, unless one of them is a pipe.
    total: Option<u64>,
    read: Cell<u64>,
    started: Instant,
    action: &'static str,
    /// Created after a second. It draws nothing if standard error is no terminal.
    bar: OnceCell<ProgressBar>,
}

impl Progress {
    pub(crate) fn new(action: &'static str, total: Option<u64>) -> Self {
        Self { total, read: Cell::new(0), started: Instant::now(), action, bar: OnceCell::new() }
    }

    /// Counts what is read from `input`.
    pub(crate) fn count<R>(&self, input: R) -> Counted<'_, R> {
        Counted { input, progress: self }
    }

    fn advance(&self, bytes: usize) {
        self.read.set(self.read.get() + bytes as u64);
        if self.bar.get().is_some() || self.started.elapsed() >= SHOW_AFTER {
            self.bar.get_or_init(|| self.create()).set_position(self.read.get());
        }
    }

    fn create(&self) -> ProgressBar {
        let bar = ProgressBar::with_draw_target(self.total, ProgressDrawTarget::stderr_with_hz(10));
        let template = match self.total {
            Some(_) => "{msg} {bar:30} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
            None => "{msg} {spinner} {bytes}, {bytes_per_sec}",
        };
        bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_message(self.action);
        bar
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.get() {
            bar.finish_and_clear();
        }
    }
}

/// An input whose bytes are counted.
pub(crate) struct Counted<'a, R> {
    input: R,
    progress: &'a Progress,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.progress.advance(count);
        Ok(count)
    }
}
