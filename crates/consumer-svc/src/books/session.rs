//! The lines about sessions.

use std::io;

use journal::{Assigned, Beginnings, Ended, Entry, Level, PositionReset};

use super::Books;

/// A line is about at most this many sessions, so that it stays below the 16 KiB at which container runtimes cut lines, up to about
/// 2,500 owned partitions.
const SESSIONS_PER_LINE: usize = 100;

impl Books {
    /// Enters the beginning of sessions, in several lines if there are many. The replica owns the partitions in `owned` then.
    ///
    /// # Errors
    /// A line could not be written.
    pub(crate) fn enter_assigned(&mut self, partitions: &[i32], owned: &[i32], begin: &Beginnings) -> io::Result<()> {
        for partitions in chunks(partitions) {
            let (topic, group_id) = (self.topic.clone(), self.group_id.clone());
            let begin = begin.of(partitions);
            let (partitions, owned) = (partitions.to_vec(), owned.to_vec());
            let assigned = Assigned { topic, group_id, partitions, owned, begin };
            self.journal.record(Level::Info, &Entry::Assigned(assigned))?;
        }
        Ok(())
    }

    /// Enters the end of sessions, in several lines if there are many: `is_lost` if the group has continued without this replica, otherwise
    /// because of a revocation. `positions` and `not_committed` are offsets by partition.
    ///
    /// # Errors
    /// A line could not be written.
    pub(crate) fn enter_ended(
        &mut self,
        is_lost: bool,
        partitions: &[i32],
        owned: &[i32],
        positions: &[(i32, i64)],
        not_committed: &[(i32, i64)],
    ) -> io::Result<()> {
        for partitions in chunks(partitions) {
            let of_chunk = |offsets: &[(i32, i64)]| {
                offsets.iter().filter(|(partition, _)| partitions.contains(partition)).copied().collect()
            };
            let ended = Ended {
                topic: self.topic.clone(),
                group_id: self.group_id.clone(),
                partitions: partitions.to_vec(),
                owned: owned.to_vec(),
                positions: of_chunk(positions),
                not_committed: if is_lost { of_chunk(not_committed) } else { Vec::new() },
            };
            if is_lost {
                self.journal.record(Level::Warn, &Entry::Lost(ended))?;
            } else {
                self.journal.record(Level::Info, &Entry::Revoked(ended))?;
            }
        }
        Ok(())
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
}

/// The partitions of each line; one line if there are none, because a rebalance may change nothing.
fn chunks(partitions: &[i32]) -> impl Iterator<Item = &[i32]> {
    let nothing = partitions.is_empty().then_some(partitions);
    partitions.chunks(SESSIONS_PER_LINE).chain(nothing)
}
