//! The beginning and the end of sessions in a rebalance, and the positions of the partitions that the replica keeps.

use std::collections::BTreeMap;
use std::time::Duration;

use journal::Beginnings;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::KafkaResult;
use rdkafka::{Offset, TopicPartitionList};

use super::Group;
use crate::beginnings::{self, Expired};
use crate::books::{Books, Next};
use crate::native::{generation, remove};

impl Group {
    fn update_owned(&self, owned: &[i32]) {
        self.metrics.owned.set(i64::try_from(owned.len()).unwrap_or(i64::MAX));
    }

    /// Begins a session in each of the partitions: finds out where it begins, and writes that to the log.
    pub(super) fn begin_sessions(&self, consumer: &BaseConsumer<Self>, partitions: &[i32]) -> Beginnings {
        self.access.confirm_membership();
        let found = beginnings::find(consumer, &self.topic, partitions, self.reset);
        let mut state = self.state();
        state.membership.set_assigned(generation(consumer));
        state.positions.assign(&found.begin);
        let owned = state.positions.owned();
        let mut written = state.books.enter_assigned(partitions, &owned, &found.as_logged());
        for Expired { partition, committed, log_start, to } in found.expired {
            written = written.and_then(|()| state.books.enter_reset(partition, Some(committed), to, Some(log_start)));
        }
        state.keep_error(written);
        drop(state);
        self.metrics.assigned.inc();
        self.update_owned(&owned);
        found.begin
    }

    /// Stores and commits the offsets at the end of the log where sessions begin. If the replica were killed before its first message,
    /// the next session would otherwise begin at the new end of the log, and the group would miss all messages in between.
    pub(super) fn commit_beginnings(&self, consumer: &BaseConsumer<Self>, begin: &[Next]) -> KafkaResult<()> {
        let mut state = self.state();
        // Without their line, nothing would say where these sessions began.
        if begin.is_empty() || state.write_error.is_some() {
            return Ok(());
        }
        state.positions.store(consumer, begin);
        drop(state);
        consumer.commit_consumer_state(CommitMode::Async)
    }

    /// Ends the sessions of the partitions. The pending summary is written here and its offsets are stored. librdkafka then commits the
    /// stored offsets, and only after that gives the partitions up.
    pub(super) fn end_sessions(&self, consumer: &BaseConsumer<Self>, partitions: &[i32]) {
        let written = self.account_and_store(consumer, Books::write_pending_summary);
        self.state().keep_error(written);
        let is_lost = consumer.assignment_lost();
        let mut state = self.state();
        if is_lost {
            state.membership.set_lost();
        }
        let positions = state.positions.revoke(partitions);
        let owned = state.positions.owned();
        // The new owners of lost partitions continue from the last commit, so they receive these messages again.
        let not_committed = state.positions.not_committed();
        let not_committed: Vec<Next> = not_committed.iter().map(|next| (next.partition, next.offset)).collect();
        let written = state.books.enter_ended(is_lost, partitions, &owned, &positions, &not_committed);
        state.keep_error(written);
        drop(state);
        if is_lost { &self.metrics.lost } else { &self.metrics.revoked }.inc();
        self.metrics.remove_lag(partitions);
        self.update_owned(&owned);
    }

    /// Sets the positions of the partitions that this replica keeps, which are all but the `new` ones. A rebalance pauses all partitions,
    /// and resumes those that stay from a position that may be wrong, see [`Inbox::take`](crate::native::inbox::Inbox::take).
    ///
    /// # Errors
    /// librdkafka cannot set a position.
    pub(super) fn restore_positions(&self, consumer: &BaseConsumer<Self>, new: &[i32]) -> KafkaResult<()> {
        let mut kept: BTreeMap<i32, i64> = self.state().positions.next().into_iter().collect();
        kept.retain(|partition, _| !new.contains(partition));
        if kept.is_empty() {
            return Ok(());
        }
        let mut positions = consumer.position()?;
        self.correct(&mut positions, &kept)?;
        // librdkafka refuses an empty list: nothing was received yet.
        if positions.count() == 0 {
            return Ok(());
        }
        // Without a timeout, this takes effect before the next message and waits for nothing.
        consumer.seek_partitions(positions, Duration::ZERO).map(drop)
    }

    /// Turns librdkafka's positions into those of `kept`, of which it knows a position.
    ///
    /// Where librdkafka's position is right, its own entry stays, because it has the leader epoch of the message before it. By this epoch,
    /// librdkafka finds out whether the log was cut below the position (KIP-320).
    fn correct(&self, positions: &mut TopicPartitionList, kept: &BTreeMap<i32, i64>) -> KafkaResult<()> {
        let elements = positions.elements();
        let known: Vec<(i32, i64)> =
            elements.iter().map(|element| (element.partition(), element.offset().to_raw().unwrap_or(-1))).collect();
        for (partition, position) in known {
            match kept.get(&partition) {
                Some(next) if position == *next => {}
                Some(next) if position >= 0 => {
                    remove(positions, &self.topic, partition);
                    positions.add_partition_offset(&self.topic, partition, Offset::Offset(*next))?;
                }
                _ => remove(positions, &self.topic, partition),
            }
        }
        Ok(())
    }
}
