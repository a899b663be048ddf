//! The position of each partition: which offset was processed and stored for commit, and which was committed.

use std::collections::BTreeMap;
use std::time::Instant;

use journal::{Beginnings, NextOffset};
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};
use service::Throttle;
use tracing::{debug, warn};

use crate::books::Next;
use crate::native::commit;

#[derive(Debug, Default, Clone, Copy)]
struct Position {
    /// The offset after the last received message, or the beginning of the session. `None` if the beginning is unknown and nothing was
    /// received.
    next: Option<i64>,
    /// Where the session begins, if that is known.
    begin: Option<i64>,
    /// The offset that librdkafka could not read, according to its last report about the partition.
    unreadable: Option<i64>,
    processed: Option<i64>,
    committed: Option<i64>,
    commit: NextCommit,
}

/// Who commits the next stored offset.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum NextCommit {
    /// librdkafka, at its interval, if the offset is higher than the last that was committed.
    #[default]
    Periodic,
    /// This replica, because the position has fallen below the last committed offset: the broker has lost messages, or the topic was
    /// created anew. Until the position has passed that offset again, librdkafka would commit only on revocation and on close.
    Own,
    /// As above, and the request is under way.
    Requested,
}

impl Position {
    /// The stored offset, unless it is known to be committed.
    fn not_committed(self) -> Option<i64> {
        self.processed.filter(|processed| self.committed.is_none_or(|committed| committed < *processed))
    }

    /// If the position has fallen, asks the broker to commit what was stored, unless such a request is under way. The result comes as that
    /// of any commit. Once an offset was committed this way, librdkafka goes on from there.
    fn commit_fallen<C: ConsumerContext>(&mut self, consumer: &BaseConsumer<C>, topic: &str, partition: i32) {
        let Some(offset) = self.processed.filter(|_| self.commit == NextCommit::Own) else { return };
        let mut list = TopicPartitionList::with_capacity(1);
        let listed = list.add_partition_offset(topic, partition, Offset::Offset(offset));
        match listed.and_then(|()| commit(consumer, &list)) {
            Ok(()) => self.commit = NextCommit::Requested,
            Err(error) => debug!(partition, offset, %error, "offset not committed"),
        }
    }

    /// Notes that this offset was committed. Returns whether that concerns what was stored: a result may be the late one of a commit from
    /// before the position fell.
    fn note_committed(&mut self, offset: i64) -> bool {
        let is_of_stored = self.commit != NextCommit::Own && self.processed.is_none_or(|processed| offset <= processed);
        if is_of_stored {
            self.committed = self.committed.max(Some(offset));
            self.commit = NextCommit::Periodic;
        }
        is_of_stored
    }
}

/// The result of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Commit {
    /// Every offset was committed.
    Succeeded,
    /// An offset could not be committed.
    Failed,
    /// The commit was refused, but every offset in it had been committed before.
    Redundant,
}

/// The positions of the partitions that this replica owns or has just given up.
///
/// librdkafka commits stored offsets periodically, on revocation and on close. [`Positions::store`] is the only place that stores them.
#[derive(Debug)]
pub(crate) struct Positions {
    topic: String,
    owned: BTreeMap<i32, Position>,
    /// Partitions that were revoked or lost. They are kept until the next assignment, so that the result of their last commit can be
    /// recorded.
    former: BTreeMap<i32, Position>,
    /// What was last committed of each partition, also in an earlier session: librdkafka does not forget it either.
    last_committed: BTreeMap<i32, i64>,
    /// Limits the log lines about commits that fail again at each interval.
    failed_commits: Throttle,
}

impl Positions {
    pub(crate) fn new(topic: &str) -> Self {
        Self {
            topic: topic.to_owned(),
            owned: BTreeMap::new(),
            former: BTreeMap::new(),
            last_committed: BTreeMap::new(),
            failed_commits: Throttle::default(),
        }
    }

    /// The partitions that this replica owns, sorted.
    pub(crate) fn owned(&self) -> Vec<i32> {
        self.owned.keys().copied().collect()
    }

