//! What the tests share: a Kafka, and the machine.

use std::sync::{Condvar, Mutex, OnceLock, PoisonError};

use anyhow::{Error, Result};

use crate::cluster::Cluster;
use crate::kafka::Kafka;

/// So many service processes at once are what two cores bear without missing heartbeats.
const PROCESSES: usize = 16;

/// The Kafka that the tests share, and how busy the machine is.
#[derive(Debug, Default)]
pub(crate) struct Stage {
    kafka: OnceLock<Result<Kafka, String>>,
    processes: Mutex<usize>,
    freed: Condvar,
}

impl Stage {
    /// The shared Kafka. It starts when the first test asks for it.
    ///
    /// # Errors
    /// There is none, and none can be started.
    pub(crate) fn kafka(&self) -> Result<&Kafka> {
        let kafka = self.kafka.get_or_init(|| Kafka::named_or_new().map_err(|error| format!("{error:#}")));
        kafka.as_ref().map_err(|error| Error::msg(error.clone()))
    }

    /// A new topic on it.
    ///
    /// # Errors
    /// There is no Kafka, or it refuses.
    pub(crate) fn topic(&self, partitions: i32) -> Result<Cluster> {
        Cluster::with_topic(&self.kafka()?.entrance(), partitions)
    }

    /// Waits until the machine has room for so many processes more.
    pub(crate) fn room(&self, processes: usize) -> Room<'_> {
        assert!(processes <= PROCESSES, "there will never be room for {processes} processes");
        let busy = self.processes.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.freed.wait_while(busy, |busy| *busy + processes > PROCESSES);
        *waited.unwrap_or_else(PoisonError::into_inner) += processes;
        Room { stage: self, processes }
    }
}

/// Room for some processes, until it is dropped.
#[derive(Debug)]
pub(crate) struct Room<'a> {
    stage: &'a Stage,
    processes: usize,
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        *self.stage.processes.lock().unwrap_or_else(PoisonError::into_inner) -= self.processes;
        self.stage.freed.notify_all();
    }
}
