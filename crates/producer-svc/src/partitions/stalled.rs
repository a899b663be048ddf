//! Finds partitions whose leader does not answer, and decides when librdkafka is to keep their messages instead of trying to send them.
//!
//! librdkafka sends no further request to a partition while one is in flight, but messages that are ready to be sent keep the thread of
//! their broker from sleeping. Normally the answer comes within milliseconds. If the broker is frozen it does not come, and the thread uses
//! a whole core until it does. Messages to a paused partition do not keep the thread awake.
//!
//! A pause ends with the next outcome of the partition. But librdkafka also puts messages back that it has to send again, without any
//! outcome: after a lost connection, or when the partition has a new leader. Therefore
//!
//! - paused partitions are resumed for a moment at short intervals, so that librdkafka can send what has become possible to send;
//! - an error that librdkafka reports, such as a lost connection, ends all pauses, and only partitions whose leader is connected are paused.
//!   The thread of a broker without a connection does not spin, and it looks only once a second whether a connection is needed.

use std::time::{Duration, Instant};

use super::backlog::PartitionBacklog;

/// A partition is stalled if messages to it wait and none had an outcome for this long. Longer than the second after which the thread of a
/// broker notices that a connection is needed.
const STALLED_AFTER: Duration = Duration::from_millis(1500);
/// How long stalled partitions stay paused between two attempts.
const PAUSE: Duration = Duration::from_millis(500);
/// How long they are resumed for an attempt. librdkafka's thread needs microseconds; the rest is for a busy machine.
const ATTEMPT: Duration = Duration::from_millis(3);
/// How often to look for stalled partitions, and for outcomes of those that are.
const INTERVAL: Duration = Duration::from_millis(200);
const INTERVAL_WHILE_STALLED: Duration = Duration::from_millis(1);

#[derive(Debug, Clone, Copy)]
struct Observed {
    outcomes: u64,
    /// When the outcomes last changed, or no message was waiting, or an error was reported.
    since: Instant,
    is_stalled: bool,
}

/// The stalled partitions.
#[derive(Debug)]
pub(crate) struct Stalled {
    partitions: Vec<Observed>,
    /// How many of them are stalled.
    count: usize,
    is_attempt: bool,
    /// When the pause or the attempt is over.
    until: Instant,
    check_at: Instant,
}

/// What is to be done.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    pub(crate) pause: Vec<i32>,
    pub(crate) resume: Vec<i32>,
}

impl Stalled {
    pub(crate) fn new(now: Instant) -> Self {
        Self { partitions: Vec::new(), count: 0, is_attempt: false, until: now, check_at: now }
    }

    /// Whether any partition is stalled.
    pub(crate) fn is_any(&self) -> bool {
        self.count > 0
    }

    /// How long until [`check`](Self::check) has something to do, unless an outcome arrives before.
    pub(crate) fn time_left(&self, now: Instant) -> Duration {
        let at = if self.is_any() { self.until.max(self.check_at) } else { self.check_at };
        at.saturating_duration_since(now)
    }