    /// For each owned partition the offset below which the session has processed everything, if that is known.
    pub(crate) fn processed(&self) -> impl Iterator<Item = (i32, Option<i64>)> {
        self.owned.iter().map(|(partition, position)| (*partition, position.processed.or(position.begin)))
    }

    /// The offset from which each owned partition has to be read on, if that is known.
    pub(crate) fn next(&self) -> Vec<Next> {
        let next = |position: &Position| position.next.or(position.unreadable);
        self.owned.iter().filter_map(|(partition, position)| Some((*partition, next(position)?))).collect()
    }

    /// Notes that librdkafka could not read the partition at this offset.
    pub(crate) fn note_unreadable(&mut self, partition: i32, offset: i64) {
        if let Some(position) = self.owned.get_mut(&partition) {
            position.unreadable = Some(offset).filter(|offset| *offset >= 0);
        }
    }

    /// Adds the partitions of new sessions.
    pub(crate) fn assign(&mut self, begin: &Beginnings) {
        self.former.clear();
        self.owned.extend(begin.unknown.iter().map(|partition| (*partition, Position::default())));
        let known = begin.committed.iter().chain(&begin.earliest).chain(&begin.latest);
        let last_committed = &self.last_committed;
        self.owned.extend(known.map(|(partition, offset)| {
            // It has fallen while another replica owned the partition.
            let has_fallen = last_committed.get(partition).is_some_and(|committed| offset < committed);
            let commit = if has_fallen { NextCommit::Own } else { NextCommit::Periodic };
            (*partition, Position { next: Some(*offset), begin: Some(*offset), commit, ..Position::default() })
        }));
    }

    /// Removes the partitions of ended sessions. Returns the positions of those whose position is known.
    pub(crate) fn revoke(&mut self, partitions: &[i32]) -> Vec<(i32, i64)> {
        let owned = &mut self.owned;
        let ended: Vec<(i32, Position)> =
            partitions.iter().filter_map(|partition| owned.remove_entry(partition)).collect();
        self.former.extend(ended.iter().copied());
        ended.into_iter().filter_map(|(partition, position)| Some((partition, position.next?))).collect()
    }

    /// Moves the position of a partition past the message at `offset`. Returns the former position if that was another offset, which is
    /// `Some(None)` if it was unknown.
    pub(crate) fn advance(&mut self, partition: i32, offset: i64) -> Option<Option<i64>> {
        let position = self.owned.get_mut(&partition)?;
        let expected = position.next.replace(offset + 1);
        if expected.is_some_and(|expected| offset < expected) {
            (position.processed, position.committed, position.commit) = (None, None, NextCommit::Own);
        }
        (expected != Some(offset)).then_some(expected)
    }

    /// Stores offsets below which every message is accounted for. librdkafka may then commit them.
    pub(crate) fn store<C: ConsumerContext>(&mut self, consumer: &BaseConsumer<C>, next: &[Next]) {
        for (partition, offset) in next {
            // Accounted for before the position fell: to commit this now would skip what is received again.
            if self.owned.get(partition).and_then(|position| position.next).is_some_and(|next| *offset > next) {
                continue;
            }
            // One list per partition, because librdkafka refuses a whole list if one of its partitions is no longer assigned.
            let mut list = TopicPartitionList::with_capacity(1);
            let stored = list
                .add_partition_offset(&self.topic, *partition, Offset::Offset(*offset))
                .and_then(|()| consumer.store_offsets(&list));
            match stored {
                Ok(()) => {
                    let position = self.owned.entry(*partition).or_default();
                    position.processed = Some(*offset);
                    position.commit_fallen(consumer, &self.topic, *partition);
                }
                // Another replica owns the partition by now and will receive the uncommitted messages again.
                Err(error) => debug!(partition, offset, %error, "offset not stored"),
            }
        }
    }

