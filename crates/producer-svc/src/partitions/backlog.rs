//! The messages of each partition that have no outcome yet: how many more it may take, and whether it is late.

use std::time::{Duration, Instant};

/// A partition is late if messages to it were due and none was acknowledged for this long.
const LATE_AFTER: Duration = Duration::from_secs(10);

/// What is known about one partition.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct PartitionBacklog {
    /// Accepted messages that have no outcome yet.
    waiting: u64,
    pub(crate) acknowledged: u64,
    /// Messages that were given up.
    pub(crate) failed: u64,
    /// Whether the leader is known and connected, according to librdkafka's last statistics.
    pub(crate) is_leader_connected: bool,
    /// When a message last was acknowledged while others were waiting, or else when the first of those that are waiting was accepted.
    /// A failure does not change it: a partition to which every message fails is late although no message waits for long.
    due_since: Option<Instant>,
    /// Until when its leader may let this client wait because of a quota.
    throttled_until: Option<Instant>,
}

/// The backlog of every partition.
///
/// A partition whose leader does not answer would in time fill librdkafka's queue, and messages to the other partitions would find no
/// place in it. Each partition therefore gets a share: if all of them were stuck, half of the queue would be full.
#[derive(Debug)]
pub(crate) struct Backlog {
    partitions: Vec<PartitionBacklog>,
    /// How many messages librdkafka's queue holds.
    queue: u64,
    /// How many messages without an outcome one partition may have.
    share: u64,
    /// The last time that was given. Reading the clock for each message would cost more than the messages' own bookkeeping.
    now: Instant,
}

impl PartitionBacklog {
    /// How many accepted messages have no outcome yet.
    pub(crate) fn waiting(&self) -> u64 {
        self.waiting
    }
}

impl Backlog {
    pub(crate) fn new(queue: u64, now: Instant) -> Self {
        Self { partitions: Vec::new(), queue, share: queue, now }
    }

    /// Sets how many partitions the topic has. What is known about partitions that it no longer has is kept: their messages may still
    /// have no outcome.
    pub(crate) fn resize(&mut self, count: usize) {
        self.share = (self.queue / (2 * count.max(1) as u64)).max(1);
        self.partitions.resize(self.partitions.len().max(count), PartitionBacklog::default());
    }

    pub(crate) fn partitions(&self) -> &[PartitionBacklog] {
        &self.partitions
    }

    /// How many more messages the partition may take now.
    pub(crate) fn room(&self, partition: usize) -> u64 {
        self.partitions.get(partition).map_or(0, |partition| self.share.saturating_sub(partition.waiting))
    }

    fn get_mut(&mut self, partition: i32) -> Option<&mut PartitionBacklog> {
        self.partitions.get_mut(usize::try_from(partition).ok()?)
    }

    /// Enters messages that librdkafka accepted.
    pub(crate) fn enter_accepted(&mut self, partition: i32, count: u64) {
        let now = self.now;
        if let Some(partition) = self.get_mut(partition) {
            partition.waiting += count;
            partition.due_since.get_or_insert(now);
        }
    }

    /// Enters the outcome of a message.
    pub(crate) fn enter_outcome(&mut self, partition: i32, is_acknowledged: bool) {
        let now = self.now;
        let Some(partition) = self.get_mut(partition) else { return };
        partition.waiting = partition.waiting.saturating_sub(1);
        if is_acknowledged {
            partition.acknowledged += 1;
            partition.due_since = (partition.waiting > 0).then_some(now);
        } else {
            partition.failed += 1;
        }
    }

    /// Sets for which partitions the leader is known and connected; it is not for those that are left out.
    pub(crate) fn set_connected(&mut self, partitions: impl Iterator<Item = i32>) {
        self.partitions.iter_mut().for_each(|partition| partition.is_leader_connected = false);
        for partition in partitions {
            if let Some(partition) = self.get_mut(partition) {
                partition.is_leader_connected = true;
            }
        }
    }

    /// Sets until when the leaders of partitions may let this client wait because of a quota.
    pub(crate) fn set_throttled(&mut self, partitions: impl Iterator<Item = (i32, Instant)>) {
        for (partition, until) in partitions {
            if let Some(partition) = self.get_mut(partition) {
                partition.throttled_until = Some(until);
            }
        }
    }

    /// The time of what is entered from now on. To be called regularly.
    pub(crate) fn set_now(&mut self, now: Instant) {
        self.now = now;
    }

