//! Starts and stops producers and replicas, and reads their logs.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use journal::{Entry, Line};
use rustix::process::Signal;
use testbed::{Process, consumer, producer};

use crate::topic::{DEADLINE, Topic};

/// Sends `messages` messages at 100 a second, and waits until they are acknowledged.
///
/// # Errors
/// The producer ends with an exit code other than 0, or an acknowledgement has no offset: the broker took the message for one that it
/// had already.
pub(crate) fn send(topic: &Topic, messages: u64) -> Result<Process> {
    let messages = messages.to_string();
    let more = [("PRODUCER_RATE_PER_SEC", "100"), ("PRODUCER_MAX_MESSAGES", messages.as_str())];
    let mut producer = producer(&topic.variables(), &more);
    let code = producer.wait().code();
    ensure!(code == Some(0), "exit code {code:?}: {}", producer.text());
    let has_offset = |line: &Line| !matches!(&line.entry, Entry::Delivered(delivered) if delivered.offset < 0);
    ensure!(producer.lines().iter().all(has_offset), "acknowledged without an offset:\n{}", producer.text());
    Ok(producer)
}

/// Starts `count` replicas of a group, with the client ids `replica-0`, `replica-1` and so on.
pub(crate) fn replicas(topic: &Topic, group: &str, count: usize, more: &[(&str, &str)]) -> Vec<Process> {
    (0..count).map(|number| replica(topic, group, number, more)).collect()
}

/// Starts a replica of a group with the client id `replica-<number>`.
pub(crate) fn replica(topic: &Topic, group: &str, number: usize, more: &[(&str, &str)]) -> Process {
    let client_id = format!("replica-{number}");
    let more: Vec<_> = more.iter().copied().chain([("KAFKA_CLIENT_ID", client_id.as_str())]).collect();
    consumer(&topic.variables(), &topic.group(group), &more)
}

/// Sends SIGTERM to all these processes at the same time, and waits for them to end.
///
/// # Errors
/// A process ends with an exit code other than 0.
pub(crate) fn stop_all<'a>(processes: impl IntoIterator<Item = &'a mut Process>) -> Result<()> {
    let processes: Vec<&mut Process> = processes.into_iter().collect();
    processes.iter().for_each(|process| process.signal(Signal::TERM));
    for process in processes {
        let code = process.wait().code();
        ensure!(code == Some(0), "exit code {code:?}: {}", process.text());
    }
    Ok(())
}

/// The total number of messages that the replicas have received.
pub(crate) fn received(replicas: &[Process]) -> u64 {
    replicas.iter().map(Process::received_count).sum()
}

/// The numbers of the messages that the replicas have received, without repeats. Summaries do not contain numbers.
pub(crate) fn numbers<'a>(replicas: impl IntoIterator<Item = &'a Process>) -> BTreeSet<u64> {
    replicas.into_iter().flat_map(Process::received).collect()
}

/// How many partitions each replica owns according to its log, most first; `None` unless each partition has exactly one owner.
pub(crate) fn shares(replicas: &[Process], partitions: i64) -> Option<Vec<usize>> {
    let owned: Vec<Vec<i64>> = replicas.iter().map(|replica| replica.owned().unwrap_or_default()).collect();
    shares_of(&owned, partitions)
}

/// Like [`shares`], from the partitions that each replica owns.
pub(crate) fn shares_of(owned: &[Vec<i64>], partitions: i64) -> Option<Vec<usize>> {
    let mut all: Vec<i64> = owned.iter().flatten().copied().collect();
    all.sort_unstable();
    let mut shares: Vec<usize> = owned.iter().map(Vec::len).collect();
    shares.sort_unstable_by(|a, b| b.cmp(a));
    (all == (0..partitions).collect::<Vec<_>>()).then_some(shares)
}

/// Waits until each partition has one owner and the replicas own `expected` partitions each, most first.
///
/// # Errors
/// That is not so within [`DEADLINE`].
pub(crate) fn wait_for_shares(replicas: &[Process], partitions: i64, expected: &[usize]) -> Result<()> {
    let deadline = Instant::now() + DEADLINE;
    while shares(replicas, partitions).as_deref() != Some(expected) {
        let owned: Vec<_> = replicas.iter().map(Process::owned).collect();
        ensure!(Instant::now() < deadline, "waited in vain for shares of {expected:?}; the replicas own {owned:?}");
        // `Process::wait_until` would check at every new line, which under load means a thousand times a second.
        std::thread::park_timeout(Duration::from_millis(100));
    }
    Ok(())
}