    /// Whether it is time for [`check`](Self::check).
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        now >= self.check_at
    }

    /// Looks at all partitions.
    pub(crate) fn check(&mut self, backlogs: &[PartitionBacklog], now: Instant) -> Changes {
        let mut changes = Changes::default();
        let fresh = Observed { outcomes: 0, since: now, is_stalled: false };
        self.partitions.resize(self.partitions.len().max(backlogs.len()), fresh);
        for ((observed, backlog), partition) in self.partitions.iter_mut().zip(backlogs).zip(0..) {
            let outcomes = backlog.acknowledged + backlog.failed;
            if outcomes != observed.outcomes || backlog.waiting() == 0 || !backlog.is_leader_connected {
                if observed.is_stalled {
                    changes.resume.push(partition);
                    self.count -= 1;
                }
                *observed = Observed { outcomes, since: now, is_stalled: false };
            } else if !observed.is_stalled && now.saturating_duration_since(observed.since) >= STALLED_AFTER {
                if self.count == 0 {
                    (self.is_attempt, self.until) = (false, now + PAUSE);
                }
                observed.is_stalled = true;
                self.count += 1;
                changes.pause.push(partition);
            }
        }
        if self.count > 0 && now >= self.until {
            self.is_attempt = !self.is_attempt;
            self.until = now + if self.is_attempt { ATTEMPT } else { PAUSE };
            if self.is_attempt {
                changes.resume.extend(self.stalled());
                changes.pause.clear();
            } else {
                changes.pause = self.stalled();
            }
        }
        self.check_at = now + if self.count > 0 { INTERVAL_WHILE_STALLED } else { INTERVAL };
        changes
    }

    /// The stalled partitions. From now on none is, as if each just had an outcome.
    pub(crate) fn take(&mut self, now: Instant) -> Vec<i32> {
        let stalled = self.stalled();
        for observed in &mut self.partitions {
            (observed.since, observed.is_stalled) = (now, false);
        }
        self.count = 0;
        stalled
    }

    fn stalled(&self) -> Vec<i32> {
        self.partitions
            .iter()
            .zip(0..)
            .filter(|(observed, _)| observed.is_stalled)
            .map(|(_, partition)| partition)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::backlog::Backlog;
    use super::*;

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn changes(pause: &[i32], resume: &[i32]) -> Changes {
        Changes { pause: pause.to_vec(), resume: resume.to_vec() }
    }

    /// Three partitions with connected leaders. A message waits in each.
    fn waiting(start: Instant) -> Backlog {
        let mut backlog = Backlog::new(1000, start);
        backlog.resize(3);
        backlog.set_connected(0..3);
        (0..3).for_each(|partition| backlog.enter_accepted(partition, 1));
        backlog
    }

    #[test]
    fn a_partition_without_an_outcome_is_paused_except_for_attempts() {
        let start = Instant::now();
        let mut backlog = waiting(start);
        let mut stalled = Stalled::new(start);
        let mut check = |backlog: &Backlog, after| stalled.check(backlog.partitions(), start + millis(after));
        assert_eq!(check(&backlog, 0), changes(&[], &[]));
        backlog.enter_outcome(0, true);
        backlog.enter_accepted(0, 1);
        assert_eq!(check(&backlog, 1400), changes(&[], &[]));
        assert_eq!(check(&backlog, 1500), changes(&[1, 2], &[]), "partition 0 had an outcome at 1400");
        assert_eq!(check(&backlog, 1999), changes(&[], &[]));
        assert_eq!(check(&backlog, 2000), changes(&[], &[1, 2]), "an attempt");
        assert_eq!(check(&backlog, 2002), changes(&[], &[]));
        assert_eq!(check(&backlog, 2003), changes(&[1, 2], &[]));
        backlog.enter_outcome(1, false);
        assert_eq!(check(&backlog, 2004), changes(&[], &[1]), "a failure is an outcome, too");
        backlog.enter_outcome(0, true);
        assert_eq!(check(&backlog, 2503), changes(&[], &[2]));
        backlog.enter_outcome(2, true);
        assert_eq!(check(&backlog, 2600), changes(&[], &[2]));
        assert!(!stalled.is_any());
    }

    #[test]
    fn a_partition_without_messages_or_without_a_connection_is_not_paused() {
        let start = Instant::now();
        let mut backlog = waiting(start);
        let mut stalled = Stalled::new(start);
        backlog.enter_outcome(0, true);
        backlog.set_connected([0, 2].into_iter());
        stalled.check(backlog.partitions(), start);
        assert_eq!(stalled.check(backlog.partitions(), start + millis(1600)), changes(&[2], &[]));
        backlog.set_connected([0].into_iter());
        assert_eq!(stalled.check(backlog.partitions(), start + millis(1700)), changes(&[], &[2]));
    }

    #[test]
    fn after_an_error_every_partition_gets_its_time_anew() {
        let start = Instant::now();
        let backlog = waiting(start);
        let mut stalled = Stalled::new(start);
        stalled.check(backlog.partitions(), start);
        stalled.check(backlog.partitions(), start + millis(1500));
        assert!(stalled.is_any());
        assert_eq!(stalled.take(start + millis(1600)), [0, 1, 2]);
        assert!(!stalled.is_any());
        assert_eq!(stalled.check(backlog.partitions(), start + millis(3000)), changes(&[], &[]));
        assert_eq!(stalled.check(backlog.partitions(), start + millis(3100)), changes(&[0, 1, 2], &[]));
    }

    #[test]
    fn the_loop_is_woken_for_the_next_attempt() {
        let start = Instant::now();
        let backlog = waiting(start);
        let mut stalled = Stalled::new(start);
        stalled.check(backlog.partitions(), start);
        assert_eq!(stalled.time_left(start), INTERVAL);
        stalled.check(backlog.partitions(), start + STALLED_AFTER);
        assert_eq!(stalled.time_left(start + STALLED_AFTER), PAUSE);
        assert!(stalled.is_due(start + STALLED_AFTER + INTERVAL_WHILE_STALLED), "an outcome may arrive at any time");
    }
}
