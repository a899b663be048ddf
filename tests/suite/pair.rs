//! One producer and some replicas, as the tutorial has them.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rustix::process::Signal;
use testbed::{Process, consumer, producer};

use crate::cluster::{Cluster, DEADLINE};

/// Sends so many messages, 100 each second, and waits until they are acknowledged.
///
/// # Errors
/// The producer does not end with 0.
pub(crate) fn send(cluster: &Cluster, messages: u64) -> Result<Process> {
    let messages = messages.to_string();
    let more = [("PRODUCER_RATE_PER_SEC", "100"), ("PRODUCER_MAX_MESSAGES", messages.as_str())];
    let mut producer = producer(&cluster.variables(), &more);
    ensure!(producer.wait().code() == Some(0), "{}", producer.text());
    Ok(producer)
}

/// Starts so many replicas of a group, `replica-0` and so on.
pub(crate) fn replicas(cluster: &Cluster, group: &str, how_many: usize, more: &[(&str, &str)]) -> Vec<Process> {
    (0..how_many).map(|number| replica(cluster, group, number, more)).collect()
}

/// Starts `replica-<number>` of a group.
pub(crate) fn replica(cluster: &Cluster, group: &str, number: usize, more: &[(&str, &str)]) -> Process {
    let client_id = format!("replica-{number}");
    let more: Vec<_> = more.iter().copied().chain([("KAFKA_CLIENT_ID", client_id.as_str())]).collect();
    consumer(&cluster.variables(), &cluster.group(group), &more)
}

/// Asks all of them to stop at the same time, and waits until they have, in good order.
///
/// # Errors
/// One does not end with 0.
pub(crate) fn stop_all<'a>(replicas: impl IntoIterator<Item = &'a mut Process>) -> Result<()> {
    let replicas: Vec<&mut Process> = replicas.into_iter().collect();
    replicas.iter().for_each(|replica| replica.signal(Signal::TERM));
    for replica in replicas {
        ensure!(replica.wait().code() == Some(0), "{}", replica.text());
    }
    Ok(())
}

/// How many messages they have received in sum.
pub(crate) fn received(replicas: &[Process]) -> u64 {
    replicas.iter().map(Process::received_count).sum()
}

/// The different numbers that they have received one by one.
pub(crate) fn numbers<'a>(replicas: impl IntoIterator<Item = &'a Process>) -> BTreeSet<u64> {
    replicas.into_iter().flat_map(Process::received).collect()
}

/// How many partitions each owns, most first; `None` unless each partition has exactly one owner, by the replicas' logs.
pub(crate) fn shares(replicas: &[Process], partitions: i64) -> Option<Vec<usize>> {
    let owned: Vec<Vec<i64>> = replicas.iter().map(|it| it.owned().unwrap_or_default()).collect();
    shares_of(&owned, partitions)
}

/// As [`shares`], of what each owns.
pub(crate) fn shares_of(owned: &[Vec<i64>], partitions: i64) -> Option<Vec<usize>> {
    let mut all: Vec<i64> = owned.iter().flatten().copied().collect();
    all.sort_unstable();
    let mut shares: Vec<usize> = owned.iter().map(Vec::len).collect();
    shares.sort_unstable_by(|a, b| b.cmp(a));
    (all == (0..partitions).collect::<Vec<_>>()).then_some(shares)
}

/// Waits until each partition has one owner and the replicas own so many each.
///
/// # Errors
/// It does not happen within [`DEADLINE`].
pub(crate) fn wait_for_shares(replicas: &[Process], partitions: i64, expected: &[usize]) -> Result<()> {
    let deadline = Instant::now() + DEADLINE;
    while shares(replicas, partitions).as_deref() != Some(expected) {
        let owned: Vec<_> = replicas.iter().map(Process::owned).collect();
        ensure!(Instant::now() < deadline, "waited in vain for shares of {expected:?}; they own {owned:?}");
        // Not for each line, as a process's own waiting does: under load there are a thousand a second.
        std::thread::park_timeout(Duration::from_millis(100));
    }
    Ok(())
}
