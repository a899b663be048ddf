//! The one place that owns where each partition stands: what was processed, what librdkafka was told to commit, and
//! what it did commit.

use std::collections::BTreeMap;
use std::time::Instant;

use journal::NextOffset;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};
use service::Throttle;
use tracing::{debug, warn};

use crate::books::Next;

#[derive(Debug, Default, Clone, Copy)]
struct Position {
    processed: Option<i64>,
    committed: Option<i64>,
}

impl Position {
    fn not_committed(self) -> Option<i64> {
        self.processed.filter(|processed| self.committed.is_none_or(|committed| committed < *processed))
    }
}

/// Positions of the partitions that this replica owns.
///
/// Offset and metadata of a commit travel together, with the periodic, the revoking and the closing commit alike; so
/// whatever is to be kept with an offset is put beside it in [`Positions::store`].
#[derive(Debug)]
pub(crate) struct Positions {
    topic: String,
    owned: BTreeMap<i32, Position>,
    /// Given back, or taken away: kept until the commit that goes with it has succeeded, or the group has gone on.
    former: BTreeMap<i32, Position>,
    /// A commit is tried again with each interval, and refused again.
    refusals: Throttle,
}

impl Positions {
    pub(crate) fn new(topic: &str) -> Self {
        Self { topic: topic.to_owned(), owned: BTreeMap::new(), former: BTreeMap::new(), refusals: Throttle::default() }
    }

    /// The partitions that this replica owns, in order.
    pub(crate) fn owned(&self) -> Vec<i32> {
        self.owned.keys().copied().collect()
    }

    pub(crate) fn assign(&mut self, partitions: &[i32]) {
        self.former.clear();
        self.owned.extend(partitions.iter().map(|partition| (*partition, Position::default())));
    }

    pub(crate) fn revoke(&mut self, partitions: &[i32]) {
        let owned = &mut self.owned;
        self.former.extend(partitions.iter().filter_map(|partition| owned.remove_entry(partition)));
    }

    /// Everything below these offsets is accounted for: librdkafka may commit them.
    pub(crate) fn store<C: ConsumerContext>(&mut self, consumer: &BaseConsumer<C>, next: &[Next]) {
        for (partition, offset) in next {
            // One list each: librdkafka refuses a list whole when one partition in it has gone.
            let mut list = TopicPartitionList::with_capacity(1);
            let stored = list
                .add_partition_offset(&self.topic, *partition, Offset::Offset(*offset))
                .and_then(|()| consumer.store_offsets(&list));
            match stored {
                Ok(()) => {
                    self.owned.entry(*partition).or_default().processed = Some(*offset);
                }
                // Somebody else owns it by now, and will repeat what was not committed.
                Err(error) => debug!(partition, offset, %error, "offset not stored"),
            }
        }
    }

    /// librdkafka committed, or could not; tells whether it did for every partition.
    pub(crate) fn committed(&mut self, result: Result<(), KafkaError>, list: &TopicPartitionList) -> bool {
        let mut failed = Vec::new();
        let mut cause = result.err();
        for element in list.elements() {
            match (element.error(), &cause, element.offset()) {
                (Ok(()), None, Offset::Offset(offset)) => {
                    for positions in [&mut self.owned, &mut self.former] {
                        if let Some(position) = positions.get_mut(&element.partition()) {
                            position.committed = position.committed.max(Some(offset));
                        }
                    }
                }
                (Err(error), _, Offset::Offset(_)) => {
                    failed.push(element.partition());
                    cause.get_or_insert(error);
                }
                (_, Some(_), Offset::Offset(_)) => failed.push(element.partition()),
                _ => {}
            }
        }
        let (Some(error), false) = (cause, failed.is_empty()) else { return true };
        if let Some(untold) = self.refusals.tell("commit", Instant::now()) {
            failed.sort_unstable();
            warn!(partitions = ?failed, %error, untold, "commit failed");
        }
        false
    }

    /// Whether something of an owned partition is not known to be committed.
    pub(crate) fn has_stored(&self) -> bool {
        self.owned.values().any(|position| position.not_committed().is_some())
    }

    /// librdkafka committed everything that is stored of the partitions it owns.
    pub(crate) fn committed_all(&mut self) {
        self.owned.values_mut().for_each(|position| position.committed = position.processed);
    }

    /// What was processed and is not known to be committed.
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
