//! One consumer group: who owns which partition, what was received and committed, and which repeats are permitted.

use super::permits::Permits;

/// The state of one consumer group.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) name: String,
    partitions: Vec<Partition>,
    /// Permitted repeats that could come, so far.
    pub(crate) granted: u64,
    /// Permitted repeats that came.
    pub(crate) permitted: u64,
    /// Repeats that nothing permits.
    pub(crate) not_permitted: u64,
}

#[derive(Debug, Default)]
struct Partition {
    owner: Option<String>,
    committed: Option<i64>,
    permits: Permits,
}

impl Group {
    pub(crate) fn new(name: &str, partitions: usize) -> Self {
        let partitions = (0..partitions).map(|_| Partition::default()).collect();
        Self { name: name.to_owned(), partitions, granted: 0, permitted: 0, not_permitted: 0 }
    }

    fn partition(&self, partition: i32) -> Option<&Partition> {
        self.partitions.get(usize::try_from(partition).ok()?)
    }

    fn partition_mut(&mut self, partition: i32) -> Option<&mut Partition> {
        self.partitions.get_mut(usize::try_from(partition).ok()?)
    }

    pub(crate) fn owner(&self, partition: i32) -> Option<&str> {
        self.partition(partition)?.owner.as_deref()
    }

    pub(crate) fn owners(&self) -> impl Iterator<Item = Option<&str>> {
        self.partitions.iter().map(|partition| partition.owner.as_deref())
    }

    /// Whether each partition has an owner.
    pub(crate) fn is_formed(&self) -> bool {
        self.partitions.iter().all(|partition| partition.owner.is_some())
    }

    pub(crate) fn set_owner(&mut self, partition: i32, replica: &str) {
        if let Some(partition) = self.partition_mut(partition) {
            partition.owner = Some(replica.to_owned());
        }
    }

    pub(crate) fn clear_owner(&mut self, partition: i32) {
        if let Some(partition) = self.partition_mut(partition) {
            partition.owner = None;
        }
    }

    pub(crate) fn owned_by(&self, replica: &str) -> Vec<i32> {
        (0..)
            .zip(&self.partitions)
            .filter(|(_, state)| state.owner.as_deref() == Some(replica))
            .map(|(p, _)| p)
            .collect()
    }

    /// The offset after the last message that the group received.
    pub(crate) fn next(&self, partition: i32) -> i64 {
        self.partition(partition).map_or(0, |state| state.permits.next().max(state.committed.unwrap_or(0)))
    }

    /// The committed offset; 0 if there is none.
    pub(crate) fn committed(&self, partition: i32) -> i64 {
        self.partition(partition).and_then(|partition| partition.committed).unwrap_or(0)
    }

    pub(crate) fn committed_offsets(&self) -> impl Iterator<Item = Option<i64>> {
        self.partitions.iter().map(|partition| partition.committed)
    }

    /// Whether the group has committed an offset in any partition.
    pub(crate) fn has_commits(&self) -> bool {
        self.partitions.iter().any(|partition| partition.committed.is_some())
    }

    /// Whether the replica owns partitions, and the group has committed an offset in each of them.
    pub(crate) fn has_commits_of(&self, replica: &str) -> bool {
        let mut owned = self.partitions.iter().filter(|state| state.owner.as_deref() == Some(replica)).peekable();
        owned.peek().is_some() && owned.all(|state| state.committed.is_some())
    }

    /// Whether everything that was received is committed.
    pub(crate) fn is_committed(&self) -> bool {
        self.partitions.iter().all(|state| state.permits.next() <= state.committed.unwrap_or(0))
    }

    /// Whether the replica owns a partition from which it has received a message that is not committed.
    pub(crate) fn has_uncommitted(&self, replica: &str) -> bool {
        let owned = self.partitions.iter().filter(|state| state.owner.as_deref() == Some(replica));
        owned.into_iter().any(|state| state.permits.next() > state.committed.unwrap_or(0))
    }

    pub(crate) fn commit(&mut self, partition: i32, committed: Option<i64>) {
        if let Some(partition) = self.partition_mut(partition)
            && committed > partition.committed
        {
            partition.committed = committed;
        }
    }

    /// The owner of a partition is gone without a commit.
    pub(crate) fn permit_uncommitted(&mut self, partition: i32) {
        let committed = self.committed(partition);
        let granted = self.partition_mut(partition).map_or(0, |state| state.permits.permit_from(committed));
        self.granted += granted;
    }

    /// Records a receipt, and returns how many of the messages the group had received before.
    pub(crate) fn receive(&mut self, replica: &str, partition: i32, range: [i64; 2], is_disturbed: bool) -> u64 {
        let Some(state) = self.partition_mut(partition) else { return 0 };
        let is_owner = state.owner.as_deref() == Some(replica);
        let repeats = state.permits.receive(range, is_disturbed && !is_owner);
        self.permitted += repeats.permitted;
        self.not_permitted += repeats.not_permitted;
        self.granted = self.granted.max(self.permitted);
        repeats.permitted + repeats.not_permitted
    }
}
