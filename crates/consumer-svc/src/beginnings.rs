//! Finds out at which offset each new session begins, and why.
//!
//! librdkafka would find a position itself, without saying which. The audit needs the exact offset: an acknowledged message below it was
//! never owed to the session. So the replica asks the broker, and assigns the partitions with explicit offsets.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use journal::Beginnings;
use kafka_config::AutoOffsetReset;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::KafkaResult;
use rdkafka::{Offset, TopicPartitionList};
use tracing::debug;

/// The longest time that all questions together may take. The loop waits for the answers.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Between two attempts to learn the committed offsets.
const RETRY: Duration = Duration::from_millis(100);

/// What the broker answered for each partition: an offset, or that there is none. A partition without an answer is absent.
type Answers = BTreeMap<i32, Option<i64>>;

/// Where sessions begin.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The offsets from which the partitions are to be read.
    pub(crate) begin: Beginnings,
    /// The partitions of which the broker has deleted what the group would have read next.
    pub(crate) expired: Vec<Expired>,
}

/// A committed offset that is below the start of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Expired {
    pub(crate) partition: i32,
    pub(crate) committed: i64,
    pub(crate) log_start: i64,
    /// Where the session begins instead.
    pub(crate) to: i64,
}

impl Found {
    /// The beginnings as the log states them: a session begins where the group had come to, and may be reset from there at once.
    pub(crate) fn as_logged(&self) -> Beginnings {
        let mut logged = self.begin.clone();
        for Expired { partition, committed, .. } in &self.expired {
            for reset in [&mut logged.earliest, &mut logged.latest] {
                reset.retain(|(other, _)| other != partition);
            }
            logged.committed.push((*partition, *committed));
        }
        logged
    }
}

/// Asks the broker where sessions of these partitions begin: at the committed offset, or according to `reset` if there is none or
/// if the broker has already deleted the message at it.
///
/// A committed offset beyond the end of the log counts as valid here. Only the leader can tell it from an offset that it has not
/// replicated yet, and it does so in its answer to the first fetch.
pub(crate) fn find<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partitions: &[i32],
    reset: AutoOffsetReset,
) -> Found {
    if partitions.is_empty() {
        return Found::default();
    }
    let asked_at = Instant::now();
    let deadline = asked_at + TIMEOUT;
    let time_left = || deadline.saturating_duration_since(Instant::now());
    let committed = committed(consumer, topic, partitions, asked_at + TIMEOUT / 2);
    // In a request for offsets by time, the logical offsets stand for the start and the end of the log.
    let offsets_at = |partitions: &[i32], limit| {
        answers(list(topic, partitions, limit).and_then(|list| consumer.offsets_for_times(list, time_left())))
    };
    let start = offsets_at(partitions, Offset::Beginning);
    let found = decide(partitions, &committed, &start, reset, |partitions| offsets_at(partitions, Offset::End));
    debug!(partitions = partitions.len(), elapsed_ms = asked_at.elapsed().as_millis() as u64, "beginnings found");
    found
}

/// Where sessions of these partitions begin, given the committed offsets, the starts of the logs, and, asked for only if it matters, their
/// ends.
fn decide(
    partitions: &[i32],
    committed: &Answers,
    start: &Answers,
    reset: AutoOffsetReset,
    end_of: impl FnOnce(&[i32]) -> Answers,
) -> Found {
    let start_of = |partition: i32| start.get(&partition).copied().flatten();
    let mut begin = Beginnings::default();
    let mut to_reset = Vec::new();
    let mut deleted = BTreeMap::new();
    for partition in partitions.iter().copied() {
        match committed.get(&partition) {
            Some(Some(offset)) if start_of(partition).is_none_or(|start| start <= *offset) => {
                begin.committed.push((partition, *offset));
            }
            Some(known) => {
                to_reset.push(partition);
                deleted.extend(known.map(|committed| (partition, committed)));
            }
            None => begin.unknown.push(partition),
        }
    }
    let (offsets, resets) = match reset {
        AutoOffsetReset::Earliest => (start.clone(), &mut begin.earliest),
        AutoOffsetReset::Latest if !to_reset.is_empty() => (end_of(&to_reset), &mut begin.latest),
        // librdkafka reports the error itself, once the partitions are assigned without an offset.
        AutoOffsetReset::Latest | AutoOffsetReset::Error => (Answers::new(), &mut begin.latest),
    };
    let mut expired = Vec::new();
    for partition in to_reset {
        let Some(to) = offsets.get(&partition).copied().flatten() else {
            begin.unknown.push(partition);
            continue;
        };
        resets.push((partition, to));
        if let (Some(committed), Some(log_start)) = (deleted.get(&partition).copied(), start_of(partition)) {
            expired.push(Expired { partition, committed, log_start, to });
        }
    }
    Found { begin, expired }
}

