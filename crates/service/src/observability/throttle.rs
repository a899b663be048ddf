//! Limits repeated log lines to one every ten seconds, with a count of the suppressed ones.

use std::time::{Duration, Instant};

const INTERVAL: Duration = Duration::from_secs(10);
/// How many different texts are remembered. Further ones replace the oldest.
const TEXTS_MAX: usize = 16;

#[derive(Debug)]
struct Logged {
    text: String,
    at: Instant,
    suppressed: u64,
}

/// Remembers what was logged recently.
#[derive(Debug, Default)]
pub struct Throttle(Vec<Logged>);

impl Throttle {
    /// Decides whether to log `text` now. Returns how often it was suppressed since it was last logged, or `None` if it is to be
    /// suppressed now.
    pub fn admit(&mut self, text: &str, now: Instant) -> Option<u64> {
        if let Some(logged) = self.0.iter_mut().find(|logged| logged.text == text) {
            if now.saturating_duration_since(logged.at) < INTERVAL {
                logged.suppressed += 1;
                return None;
            }
            logged.at = now;
            return Some(std::mem::take(&mut logged.suppressed));
        }
        if self.0.len() == TEXTS_MAX {
            // The text that was logged the longest ago will most likely not come again.
            let oldest = self.0.iter().enumerate().min_by_key(|(_, logged)| logged.at).map(|(index, _)| index);
            oldest.map(|index| self.0.swap_remove(index));
        }
        self.0.push(Logged { text: text.to_owned(), at: now, suppressed: 0 });
        Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_text_is_logged_once_in_ten_seconds_with_a_count_of_the_suppressed_ones() {
        let start = Instant::now();
        let mut throttle = Throttle::default();
        assert_eq!(throttle.admit("a", start), Some(0));
        assert_eq!(throttle.admit("a", start + INTERVAL / 2), None);
        assert_eq!(throttle.admit("b", start + INTERVAL / 2), Some(0), "a different text is logged at once");
        assert_eq!(throttle.admit("a", start + INTERVAL * 2 / 3), None);
        assert_eq!(throttle.admit("a", start + INTERVAL), Some(2));
        assert_eq!(throttle.admit("a", start + INTERVAL * 2), Some(0));
    }

    #[test]
    fn memory_stays_bounded_with_many_different_texts() {
        let start = Instant::now();
        let mut throttle = Throttle::default();
        for number in 0..1000_u32 {
            assert_eq!(throttle.admit(&number.to_string(), start + Duration::from_millis(number.into())), Some(0));
        }
        assert_eq!(throttle.0.len(), TEXTS_MAX);
    }
}
