//! The lines about sessions. A session is the time in which a replica owns a partition.

use serde::{Deserialize, Serialize};

/// `partitions assigned`: a session begins in each of the partitions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assigned {
    /// Topic.
    pub topic: String,
    /// Consumer group.
    pub group_id: String,
    /// The partitions that were added.
    pub partitions: Vec<i32>,
    /// All partitions that the replica owns now.
    pub owned: Vec<i32>,
    /// Where the sessions begin.
    #[serde(default)]
    pub begin: Beginnings,
}

/// The offset of the first message that each new session can receive, as pairs of partition and offset, by what determined it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beginnings {
    /// The group's committed offset.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub committed: Vec<(i32, i64)>,
    /// `auto.offset.reset=earliest`: the start of the log, because the group has no valid committed offset.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earliest: Vec<(i32, i64)>,
    /// `auto.offset.reset=latest`: the end of the log, because the group has no valid committed offset.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub latest: Vec<(i32, i64)>,
    /// Partitions about which the broker did not answer in time. `position reset` follows with the first message.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<i32>,
}

impl Beginnings {
    /// Those of `partitions` only.
    #[must_use]
    pub fn of(&self, partitions: &[i32]) -> Self {
        let known = |begin: &[(i32, i64)]| {
            begin.iter().filter(|(partition, _)| partitions.contains(partition)).copied().collect()
        };
        Self {
            committed: known(&self.committed),
            earliest: known(&self.earliest),
            latest: known(&self.latest),
            unknown: self.unknown.iter().filter(|partition| partitions.contains(partition)).copied().collect(),
        }
    }
}

/// `partitions revoked` and `partitions lost`: the sessions of these partitions end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Topic.
    pub topic: String,
    /// Consumer group.
    pub group_id: String,
    /// The partitions that were taken away.
    pub partitions: Vec<i32>,
    /// All partitions that the replica still owns.
    pub owned: Vec<i32>,
    /// The offset that each session would have received next, as pairs of partition and offset. A session is left out if it received
    /// nothing and its beginning is unknown.
    #[serde(default)]
    pub positions: Vec<(i32, i64)>,
    /// `partitions lost`: offsets that were processed and not committed. The next owner receives the messages below them again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_committed: Vec<(i32, i64)>,
}

/// `position reset`: the broker has deleted the messages at the position of a session, or has a shorter log than before; or the
/// session's beginning was unknown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PositionReset {
    /// Topic.
    pub topic: String,
    /// Consumer group.
    pub group_id: String,
    /// Partition.
    pub partition: i32,
    /// The position before. Absent if the beginning of the session was unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<i64>,
    /// The offset of the message that was received instead.
    pub to: i64,
    /// The start of the log: the broker has deleted all messages below it. Absent if it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_start: Option<i64>,
}
