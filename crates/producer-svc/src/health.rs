//! Whether messages are acknowledged, partition by partition: the reason for `/readyz`, and what the log says about it.

use std::time::Instant;

use service::{Access, Complaint, Health};
use tracing::{info, warn};

use crate::books::Books;

/// What the regular duties remember about the health of the delivery.
#[derive(Debug, Default)]
pub(crate) struct DeliveryHealth {
    complaint: Complaint,
}

impl DeliveryHealth {
    /// Whether partitions were late at the last [`check`](Self::check).
    pub(crate) fn is_late(&self) -> bool {
        self.complaint.is_open()
    }

    /// Reports the health of the topic's first `count` partitions.
    ///
    /// librdkafka reports nothing and keeps trying while a broker accepts connections without answering, while too few replicas are in
    /// sync, and while a partition has no leader.
    pub(crate) fn check(&mut self, books: &Books, count: usize, access: &Access, health: &Health, now: Instant) {
        let late = books.late(count);
        let obstacle = access.obstacle();
        let reason = late.as_ref().map(|(_, named)| format!("messages are not acknowledged: {named}"));
        health.set_not_ready(obstacle.or(reason.as_deref()));
        match late {
            Some((late, partitions)) => {
                // What keeps the client from all brokers is logged elsewhere.
                if self.complaint.note(now, obstacle.is_none()) {
                    let next_step =
                        "check whether the brokers named are frozen or down, and whether enough replicas are in sync";
                    let (late, waited_s) = (late.partitions.len(), late.waited.as_secs());
                    let outstanding = books.outstanding();
                    warn!(late, partitions, waited_s, outstanding, next_step, "messages are not acknowledged");
                }
            }
            None => {
                if let Some(lasted) = self.complaint.end(now) {
                    info!(lasted_s = lasted.as_secs(), "messages are acknowledged again");
                }
            }
        }
    }
}
