//! Chooses the partition and the pseq of each message.
//!
//! The key of a message is its identity and must not determine its partition, so the producer chooses partitions itself, in turn. At low
//! rates each message goes to the next partition, so that every replica receives some. At higher rates a turn lasts longer, up to as many
//! messages as a request takes: consecutive messages to one partition share a request, which doubles the throughput. If messages linger, a turn
//! lasts as long as they do: otherwise each would wait for others that go elsewhere. A partition that has no room (see `backlog`) misses its
//! turn, and one that has little gets a shorter one.

pub(crate) mod backlog;
pub(crate) mod stalled;

use std::time::Duration;

use kafka_config::Rate;

/// Up to this rate a turn is one message, unless messages linger.
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
    linger: Duration,
    /// As many messages as a request takes, so that a turn is sent as soon as it is over, without lingering.
    longest_turn: u64,
    /// Messages per turn.
    turn: u64,
    /// Messages left in the turn of the current partition; 0 if its turn is over.
    left_in_turn: u64,
}

/// What is left of a partition's turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) partition: i32,
    /// The pseq of the next message.
    pub(crate) first_pseq: u64,
    /// How many messages may follow, at least one.
    pub(crate) left: u64,
}

impl Partitions {
    /// `linger` is how long a message waits for others to share a request with, and `batch_messages` how many messages a request takes.
    pub(crate) fn new(rate: Rate, linger: Duration, batch_messages: u64, count: usize) -> Self {
        // The first turn is that of partition 0.
        let current = count.saturating_sub(1);
        let (longest_turn, turn) = (batch_messages, turn(rate, linger, batch_messages));
        Self { pseq: vec![0; count], count, current, linger, longest_turn, turn, left_in_turn: 0 }
    }

    /// Sets the length of the next turns.
    pub(crate) fn set_rate(&mut self, rate: Rate) {
        self.turn = turn(rate, self.linger, self.longest_turn);
        self.left_in_turn = self.left_in_turn.min(self.turn);
    }

    /// How many partitions the topic has.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Sets the number of partitions of the topic. The pseq of removed partitions is kept in case they return.
    pub(crate) fn resize(&mut self, count: usize) {
        self.count = count.max(1);
        self.pseq.resize(self.pseq.len().max(self.count), 0);
        if self.current >= self.count {
            self.current = self.count - 1;
            self.left_in_turn = 0;
        }
    }

    /// The turn of the next message, or `None` if no partition has room. `room` returns how many messages a partition may take; it is
    /// asked at the beginning of each turn, which is never longer than that.
    ///
    /// The answer stays the same until [`advance`](Self::advance) or [`skip`](Self::skip).
    pub(crate) fn next(&mut self, room: impl Fn(usize) -> u64) -> Option<Turn> {
        if self.left_in_turn == 0 {
            let following = (1..=self.count).map(|step| (self.current + step) % self.count);
            let (next, room) = following.map(|partition| (partition, room(partition))).find(|(_, room)| *room > 0)?;
            self.current = next;
            self.left_in_turn = self.turn.min(room);
        }
        let partition = self.current as i32;
        Some(Turn { partition, first_pseq: self.pseq[self.current] + 1, left: self.left_in_turn })
    }

    /// To be called when this many messages of the turn were accepted: their pseqs are used up.
    pub(crate) fn advance(&mut self, accepted: u64) {
        self.pseq[self.current] += accepted;
        self.left_in_turn = self.left_in_turn.saturating_sub(accepted);
    }

    /// Ends the turn of the current partition.
    pub(crate) fn skip(&mut self) {
        self.left_in_turn = 0;
    }

    /// The last pseq of each partition to which a message was sent.
    pub(crate) fn last_pseqs(&self) -> impl Iterator<Item = (i32, u64)> {
        self.pseq.iter().enumerate().filter(|(_, pseq)| **pseq > 0).map(|(partition, pseq)| (partition as i32, *pseq))
    }
}

