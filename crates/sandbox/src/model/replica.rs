//! One replica.

use std::time::Instant;

use serde::{Deserialize, Serialize};

/// What a replica's process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ReplicaState {
    /// It has no assignment yet.
    Starting,
    Running,
    /// SIGSTOP.
    Frozen,
    /// SIGTERM was sent.
    Stopping,
    /// It has ended by itself or after SIGTERM.
    Stopped,
    /// A signal has ended it.
    Killed,
    /// It has ended with an error.
    Failed,
}

impl ReplicaState {
    /// Whether the process exists.
    pub(crate) fn is_alive(self) -> bool {
        matches!(self, Self::Starting | Self::Running | Self::Frozen | Self::Stopping)
    }
}

/// `auto.offset.reset`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Reset {
    #[default]
    Earliest,
    Latest,
}

impl Reset {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Earliest => "earliest",
            Self::Latest => "latest",
        }
    }
}

/// The state of one replica.
#[derive(Debug, Serialize)]
pub(crate) struct Replica {
    pub(crate) name: String,
    pub(crate) group: String,
    pub(crate) pid: i32,
    pub(crate) state: ReplicaState,
    pub(crate) reset: Reset,
    pub(crate) owned: Vec<i32>,
    pub(crate) received: u64,
    pub(crate) repeated: u64,
    /// It has not received messages that are five seconds old.
    pub(crate) is_behind: bool,
    /// It has been assigned partitions, or none because there are too few.
    #[serde(skip)]
    pub(crate) has_joined: bool,
    /// Its last line says that it could not commit everything.
    #[serde(skip)]
    pub(crate) has_uncommitted_end: bool,
    #[serde(skip)]
    pub(crate) received_at: Option<Instant>,
    /// Until when it may lose partitions because it was frozen, or the broker was away.
    #[serde(skip)]
    pub(crate) disturbed_until: Option<Instant>,
}

impl Replica {
    pub(crate) fn new(name: &str, group: &str, pid: i32, reset: Reset) -> Self {
        Self {
            name: name.to_owned(),
            group: group.to_owned(),
            pid,
            state: ReplicaState::Starting,
            reset,
            owned: Vec::new(),
            received: 0,
            repeated: 0,
            is_behind: false,
            has_joined: false,
            has_uncommitted_end: false,
            received_at: None,
            disturbed_until: None,
        }
    }

    /// Whether the group may go on without it for a reason that the user has caused.
    pub(crate) fn is_disturbed(&self, now: Instant) -> bool {
        matches!(self.state, ReplicaState::Frozen | ReplicaState::Killed)
            || self.disturbed_until.is_some_and(|until| now < until)
    }
}