    /// The time that was set last.
    pub(crate) fn now(&self) -> Instant {
        self.now
    }

    /// The late partitions among the first `count`, and for how long the one that was late first has been waiting for an
    /// acknowledgement.
    pub(crate) fn late(&self, count: usize) -> Late {
        let mut late = Late::default();
        for (partition, backlog) in self.partitions.iter().take(count).enumerate() {
            // The ten seconds begin anew when the leader stops to throttle: it answers one request, perhaps of another partition, and may
            // throttle again, which the statistics tell some seconds later.
            let since = backlog.due_since.map(|since| backlog.throttled_until.map_or(since, |until| since.max(until)));
            let waited = since.map_or(Duration::ZERO, |since| self.now.saturating_duration_since(since));
            if waited > LATE_AFTER {
                late.partitions.push(partition as i32);
                late.waited = late.waited.max(waited);
            }
        }
        late
    }
}

/// Partitions that are late.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Late {
    pub(crate) partitions: Vec<i32>,
    /// The longest time without an acknowledgement among them.
    pub(crate) waited: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn late_at(backlog: &mut Backlog, now: Instant) -> Vec<i32> {
        backlog.set_now(now);
        backlog.late(usize::MAX).partitions
    }

    #[test]
    fn a_partition_takes_its_share_of_half_the_queue_and_no_more() {
        let mut backlog = Backlog::new(120, Instant::now());
        backlog.resize(6);
        assert_eq!(backlog.room(0), 10);
        for _ in 0..10 {
            assert!(backlog.room(0) > 0);
            backlog.enter_accepted(0, 1);
        }
        assert_eq!((backlog.room(0), backlog.room(1)), (0, 10));
        backlog.enter_outcome(0, true);
        backlog.enter_outcome(0, false);
        assert_eq!(backlog.room(0), 2, "any outcome makes room");
        backlog.resize(1000);
        assert_eq!((backlog.room(0), backlog.room(999)), (0, 1));
    }

    #[test]
    fn a_partition_is_late_when_messages_were_due_and_none_was_acknowledged_for_ten_seconds() {
        let start = Instant::now();
        let mut backlog = Backlog::new(1000, start);
        backlog.resize(3);
        let at = |seconds: f64| start + Duration::from_secs_f64(seconds);
        backlog.enter_accepted(0, 1);
        backlog.enter_accepted(1, 1);
        backlog.enter_outcome(1, true);
        assert!(late_at(&mut backlog, at(10.0)).is_empty());
        assert_eq!(late_at(&mut backlog, at(10.5)), [0], "nothing was due at the others");
        backlog.enter_accepted(1, 1);
        backlog.enter_outcome(0, true);
        assert!(late_at(&mut backlog, at(20.0)).is_empty());
        assert_eq!(late_at(&mut backlog, at(21.0)), [1]);
    }

    #[test]
    fn a_partition_whose_leader_throttles_the_client_is_late_ten_seconds_after_that_is_over() {
        let start = Instant::now();
        let mut backlog = Backlog::new(1000, start);
        backlog.resize(2);
        for partition in [0, 1] {
            backlog.enter_accepted(partition, 1);
        }
        backlog.set_throttled([(0, start + Duration::from_secs(15))].into_iter());
        assert_eq!(late_at(&mut backlog, start + Duration::from_secs(25)), [1]);
        assert_eq!(late_at(&mut backlog, start + Duration::from_secs(26)), [0, 1]);
    }

    #[test]
    fn an_acknowledgement_among_waiting_messages_restarts_the_ten_seconds_and_a_failure_does_not() {
        let start = Instant::now();
        let mut backlog = Backlog::new(1000, start);
        backlog.resize(2);
        for partition in [0, 1] {
            backlog.enter_accepted(partition, 3);
        }
        backlog.set_now(start + Duration::from_secs(6));
        backlog.enter_outcome(0, true);
        (0..3).for_each(|_| backlog.enter_outcome(1, false));
        assert_eq!(
            late_at(&mut backlog, start + Duration::from_secs(12)),
            [1],
            "nothing waits there, but all of it failed"
        );
        assert_eq!(late_at(&mut backlog, start + Duration::from_secs(17)), [0, 1]);
        assert_eq!(backlog.late(2).waited, Duration::from_secs(17));
        assert_eq!(backlog.late(1).partitions, [0], "the topic has fewer partitions now");
    }
}