    /// Asks the broker to commit what was stored in partitions whose position has fallen, unless such a request is under way.
    pub(crate) fn commit_fallen<C: ConsumerContext>(&mut self, consumer: &BaseConsumer<C>) {
        for (partition, position) in &mut self.owned {
            position.commit_fallen(consumer, &self.topic, *partition);
        }
    }

    /// Records the result of a commit, and logs the partitions for which it failed.
    pub(crate) fn record_commit(&mut self, result: Result<(), KafkaError>, list: &TopicPartitionList) -> Commit {
        let has_failed = result.is_err();
        let mut cause = result.err();
        let mut failed = Vec::new();
        for element in list.elements() {
            // Of the others, nothing was to be committed.
            let Offset::Offset(offset) = element.offset() else { continue };
            match element.error() {
                Ok(()) if !has_failed => self.note_committed(element.partition(), offset),
                error => {
                    self.note_failed(element.partition());
                    failed.push((element.partition(), offset));
                    cause = cause.or(error.err());
                }
            }
        }
        let Some(error) = cause.filter(|_| !failed.is_empty()) else { return Commit::Succeeded };
        // On close, librdkafka commits all stored offsets once more, including those that are committed already. If another member
        // is leaving at that moment, the group may refuse this commit, on which nothing depends.
        failed.retain(|(partition, offset)| !self.is_committed(*partition, *offset));
        let mut failed: Vec<i32> = failed.into_iter().map(|(partition, _)| partition).collect();
        if failed.is_empty() {
            return Commit::Redundant;
        }
        if let Some(suppressed) = self.failed_commits.admit(Instant::now()) {
            failed.sort_unstable();
            warn!(partitions = ?failed, %error, suppressed, "commit failed");
        }
        Commit::Failed
    }

    fn note_committed(&mut self, partition: i32, offset: i64) {
        for positions in [&mut self.owned, &mut self.former] {
            if positions.get_mut(&partition).is_some_and(|position| position.note_committed(offset)) {
                self.last_committed.insert(partition, offset);
            }
        }
    }

    /// Notes that a commit of this partition failed. One that this replica had asked for is asked for again.
    fn note_failed(&mut self, partition: i32) {
        if let Some(position) = self.owned.get_mut(&partition)
            && position.commit == NextCommit::Requested
        {
            position.commit = NextCommit::Own;
        }
    }

    /// Whether this offset of the partition, or a later one, is known to be committed.
    fn is_committed(&self, partition: i32, offset: i64) -> bool {
        let positions = [self.owned.get(&partition), self.former.get(&partition)];
        positions.into_iter().flatten().any(|position| position.committed >= Some(offset))
    }

    /// Whether an owned partition has a stored offset that is not known to be committed.
    pub(crate) fn has_uncommitted(&self) -> bool {
        self.owned.values().any(|position| position.not_committed().is_some())
    }

    /// Records that librdkafka has committed the stored offsets of all owned partitions that it commits.
    pub(crate) fn record_all_committed(&mut self) {
        for (partition, position) in
            self.owned.iter_mut().filter(|(_, position)| position.commit == NextCommit::Periodic)
        {
            position.committed = position.processed;
            self.last_committed.extend(position.processed.map(|offset| (*partition, offset)));
        }
    }