/// Asks for the committed offsets until there is an answer for each partition, or until the time is over. A coordinator that has just moved
/// refuses at first. librdkafka, which has to find the offset if it is unknown, would ask once only (librdkafka#5586).
fn committed<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partitions: &[i32],
    until: Instant,
) -> Answers {
    loop {
        let time_left = until.saturating_duration_since(Instant::now());
        let asked = list(topic, partitions, Offset::Invalid);
        let answers = answers(asked.and_then(|list| consumer.committed_offsets(list, time_left)));
        if answers.len() == partitions.len() || Instant::now() + RETRY >= until {
            return answers;
        }
        // Ends early if something has arrived, which the loop looks for by itself.
        std::thread::park_timeout(RETRY);
    }
}

/// The partitions with the offsets at which to begin. Those whose beginning is unknown have none, so that librdkafka decides.
///
/// # Errors
/// librdkafka refuses an offset.
pub(crate) fn assignment(topic: &str, begin: &Beginnings) -> KafkaResult<TopicPartitionList> {
    let mut list = list(topic, &begin.unknown, Offset::Invalid)?;
    for (partition, offset) in begin.committed.iter().chain(&begin.earliest).chain(&begin.latest) {
        list.add_partition_offset(topic, *partition, Offset::Offset(*offset))?;
    }
    Ok(list)
}

fn list(topic: &str, partitions: &[i32], offset: Offset) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for partition in partitions {
        list.add_partition_offset(topic, *partition, offset)?;
    }
    Ok(list)
}

fn answers(result: KafkaResult<TopicPartitionList>) -> Answers {
    let list = match result {
        Ok(list) => list,
        Err(error) => {
            debug!(%error, "offsets not learnt");
            return Answers::new();
        }
    };
    let elements = list.elements();
    let answered = elements.iter().filter(|element| element.error().is_ok());
    answered.map(|element| (element.partition(), element.offset().to_raw().filter(|offset| *offset >= 0))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Partition 0 has a committed offset, that of 1 is below the start of the log, 2 has none, and nobody has answered for 3.
    fn decide_for_four(reset: AutoOffsetReset) -> Found {
        let committed = Answers::from([(0, Some(7)), (1, Some(50)), (2, None)]);
        let start = Answers::from([(0, Some(7)), (1, Some(100)), (2, Some(0)), (3, Some(0))]);
        decide(&[0, 1, 2, 3], &committed, &start, reset, |asked| {
            assert_eq!(asked, [1, 2], "the ends of other partitions do not matter");
            Answers::from([(1, Some(200)), (2, Some(30))])
        })
    }

    #[test]
    fn a_session_begins_at_the_committed_offset_and_is_reset_where_there_is_none_or_it_was_deleted() {
        let known = Beginnings { committed: vec![(0, 7)], unknown: vec![3], ..Beginnings::default() };
        let expired = |to| vec![Expired { partition: 1, committed: 50, log_start: 100, to }];
        let earliest = decide_for_four(AutoOffsetReset::Earliest);
        assert_eq!(earliest.begin, Beginnings { earliest: vec![(1, 100), (2, 0)], ..known.clone() });
        assert_eq!(earliest.expired, expired(100));
        let latest = decide_for_four(AutoOffsetReset::Latest);
        assert_eq!(latest.begin, Beginnings { latest: vec![(1, 200), (2, 30)], ..known.clone() });
        assert_eq!(latest.expired, expired(200));
        let error = decide_for_four(AutoOffsetReset::Error);
        assert_eq!(error.begin, Beginnings { unknown: vec![3, 1, 2], ..known });
        assert!(error.expired.is_empty());
    }

    #[test]
    fn without_answers_librdkafka_decides_and_a_committed_offset_counts_although_the_start_is_not_known() {
        let nothing = Answers::new();
        for reset in [AutoOffsetReset::Earliest, AutoOffsetReset::Latest, AutoOffsetReset::Error] {
            let found = decide(&[0, 1], &Answers::from([(0, Some(7))]), &nothing, reset, |_| Answers::new());
            let expected = Beginnings { committed: vec![(0, 7)], unknown: vec![1], ..Beginnings::default() };
            assert_eq!((found.begin, found.expired), (expected, Vec::new()));
        }
        // The end of the log is not known either.
        let none = Answers::from([(0, None)]);
        let found = decide(&[0], &none, &nothing, AutoOffsetReset::Latest, |_| Answers::new());
        assert_eq!(found.begin, Beginnings { unknown: vec![0], ..Beginnings::default() });
    }

    #[test]
    fn a_session_whose_committed_offset_was_deleted_begins_there_in_the_log() {
        let begin = Beginnings { committed: vec![(0, 7)], earliest: vec![(1, 0), (2, 100)], ..Beginnings::default() };
        let expired = Expired { partition: 2, committed: 50, log_start: 100, to: 100 };
        let found = Found { begin, expired: vec![expired] };
        let logged = Beginnings { committed: vec![(0, 7), (2, 50)], earliest: vec![(1, 0)], ..Beginnings::default() };
        assert_eq!(found.as_logged(), logged);
    }
}
