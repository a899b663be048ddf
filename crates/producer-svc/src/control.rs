//! What may change while a run lasts: the rate, and whether the producer pauses. A program that starts this service inside itself, as the
//! sandbox does, sets it; the service by itself never changes its rate.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Thread;

use kafka_config::Rate;
use parking_lot::{Mutex, MutexGuard};

/// Changes the rate of a running producer. Shared by whoever changes it and by the loop.
#[derive(Debug, Default)]
pub struct Control {
    /// Whether the loop should look at `pace`: reading this costs the loop next to nothing.
    is_changed: AtomicBool,
    pace: Mutex<Pace>,
    /// The thread of the loop, which a change wakes.
    thread: OnceLock<Thread>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq)]
struct Pace {
    /// Messages per second; `None` until it is changed.
    rate: Option<f64>,
    is_paused: bool,
}

/// A line that is none of `rate N`, `pause` and `resume`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected `rate N` with 0.00001 to 10000000 messages per second, `pause` or `resume`")]
pub struct NotACommand;

impl Control {
    /// Carries out a line: `rate N` sends N messages per second from now on, `pause` sends nothing and stays connected, and `resume`
    /// continues at the last rate. Messages that were due during a pause are not sent later.
    ///
    /// # Errors
    /// The line is no such command. Nothing changes.
    pub fn carry_out(&self, line: &str) -> Result<(), NotACommand> {
        let mut words = line.split_whitespace();
        let command = (words.next(), words.next(), words.next());
        let mut pace = self.pace();
        match command {
            (Some("rate"), Some(rate), None) => {
                // The range of `PRODUCER_RATE_PER_SEC`.
                let rate = rate.parse().ok().filter(|rate| (0.000_01..=10_000_000.0).contains(rate));
                pace.rate = Some(rate.ok_or(NotACommand)?);
            }
            (Some("pause"), None, None) => pace.is_paused = true,
            (Some("resume"), None, None) => pace.is_paused = false,
            _ => return Err(NotACommand),
        }
        self.is_changed.store(true, Ordering::Release);
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
        Ok(())
    }

    /// Whether the loop has not yet taken up the last change.
    pub(crate) fn is_changed(&self) -> bool {
        self.is_changed.load(Ordering::Acquire)
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock()
    }
}

/// The loop's side of a [`Control`].
#[derive(Debug)]
pub(crate) struct Controlled<'a> {
    control: &'a Control,
    rate: Rate,
    is_paused: bool,
}

impl<'a> Controlled<'a> {
    /// From now on, a change wakes the present thread.
    pub(crate) fn new(control: &'a Control, rate: Rate) -> Self {
        control.thread.get_or_init(std::thread::current);
        Self { control, rate, is_paused: false }
    }

    /// The rate from now on, if a new schedule has to begin: after a change of the rate and after a pause.
    pub(crate) fn new_rate(&mut self) -> Option<Rate> {
        if !self.control.is_changed.swap(false, Ordering::Acquire) {
            return None;
        }
        let pace = *self.control.pace();
        self.is_paused = pace.is_paused;
        self.rate = pace.rate.map_or(self.rate, Rate::PerSec);
        Some(self.rate)
    }

    /// Whether nothing is to be sent.
    pub(crate) fn is_paused(&self) -> bool {
        self.is_paused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_seen_once_and_a_pause_keeps_the_rate() {
        let control = Control::default();
        let mut controlled = Controlled::new(&control, Rate::PerSec(1.0));
        assert_eq!(controlled.new_rate(), None);
        control.carry_out("rate 2.5").unwrap();
        assert_eq!(controlled.new_rate(), Some(Rate::PerSec(2.5)));
        assert_eq!(controlled.new_rate(), None);
        control.carry_out("pause\n").unwrap();
        assert_eq!(controlled.new_rate(), Some(Rate::PerSec(2.5)));
        assert!(controlled.is_paused());
        control.carry_out("resume").unwrap();
        assert_eq!(controlled.new_rate(), Some(Rate::PerSec(2.5)), "the schedule begins anew");
        assert!(!controlled.is_paused());
    }

    #[test]
    fn another_line_changes_nothing() {
        let control = Control::default();
        for line in
            ["", "rate", "rate 0", "rate -1", "rate 1e8", "rate nan", "rate inf", "rate 1 2", "pause now", "stop"]
        {
            assert_eq!(control.carry_out(line), Err(NotACommand), "{line}");
        }
        assert_eq!(Controlled::new(&control, Rate::Max).new_rate(), None);
    }
}
