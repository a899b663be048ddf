//! Which partition the next message goes to, and as which of ours.
//!
//! The key is the message's identity and must not steer it, so the producer chooses: in turn over all partitions. At
//! low rates the turn changes with each message, so that everybody sees something; the faster it goes, the longer a
//! turn lasts, up to 1,024 messages: consecutive messages of one partition share a request, which doubles the speed.

use kafka_config::Rate;

const LONGEST_TURN: u32 = 1024;
const ONE_EACH_UP_TO_PER_SEC: f64 = 1000.0;
/// At higher rates a turn takes this long.
const TURN_SECONDS: f64 = 0.01;

/// The turn, and the last pseq of each partition.
#[derive(Debug)]
pub(crate) struct Partitions {
    pseq: Vec<u64>,
    count: usize,
    current: usize,
    turn: u32,
    left: u32,
}

impl Partitions {
    pub(crate) fn new(rate: Rate, count: usize) -> Self {
        let turn = match rate {
            Rate::Max => LONGEST_TURN,
            Rate::PerSec(rate) if rate <= ONE_EACH_UP_TO_PER_SEC => 1,
            Rate::PerSec(rate) => ((rate * TURN_SECONDS) as u32).clamp(1, LONGEST_TURN),
        };
        Self { pseq: vec![0; count], count, current: 0, turn, left: turn }
    }

    /// The topic has so many partitions now. What was counted stays, in case some come back.
    pub(crate) fn resize(&mut self, count: usize) {
        self.count = count.max(1);
        self.pseq.resize(self.pseq.len().max(self.count), 0);
        if self.current >= self.count {
            self.current = 0;
        }
    }

    /// Partition and pseq of the next message. Asking again gives the same until [`Partitions::issued`].
    pub(crate) fn next(&self) -> (i32, u64) {
        (self.current as i32, self.pseq[self.current] + 1)
    }

    /// That message was accepted: its pseq is used up.
    pub(crate) fn issued(&mut self) {
        self.pseq[self.current] += 1;
        self.left -= 1;
        if self.left == 0 {
            self.pass();
        }
    }

    /// Leaves the current partition, which takes nothing now.
    pub(crate) fn pass(&mut self) {
        self.left = self.turn;
        self.current = (self.current + 1) % self.count;
    }

    /// The last pseq of every partition that was written to.
    pub(crate) fn last(&self) -> impl Iterator<Item = (i32, u64)> {
        self.pseq.iter().enumerate().filter(|(_, pseq)| **pseq > 0).map(|(partition, pseq)| (partition as i32, *pseq))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issue(partitions: &mut Partitions, messages: usize) -> Vec<(i32, u64)> {
        (0..messages)
            .map(|_| {
                let next = partitions.next();
                partitions.issued();
                next
            })
            .collect()
    }

    #[test]
    fn at_low_rates_each_message_goes_to_the_next_partition() {
        let mut partitions = Partitions::new(Rate::PerSec(1.0), 3);
        assert_eq!(issue(&mut partitions, 7), [(0, 1), (1, 1), (2, 1), (0, 2), (1, 2), (2, 2), (0, 3)]);
    }

    #[test]
    fn at_full_speed_a_turn_is_long() {
        let mut partitions = Partitions::new(Rate::Max, 2);
        let issued = issue(&mut partitions, 2 * LONGEST_TURN as usize + 1);
        assert_eq!(issued[LONGEST_TURN as usize - 1], (0, 1024));
        assert_eq!(issued[LONGEST_TURN as usize], (1, 1));
        assert_eq!(issued[2 * LONGEST_TURN as usize], (0, 1025));
    }

    #[test]
    fn new_partitions_join_the_turn_and_lost_ones_leave_it() {
        let mut partitions = Partitions::new(Rate::PerSec(1.0), 2);
        issue(&mut partitions, 3);
        partitions.resize(3);
        assert_eq!(issue(&mut partitions, 3), [(1, 2), (2, 1), (0, 3)]);
        partitions.resize(1);
        assert_eq!(issue(&mut partitions, 2), [(0, 4), (0, 5)]);
        assert_eq!(partitions.last().collect::<Vec<_>>(), [(0, 5), (1, 2), (2, 1)]);
    }
}