/// Messages per turn at this rate.
fn turn(rate: Rate, linger: Duration, longest: u64) -> u64 {
    let messages = match rate {
        Rate::Max => return longest,
        Rate::PerSec(rate) if rate <= SINGLE_MESSAGE_TURNS_UP_TO_PER_SEC => rate * linger.as_secs_f64(),
        Rate::PerSec(rate) => rate * TURN_SECONDS,
    };
    (messages as u64).clamp(1, longest)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::backlog::Backlog;
    use super::*;

    const ENDLESS: u64 = u64::MAX;
    const BATCH: u64 = 2500;

    fn next(partitions: &mut Partitions, room: impl Fn(usize) -> u64) -> Option<(i32, u64)> {
        partitions.next(room).map(|turn| (turn.partition, turn.first_pseq))
    }

    fn advance(partitions: &mut Partitions, messages: usize) -> Vec<(i32, u64)> {
        (0..messages)
            .map(|_| {
                let next = next(partitions, |_| ENDLESS).unwrap();
                partitions.advance(1);
                next
            })
            .collect()
    }

    #[test]
    fn at_low_rates_each_message_goes_to_the_next_partition() {
        let mut partitions = Partitions::new(Rate::PerSec(1.0), Duration::ZERO, BATCH, 3);
        assert_eq!(advance(&mut partitions, 7), [(0, 1), (1, 1), (2, 1), (0, 2), (1, 2), (2, 2), (0, 3)]);
    }

    #[test]
    fn a_turn_lasts_as_long_as_messages_linger() {
        let turn_at = |rate, linger_ms| turn(Rate::PerSec(rate), Duration::from_millis(linger_ms), BATCH);
        assert_eq!([turn_at(1000.0, 0), turn_at(1000.0, 5), turn_at(100.0, 5), turn_at(1.0, 5000)], [1, 5, 1, 5]);
    }

    #[test]
    fn after_a_change_of_the_rate_the_next_turn_is_as_long_as_that_rate_wants_it() {
        let mut partitions = Partitions::new(Rate::PerSec(20_000.0), Duration::ZERO, BATCH, 2);
        assert_eq!(advance(&mut partitions, 3).last(), Some(&(0, 3)));
        partitions.set_rate(Rate::PerSec(1.0));
        assert_eq!(advance(&mut partitions, 3), [(0, 4), (1, 1), (0, 5)]);
    }

    #[test]
    fn at_full_speed_consecutive_messages_go_to_one_partition() {
        let mut partitions = Partitions::new(Rate::Max, Duration::ZERO, BATCH, 2);
        let issued = advance(&mut partitions, 2 * BATCH as usize + 1);
        assert_eq!(issued[BATCH as usize - 1], (0, 2500));
        assert_eq!(issued[BATCH as usize], (1, 1));
        assert_eq!(issued[2 * BATCH as usize], (0, 2501));
    }

    #[test]
    fn added_partitions_take_turns_and_removed_ones_do_not() {
        let mut partitions = Partitions::new(Rate::PerSec(1.0), Duration::ZERO, BATCH, 2);
        advance(&mut partitions, 3);
        partitions.resize(3);
        assert_eq!(advance(&mut partitions, 3), [(1, 2), (2, 1), (0, 3)]);
        partitions.resize(1);
        assert_eq!(advance(&mut partitions, 2), [(0, 4), (0, 5)]);
        assert_eq!(partitions.last_pseqs().collect::<Vec<_>>(), [(0, 5), (1, 2), (2, 1)]);
    }

    #[test]
    fn a_message_that_was_not_accepted_keeps_its_partition_and_pseq() {
        let mut partitions = Partitions::new(Rate::PerSec(1.0), Duration::ZERO, BATCH, 2);
        assert_eq!(next(&mut partitions, |_| ENDLESS), Some((0, 1)));
        assert_eq!(next(&mut partitions, |_| ENDLESS), Some((0, 1)));
        partitions.skip();
        assert_eq!(next(&mut partitions, |_| ENDLESS), Some((1, 1)));
    }

    #[test]
    fn a_stuck_partition_is_passed_over_within_its_share_and_visited_again_when_it_has_room() {
        for (rate, queue) in
            [(Rate::PerSec(1.0), 60), (Rate::PerSec(5000.0), 600), (Rate::Max, 60_000), (Rate::Max, 600)]
        {
            let mut partitions = Partitions::new(rate, Duration::ZERO, BATCH, 3);
            let mut backlog = Backlog::new(queue, Instant::now());
            backlog.resize(3);
            let share = queue / 6;
            let mut issued = [Vec::new(), Vec::new(), Vec::new()];
            let mut send = |partitions: &mut Partitions, backlog: &mut Backlog| {
                let Some(Turn { partition, first_pseq, left }) = partitions.next(|partition| backlog.room(partition))
                else {
                    return false;
                };
                // librdkafka's queue may become full in the middle of a turn.
                let accepted = left.min(7);
                backlog.enter_accepted(partition, accepted);
                partitions.advance(accepted);
                issued[partition as usize].extend(first_pseq..first_pseq + accepted);
                // Partition 1 is stuck; the others answer at once.
                if partition != 1 {
                    (0..accepted).for_each(|_| backlog.enter_outcome(partition, true));
                }
                true
            };
            for _ in 0..queue * 10 {
                assert!(send(&mut partitions, &mut backlog));
            }
            assert_eq!(backlog.room(1), 0);
            (0..share).for_each(|_| backlog.enter_outcome(1, true));
            for _ in 0..queue * 10 {
                assert!(send(&mut partitions, &mut backlog));
            }
            assert_eq!(issued[1].len() as u64, 2 * share, "{rate}");
            let difference = issued[0].len().abs_diff(issued[2].len()) as u64;
            assert!(difference <= partitions.turn, "{rate}: the others get equal shares");
            for pseqs in &issued {
                assert!(pseqs.iter().copied().eq(1..=pseqs.len() as u64), "{rate}: no number twice, none skipped");
            }
        }
    }

    #[test]
    fn nothing_is_sent_while_no_partition_has_room() {
        let mut partitions = Partitions::new(Rate::Max, Duration::ZERO, BATCH, 2);
        assert_eq!(partitions.next(|_| 0), None);
        assert_eq!(partitions.next(|_| 3), Some(Turn { partition: 0, first_pseq: 1, left: 3 }));
        partitions.advance(2);
        assert_eq!(partitions.next(|_| ENDLESS), Some(Turn { partition: 0, first_pseq: 3, left: 1 }));
        partitions.advance(1);
        assert_eq!(
            partitions.next(|partition| if partition == 0 { ENDLESS } else { 1 }),
            Some(Turn { partition: 1, first_pseq: 1, left: 1 }),
            "its turn had three messages"
        );
    }
}
