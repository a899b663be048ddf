//! How a replica leaves the group without losing what it processed, and without making the others wait.
//!
//! In order: the replica finishes joining if a rebalance is under way; it commits the stored offsets while it still takes part in the
//! group; then it closes its queue, upon which librdkafka revokes the partitions and leaves. The consumer is polled all the time.
//! Messages that still arrive stay in the inbox and are not processed, so that the next owner receives them. If the broker does not answer,
//! the shutdown deadline ends the attempt and the client is left as it is.

use std::sync::mpsc::TryRecvError;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use rdkafka::consumer::{CommitMode, Consumer as _};
use rdkafka::error::KafkaResult;
use service::Shutdown;
use tracing::{debug, warn};

use crate::replica::Replica;

/// How long one poll may block.
const POLL: Duration = Duration::from_millis(20);
/// Pause before a refused commit is tried again.
const COMMIT_RETRY: Duration = Duration::from_millis(100);
/// Time to serve the events that are still in the closed queue.
const LAST_EVENTS: Duration = Duration::from_millis(100);

impl Replica {
    /// Leaves the group. Returns whether the broker confirmed it before the deadline.
    pub(crate) fn leave_group(&self, shutdown: &Shutdown) -> bool {
        // The other half of the time is left for closing.
        let until = Instant::now() + shutdown.time_left() / 2;
        self.finish_joining(until);
        self.commit_stored(until);
        self.close(shutdown)
    }

    /// Waits until joining is complete and an assignment that is under way has arrived.
    ///
    /// A replica that stops while joining cannot send `LeaveGroup`. The group would count it as a member and wait for it until its
    /// session times out.
    fn finish_joining(&self, until: Instant) {
        let is_joining = || self.consumer.subscription().is_ok_and(|list| list.count() > 0) && !self.has_joined();
        while !self.is_static && self.access.obstacle().is_none() && is_joining() && Instant::now() < until {
            self.poll();
        }
    }

    /// Commits the stored offsets.
    ///
    /// Closing commits them as well, but a consumer that is closing no longer takes part in a rebalance that is under way. Its commit
    /// would wait behind its `JoinGroup` request until the group has continued without it, and would then be refused.
    fn commit_stored(&self, until: Instant) {
        let group = self.consumer.context();
        let has_uncommitted = || group.state().positions.has_uncommitted();
        // After a fatal error librdkafka commits nothing more.
        let can_commit = || self.access.obstacle().is_none() && self.consumer.client().fatal_error().is_none();
        while can_commit() && has_uncommitted() && Instant::now() < until {
            // librdkafka does not report the result of this commit to the context.
            let Some(result) = self.commit_while_polling(until) else { return };
            group.record_commit_of_all(&result);
            if let Err(error) = result {
                debug!(%error, "not committed, trying again");
            }
            group.state().positions.commit_fallen(&self.consumer);
            let retry_at = Instant::now() + COMMIT_RETRY;
            while has_uncommitted() && Instant::now() < retry_at {
                self.poll();
            }
        }
    }

    /// Commits synchronously on a thread of its own while this thread polls, because the answer may not arrive unless the consumer is
    /// polled. Returns `None` if it took too long or no thread could be started.
    fn commit_while_polling(&self, until: Instant) -> Option<KafkaResult<()>> {
        let (sender, outcome) = mpsc::channel();
        let consumer = Arc::clone(&self.consumer);
        // The receiver is gone if the commit took too long.
        let commit = move || drop(sender.send(consumer.commit_consumer_state(CommitMode::Sync)));
        std::thread::Builder::new().spawn(commit).ok()?;
        loop {
            match outcome.try_recv() {
                Ok(result) => return Some(result),
                Err(TryRecvError::Empty) if Instant::now() < until => self.poll(),
                Err(_) => return None,
            }
        }
    }

    /// Serves the next event, if there is one soon.
    fn poll(&self) {
        // With a long deadline, a token can expire before the replica has left.
        self.access.renew_login(self.consumer.client());
        drop(self.consumer.poll(POLL));
    }

    /// Closes the consumer. Returns whether that was completed.
    ///
    /// With `cooperative-sticky`, librdkafka 2.12 sends no `LeaveGroup` when it closes a consumer without partitions, so a rebalance
    /// would wait for this replica until its session times out. `unsubscribe` does send `LeaveGroup`, but with partitions assigned
    /// `close` would race it.
    fn close(&self, shutdown: &Shutdown) -> bool {
        if !self.is_static && self.consumer.context().state().positions.owned().is_empty() {
            self.consumer.unsubscribe();
        }
        if let Err(error) = self.consumer.close_queue() {
            warn!(%error, "could not close the consumer queue");
            return false;
        }
        while !self.consumer.closed() && !shutdown.time_left().is_zero() {
            self.poll();
        }
        let is_closed = self.consumer.closed();
        // The result of the last commit may still be in the queue.
        let is_committed = || self.consumer.context().state().positions.not_committed().is_empty();
        let until = Instant::now() + LAST_EVENTS;
        while is_closed && !is_committed() && Instant::now() < until {
            drop(self.consumer.poll(Duration::from_millis(1)));
        }
        is_closed
    }
}
