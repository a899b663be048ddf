//! The regular duties of the loop.

use std::time::{Duration, Instant};

use rdkafka::producer::Producer as _;
use service::Failure;

use super::Sender;
use crate::health::DeliveryHealth;
use crate::partitions::Partitions;
use crate::partitions::stalled::Changes;

const INTERVAL: Duration = Duration::from_millis(200);
const METADATA_INTERVAL: Duration = Duration::from_secs(30);

/// What the regular duties remember between two rounds.
pub(super) struct Upkeep {
    done_at: Instant,
    acknowledged: u64,
    delivery: DeliveryHealth,
    /// How many errors librdkafka had reported.
    errors: u64,
    /// When the partitions were last refreshed.
    metadata_at: Instant,
    is_metadata_requested: bool,
}

impl Upkeep {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            done_at: now,
            acknowledged: 0,
            delivery: DeliveryHealth::default(),
            errors: 0,
            metadata_at: now,
            is_metadata_requested: false,
        }
    }

    /// Asks for the number of partitions in the next round.
    pub(super) fn request_metadata(&mut self) {
        self.is_metadata_requested = true;
    }
}

impl Sender<'_> {
    /// The regular duties, done every [`INTERVAL`] whatever the rate. The number of partitions is refreshed only if `partitions` is given.
    pub(super) fn do_upkeep(
        &mut self,
        upkeep: &mut Upkeep,
        partitions: Option<&mut Partitions>,
        now: Instant,
    ) -> Result<(), Failure> {
        self.check_stalled(upkeep, now);
        if now.saturating_duration_since(upkeep.done_at) < INTERVAL {
            return Ok(());
        }
        upkeep.done_at = now;
        let (acknowledged, outstanding) = {
            let mut books = self.producer.context().books();
            books.tick(now);
            if let Some(error) = books.take_write_error() {
                return Err(Failure::Journal(error));
            }
            (books.acknowledged(), books.outstanding())
        };
        let is_delivering = acknowledged > upkeep.acknowledged;
        if is_delivering {
            upkeep.acknowledged = acknowledged;
            self.producer.context().books().note_acknowledgement();
            self.access.confirm();
        }
        // The outcomes of outstanding messages tell whether the broker is back, and a probe would only delay messages that are due. Once there
        // has been no outcome for long, a probe is made all the same: it tells a cluster that is down from one that answers and does not
        // acknowledge, because too few copies are in sync.
        let awaits_outcomes = outstanding > 0 && (is_delivering || !upkeep.delivery.is_late());
        self.access.check(self.producer.client(), awaits_outcomes)?;
        self.health.tick();
        let count = partitions.as_ref().map_or(usize::MAX, |partitions| partitions.count());
        upkeep.delivery.check(&self.producer.context().books(), count, &self.access, &self.health, now);
        // A probe blocks, so none is made while nothing is delivered: an absent broker is probed by `check`, at its own interval. Nor while a
        // partition is stalled: the probe may go to the very broker that does not answer.
        let is_due = now.saturating_duration_since(upkeep.metadata_at) >= METADATA_INTERVAL;
        let is_convenient = is_delivering && !self.stalled.is_any();
        if let Some(partitions) = partitions
            && (upkeep.is_metadata_requested || is_due && is_convenient)
        {
            upkeep.is_metadata_requested = false;
            upkeep.metadata_at = now;
            if let Some(count) = self.access.count_partitions(self.producer.client()) {
                partitions.resize(count);
                self.producer.context().books().resize(count);
            }
        }
        Ok(())
    }

    /// Pauses and resumes stalled partitions.
    fn check_stalled(&mut self, upkeep: &mut Upkeep, now: Instant) {
        if !self.stalled.is_due(now) {
            return;
        }
        let delivery = self.producer.context();
        let mut changes = Changes::default();
        let errors = delivery.errors();
        if errors > upkeep.errors {
            upkeep.errors = errors;
            changes.resume = self.stalled.take(now);
        } else {
            changes = self.stalled.check(delivery.books().backlog.partitions(), now);
        }
        if !changes.pause.is_empty() {
            self.topic.pause(&changes.pause);
        }
        if !changes.resume.is_empty() {
            self.topic.resume(&changes.resume);
            // Wakes the threads of connected brokers, which otherwise look within a second. The result says only that messages are left.
            self.producer.flush(Duration::ZERO).unwrap_or_default();
        }
    }
}