    /// The offsets that were processed and are not known to be committed.
    pub(crate) fn not_committed(&self) -> Vec<NextOffset> {
        self.former
            .iter()
            .chain(&self.owned)
            .filter_map(|(partition, position)| {
                Some(NextOffset { partition: *partition, offset: position.not_committed()? })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::error::RDKafkaErrorCode as Code;

    use super::*;

    #[test]
    fn a_refused_commit_fails_only_for_offsets_that_were_not_committed_before() {
        let mut positions = Positions::new("t");
        positions.assign(&Beginnings { unknown: vec![0, 1], ..Beginnings::default() });
        let list = |offset| {
            let mut list = TopicPartitionList::new();
            list.add_partition_offset("t", 0, Offset::Offset(offset)).unwrap();
            list
        };
        let refused = || Err(KafkaError::ConsumerCommit(Code::RebalanceInProgress));
        assert_eq!(positions.record_commit(refused(), &list(5)), Commit::Failed);
        assert_eq!(positions.record_commit(Ok(()), &list(5)), Commit::Succeeded);
        assert_eq!(positions.record_commit(refused(), &list(5)), Commit::Redundant);
        assert_eq!(positions.record_commit(refused(), &list(6)), Commit::Failed);
        positions.revoke(&[0]);
        assert_eq!(positions.record_commit(refused(), &list(5)), Commit::Redundant);
    }

    #[test]
    fn after_the_position_has_fallen_only_commits_of_lower_offsets_count() {
        let mut positions = Positions::new("t");
        positions.assign(&Beginnings { committed: vec![(0, 0)], ..Beginnings::default() });
        let commit = |positions: &mut Positions, offset| {
            let mut list = TopicPartitionList::new();
            list.add_partition_offset("t", 0, Offset::Offset(offset)).unwrap();
            positions.record_commit(Ok(()), &list)
        };
        positions.advance(0, 9);
        positions.owned.entry(0).or_default().processed = Some(10);
        commit(&mut positions, 10);
        assert!(!positions.has_uncommitted());
        assert_eq!(positions.advance(0, 2), Some(Some(10)));
        commit(&mut positions, 10);
        let position = positions.owned.entry(0).or_default();
        (position.processed, position.commit) = (Some(3), NextCommit::Requested);
        commit(&mut positions, 10);
        positions.record_all_committed();
        assert_eq!(positions.not_committed(), [NextOffset { partition: 0, offset: 3 }], "10 was committed before");
        commit(&mut positions, 3);
        assert!(!positions.has_uncommitted());
    }

    /// While another replica owned the partition, the broker lost messages, and that replica committed less.
    #[test]
    fn a_session_that_begins_below_the_last_commit_of_an_earlier_one_commits_by_itself() {
        let mut positions = Positions::new("t");
        let begin = |offset| Beginnings { committed: vec![(0, offset)], ..Beginnings::default() };
        positions.assign(&begin(0));
        let mut list = TopicPartitionList::new();
        list.add_partition_offset("t", 0, Offset::Offset(100)).unwrap();
        positions.owned.entry(0).or_default().processed = Some(100);
        assert_eq!(positions.record_commit(Ok(()), &list), Commit::Succeeded);
        for (offset, expected) in [(100, NextCommit::Periodic), (85, NextCommit::Own), (120, NextCommit::Periodic)] {
            positions.revoke(&[0]);
            positions.assign(&begin(offset));
            assert_eq!(positions.owned[&0].commit, expected, "{offset}");
        }
    }

    #[test]
    fn a_position_moves_with_the_messages_and_a_jump_is_reported() {
        let mut positions = Positions::new("t");
        positions.assign(&Beginnings { committed: vec![(0, 5)], unknown: vec![1], ..Beginnings::default() });
        assert_eq!(positions.next(), [(0, 5)]);
        positions.note_unreadable(0, 7);
        positions.note_unreadable(1, 6);
        assert_eq!(positions.next(), [(0, 5), (1, 6)], "librdkafka's offset is only used if no other is known");
        positions.note_unreadable(1, -1001);
        assert_eq!(positions.next(), [(0, 5)]);
        assert_eq!(positions.advance(0, 5), None);
        assert_eq!(positions.advance(0, 9), Some(Some(6)));
        assert_eq!(positions.advance(0, 2), Some(Some(10)));
        assert_eq!(positions.advance(1, 7), Some(None));
        assert_eq!(positions.advance(1, 8), None);
        assert_eq!(positions.advance(2, 0), None, "not owned");
        assert_eq!(positions.next(), [(0, 3), (1, 9)]);
        positions.assign(&Beginnings { unknown: vec![3], ..Beginnings::default() });
        assert_eq!(positions.revoke(&[0, 1, 3]), [(0, 3), (1, 9)]);
    }
}
