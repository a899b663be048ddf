//! The lines about sessions.

use std::io;

use journal::{Assigned, Beginnings, Ended, Entry, Level, PositionReset};

use super::Books;

impl Books {
    /// Enters the beginning of sessions. The replica owns the partitions in `owned` then.
    ///
    /// # Errors
    /// The line could not be written.
    pub(crate) fn enter_assigned(&mut self, partitions: &[i32], owned: &[i32], begin: Beginnings) -> io::Result<()> {
        let (topic, group_id) = (self.topic.clone(), self.group_id.clone());
        let (partitions, owned) = (partitions.to_vec(), owned.to_vec());
        self.journal.record(Level::Info, &Entry::Assigned(Assigned { topic, group_id, partitions, owned, begin }))
    }

    /// Enters the end of sessions because of a revocation.
    ///
    /// # Errors
    /// The line could not be written.
    pub(crate) fn enter_revoked(
        &mut self,
        partitions: &[i32],
        owned: &[i32],
        positions: Vec<(i32, i64)>,
    ) -> io::Result<()> {
        let ended = self.ended(partitions, owned, positions);
        self.journal.record(Level::Info, &Entry::Revoked(ended))
    }

    /// Enters the end of sessions because the group has continued without this replica.
    ///
    /// # Errors
    /// The line could not be written.
    pub(crate) fn enter_lost(
        &mut self,
        partitions: &[i32],
        owned: &[i32],
        positions: Vec<(i32, i64)>,
        not_committed: Vec<(i32, i64)>,
    ) -> io::Result<()> {
        let ended = Ended { not_committed, ..self.ended(partitions, owned, positions) };
        self.journal.record(Level::Warn, &Entry::Lost(ended))
    }

    /// Enters that a session continues at another offset than the one after its last message.
    ///
    /// # Errors
    /// The line could not be written.
    pub(crate) fn enter_reset(
        &mut self,
        partition: i32,
        from: Option<i64>,
        to: i64,
        log_start: Option<i64>,
    ) -> io::Result<()> {
        let (topic, group_id) = (self.topic.clone(), self.group_id.clone());
        // Without a former position, the line only completes `partitions assigned`.
        let level = if from.is_some() { Level::Warn } else { Level::Info };
        let reset = PositionReset { topic, group_id, partition, from, to, log_start };
        self.journal.record(level, &Entry::PositionReset(reset))
    }

    fn ended(&self, partitions: &[i32], owned: &[i32], positions: Vec<(i32, i64)>) -> Ended {
        Ended {
            topic: self.topic.clone(),
            group_id: self.group_id.clone(),
            partitions: partitions.to_vec(),
            owned: owned.to_vec(),
            positions,
            not_committed: Vec::new(),
        }
    }
}
