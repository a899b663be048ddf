//! The topic's partitions as logs that grow.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A message that is older than this and not received makes its replica late.
const OLD: Duration = Duration::from_secs(5);

/// The logs.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) name: String,
    /// The offset after the last message, by partition.
    pub(crate) ends: Vec<i64>,
    /// The offset of the oldest message that the broker still has.
    pub(crate) oldest: Vec<i64>,
    /// The ends of the last seconds.
    history: VecDeque<(Instant, Vec<i64>)>,
    /// The ends as they were [`OLD`] ago.
    old_ends: Vec<i64>,
}

impl Topic {
    pub(crate) fn new(name: &str, partitions: usize) -> Self {
        let zeros = vec![0; partitions];
        Self {
            name: name.to_owned(),
            ends: zeros.clone(),
            oldest: zeros.clone(),
            history: VecDeque::new(),
            old_ends: zeros,
        }
    }

    pub(crate) fn partitions(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn extend(&mut self, partition: i32, end: i64) {
        raise(&mut self.ends, partition, end);
    }

    pub(crate) fn set_oldest(&mut self, partition: i32, oldest: i64) {
        raise(&mut self.oldest, partition, oldest);
    }

    pub(crate) fn remember_ends(&mut self, now: Instant) {
        self.history.push_back((now, self.ends.clone()));
        while let Some((at, _)) = self.history.front()
            && now.saturating_duration_since(*at) >= OLD
        {
            if let Some((_, ends)) = self.history.pop_front() {
                self.old_ends = ends;
            }
        }
    }

    /// Messages below this offset are old.
    pub(crate) fn old_end(&self, partition: i32) -> i64 {
        usize::try_from(partition).ok().and_then(|index| self.old_ends.get(index)).copied().unwrap_or(0)
    }
}

fn raise(offsets: &mut [i64], partition: i32, to: i64) {
    if let Some(offset) = usize::try_from(partition).ok().and_then(|index| offsets.get_mut(index)) {
        *offset = to.max(*offset);
    }
}
