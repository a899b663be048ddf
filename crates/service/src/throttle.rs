//! Lines that would repeat: told once every ten seconds, with a count of what was left out.

use std::time::{Duration, Instant};

const TOLD_EVERY: Duration = Duration::from_secs(10);
/// More different texts than this at a time are not told apart from new ones.
const TEXTS_MAX: usize = 16;

#[derive(Debug)]
struct Told {
    text: String,
    at: Instant,
    untold: u64,
}

/// Remembers what was told lately.
#[derive(Debug, Default)]
pub struct Throttle(Vec<Told>);

impl Throttle {
    /// Whether to tell `text` now: the number of times that it was left out since it was last told, or `None` to leave it
    /// out.
    pub fn tell(&mut self, text: &str, now: Instant) -> Option<u64> {
        if let Some(told) = self.0.iter_mut().find(|told| told.text == text) {
            if now.saturating_duration_since(told.at) < TOLD_EVERY {
                told.untold += 1;
                return None;
            }
            told.at = now;
            return Some(std::mem::take(&mut told.untold));
        }
        if self.0.len() == TEXTS_MAX {
            // The one that has been silent the longest, most likely for good.
            let oldest = self.0.iter().enumerate().min_by_key(|(_, told)| told.at).map(|(index, _)| index);
            oldest.map(|index| self.0.swap_remove(index));
        }
        self.0.push(Told { text: text.to_owned(), at: now, untold: 0 });
        Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_told_once_in_ten_seconds_with_what_was_left_out() {
        let start = Instant::now();
        let mut throttle = Throttle::default();
        assert_eq!(throttle.tell("a", start), Some(0));
        assert_eq!(throttle.tell("a", start + TOLD_EVERY / 2), None);
        assert_eq!(throttle.tell("b", start + TOLD_EVERY / 2), Some(0), "something else is told at once");
        assert_eq!(throttle.tell("a", start + TOLD_EVERY * 2 / 3), None);
        assert_eq!(throttle.tell("a", start + TOLD_EVERY), Some(2));
        assert_eq!(throttle.tell("a", start + TOLD_EVERY * 2), Some(0));
    }

    #[test]
    fn many_different_texts_take_little_memory() {
        let start = Instant::now();
        let mut throttle = Throttle::default();
        for number in 0..1000_u32 {
            assert_eq!(throttle.tell(&number.to_string(), start + Duration::from_millis(number.into())), Some(0));
        }
        assert_eq!(throttle.0.len(), TEXTS_MAX);
    }
}
