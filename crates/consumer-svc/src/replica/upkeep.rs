//! The regular duties of the loop.

use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer as _;
use service::Failure;

use super::Replica;
use crate::fetching::ReceivedCounts;

/// How long the loop may wait at once while nothing arrives. Messages, events and a request to stop wake it earlier.
const IDLE: Duration = Duration::from_secs(1);
const INTERVAL: Duration = Duration::from_millis(200);

/// What the regular duties remember between two rounds.
pub(super) struct Upkeep {
    done_at: Instant,
    /// Whether something has arrived since the last round. The next one is due soon then, because readiness and metrics may have changed.
    has_news: bool,
    /// How many messages had been received in the last round in which there were new ones, or before the last error of a partition.
    received: u64,
    /// When a message last arrived, or when there was last a reason for none to arrive.
    served_at: Instant,
}

impl Upkeep {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self { done_at: now, has_news: true, received: 0, served_at: now }
    }

    /// Notes that something has arrived.
    pub(super) fn note_news(&mut self) {
        self.has_news = true;
    }

    /// Notes that partitions reported errors after what was `received` so far. Those messages do not show that the errors have passed.
    pub(super) fn note_errors(&mut self, received: &ReceivedCounts) {
        self.received = received.total();
    }

    /// How long the loop may wait for something to arrive.
    pub(super) fn longest_wait(&self) -> Duration {
        if self.has_news { INTERVAL } else { IDLE }
    }
}

impl Replica {
    /// The regular duties, done every [`INTERVAL`] while something arrives.
    pub(super) fn do_upkeep(
        &self,
        upkeep: &mut Upkeep,
        received: &mut ReceivedCounts,
        now: Instant,
    ) -> Result<(), Failure> {
        if now.saturating_duration_since(upkeep.done_at) < INTERVAL {
            return Ok(());
        }
        upkeep.done_at = now;
        upkeep.has_news = false;
        let group = self.consumer.context();
        group.account_and_store(&self.consumer, |books| books.tick(now)).map_err(Failure::Journal)?;
        // Such a commit may have failed, and without another message nothing else would try it again.
        group.state().positions.commit_fallen(&self.consumer);
        let obstacle = self.access.obstacle();
        let is_receiving = received.total() > upkeep.received;
        if is_receiving {
            upkeep.received = received.total();
            self.access.confirm();
            self.metrics.last_message.set_to_now();
        }
        if is_receiving || !group.state().has_waiting || obstacle.is_some() {
            upkeep.served_at = now;
        }
        self.access.check(self.consumer.client(), false)?;
        self.health.tick();
        let is_starved = now.saturating_duration_since(upkeep.served_at) > self.health.stall_limit();
        self.health.set_not_alive(is_starved.then_some("messages are waiting but none arrives"));
        let late = self.metrics.fetching().tick(received, obstacle.is_some(), now);
        self.health.set_not_ready(self.not_ready_reason().or(late.as_deref()));
        Ok(())
    }
}
