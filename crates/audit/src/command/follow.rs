//! Judges files while they grow, or a pipe while it is written.

mod inputs;

use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use audit::{Lines, State, Time, Timeline, Watch};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use journal::Line;
use serde::Serialize;
use signal_hook::consts::{SIGINT, SIGTERM};

use self::inputs::Inputs;
use super::arguments::{Arguments, Format};
use super::output;

/// How often the state is shown.
const SHOW: Duration = Duration::from_secs(1);

/// Reads until the end of all pipes, or until SIGINT or SIGTERM. Then writes the report and returns the exit code.
///
/// # Errors
/// An input can't be read, or the state or the report can't be written.
pub(super) fn judge(arguments: &Arguments) -> Result<u8> {
    let stop = stop_on_signals()?;
    let mut inputs = Inputs::open(&arguments.files())?;
    let mut judged = Judged::new(arguments);
    let mut lines = Lines::default();
    let mut screen = Screen::new(arguments.format);
    while inputs.are_open() && !stop.load(Ordering::Relaxed) {
        inputs.poll(&mut lines, &mut |line| judged.take(line))?;
        screen.show(|now| judged.watch.state(lines, now, inputs.are_behind()))?;
    }
    inputs.finish(&mut lines, &mut |line| judged.take(line))?;
    drop(screen);
    let (report, mentions) = judged.watch.report(lines);
    output::write(arguments, &report, &mentions, judged.timeline.as_ref(), true)
}

/// Returns what the first SIGINT or SIGTERM sets to true. The second one ends the process, even if it is stuck.
fn stop_on_signals() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&stop))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)))
            .context("could not install the signal handlers")?;
    }
    Ok(stop)
}

/// What is made of the lines.
struct Judged {
    watch: Watch,
    /// Not collected if the report does not show it.
    timeline: Option<Timeline>,
}

impl Judged {
    fn new(arguments: &Arguments) -> Self {
        let timeline = (arguments.format != Format::Text).then(Timeline::default);
        Self { watch: Watch::new(arguments.account(), arguments.max_repeats), timeline }
    }

    fn take(&mut self, line: &Line) {
        self.watch.add(line, Instant::now());
        if let Some(timeline) = &mut self.timeline {
            timeline.add(line);
        }
    }
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
