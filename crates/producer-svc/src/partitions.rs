//! Chooses the partition and the pseq of each message.
//!
//! The key of a message is its identity and must not determine its partition, so the producer chooses partitions itself, in turn. At low
//! rates each message goes to the next partition, so that every replica receives some. At higher rates a turn lasts longer, up to 1,024
//! messages, because consecutive messages to one partition share a request, which doubles the throughput.

use kafka_config::Rate;

const LONGEST_TURN: u32 = 1024;
/// Up to this rate a turn is one message.
const SINGLE_MESSAGE_TURNS_UP_TO_PER_SEC: f64 = 1000.0;
/// Above that rate, how long a turn lasts.
const TURN_SECONDS: f64 = 0.01;

/// The current turn, and the last pseq of each partition.
#[derive(Debug)]
pub(crate) struct Partitions {
    /// The last pseq of each partition, also of those that the topic no longer has.
    pseq: Vec<u64>,
    /// How many partitions the topic has.
    count: usize,
    current: usize,
    /// Messages per turn.
    turn: u32,
    left_in_turn: u32,
}

impl Partitions {
    pub(crate) fn new(rate: Rate, count: usize) -> Self {
        let turn = match rate {
            Rate::Max => LONGEST_TURN,
            Rate::PerSec(rate) if rate <= SINGLE_MESSAGE_TURNS_UP_TO_PER_SEC => 1,
            Rate::PerSec(rate) => ((rate * TURN_SECONDS) as u32).clamp(1, LONGEST_TURN),
        };
        Self { pseq: vec![0; count], count, current: 0, turn, left_in_turn: turn }
    }

    /// Sets the number of partitions of the topic. The pseq of removed partitions is kept in case they return.
    pub(crate) fn resize(&mut self, count: usize) {
        self.count = count.max(1);
        self.pseq.resize(self.pseq.len().max(self.count), 0);
        if self.current >= self.count {
            self.current = 0;
        }
    }

    /// Partition and pseq of the next message. They stay the same until [`advance`](Self::advance) or [`skip`](Self::skip).
    pub(crate) fn next(&self) -> (i32, u64) {
        (self.current as i32, self.pseq[self.current] + 1)
    }

    /// To be called when the message was accepted: its pseq is used up.
    pub(crate) fn advance(&mut self) {
        self.pseq[self.current] += 1;
        self.left_in_turn -= 1;
        if self.left_in_turn == 0 {
            self.skip();
        }
    }

    /// Moves to the next partition.
    pub(crate) fn skip(&mut self) {
        self.left_in_turn = self.turn;
        self.current = (self.current + 1) % self.count;
    }

    /// The last pseq of each partition to which a message was sent.
    pub(crate) fn last_pseqs(&self) -> impl Iterator<Item = (i32, u64)> {
        self.pseq.iter().enumerate().filter(|(_, pseq)| **pseq > 0).map(|(partition, pseq)| (partition as i32, *pseq))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advance(partitions: &mut Partitions, messages: usize) -> Vec<(i32, u64)> {
        (0..messages)
            .map(|_| {
                let next = partitions.next();
                partitions.advance();
                next
            })
            .collect()
    }

    #[test]
    fn at_low_rates_each_message_goes_to_the_next_partition() {
        let mut partitions = Partitions::new(Rate::PerSec(1.0), 3);
        assert_eq!(advance(&mut partitions, 7), [(0, 1), (1, 1), (2, 1), (0, 2), (1, 2), (2, 2), (0, 3)]);
    }

    #[test]
    fn at_full_speed_consecutive_messages_go_to_one_partition() {
        let mut partitions = Partitions::new(Rate::Max, 2);
        let issued = advance(&mut partitions, 2 * LONGEST_TURN as usize + 1);
        assert_eq!(issued[LONGEST_TURN as usize - 1], (0, 1024));
        assert_eq!(issued[LONGEST_TURN as usize], (1, 1));
        assert_eq!(issued[2 * LONGEST_TURN as usize], (0, 1025));
    }

    #[test]
    fn added_partitions_take_turns_and_removed_ones_do_not() {
        let mut partitions = Partitions::new(Rate::PerSec(1.0), 2);
        advance(&mut partitions, 3);
        partitions.resize(3);
        assert_eq!(advance(&mut partitions, 3), [(1, 2), (2, 1), (0, 3)]);
        partitions.resize(1);
        assert_eq!(advance(&mut partitions, 2), [(0, 4), (0, 5)]);
        assert_eq!(partitions.last_pseqs().collect::<Vec<_>>(), [(0, 5), (1, 2), (2, 1)]);
    }
}
