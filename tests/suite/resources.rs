//! What the tests share: one Kafka, and the processor time of this machine.

use std::ops::Deref;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use anyhow::{Error, Result};

use crate::cluster::Cluster;
use crate::kafka::Kafka;
use crate::secured::listeners::Secured;
use crate::topic::Topic;

/// How many service processes may run at once. With more, two cores are so busy that members miss heartbeats.
const PROCESSES_MAX: usize = 16;

/// The shared Kafka, and how many service processes run.
#[derive(Debug, Default)]
pub(crate) struct Resources {
    kafka: OnceLock<Result<Kafka, String>>,
    secured: OnceLock<Result<Secured, String>>,
    cluster: Mutex<Option<Cluster>>,
    processes: Mutex<usize>,
    freed: Condvar,
}

impl Resources {
    /// The shared Kafka. It starts when the first test asks for it.
    ///
    /// # Errors
    /// The environment names no Kafka, and none can be started.
    pub(crate) fn kafka(&self) -> Result<&Kafka> {
        let kafka = self.kafka.get_or_init(|| Kafka::named_or_new().map_err(|error| format!("{error:#}")));
        kafka.as_ref().map_err(|error| Error::msg(error.clone()))
    }

    /// The broker with TLS. It starts when the first test asks for it.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn secured(&self) -> Result<&Secured> {
        let secured = self.secured.get_or_init(|| Secured::start().map_err(|error| format!("{error:#}")));
        secured.as_ref().map_err(|error| Error::msg(error.clone()))
    }

    /// The cluster of three brokers, for one test at a time. It starts when the first test asks for it, and all its brokers run,
    /// whatever the test before has done to them.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn cluster(&self) -> Result<BorrowedCluster<'_>> {
        let mut cluster = self.cluster.lock().unwrap_or_else(PoisonError::into_inner);
        match &*cluster {
            Some(cluster) => cluster.heal()?,
            None => *cluster = Some(Cluster::start()?),
        }
        Ok(BorrowedCluster(cluster))
    }

    /// Creates a topic on the shared Kafka.
    ///
    /// # Errors
    /// There is no Kafka, or it refuses.
    pub(crate) fn topic(&self, partitions: i32) -> Result<Topic> {
        Topic::create(&self.kafka()?.endpoint(), partitions)
    }

    /// Waits until `processes` more service processes may run.
    pub(crate) fn reserve(&self, processes: usize) -> Slots<'_> {
        assert!(processes <= PROCESSES_MAX, "at most {PROCESSES_MAX} processes may run, but a test wants {processes}");
        let running = self.processes.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.freed.wait_while(running, |running| *running + processes > PROCESSES_MAX);
        *waited.unwrap_or_else(PoisonError::into_inner) += processes;
        Slots { resources: self, processes }
    }
}

/// The cluster of three brokers, while a test uses it.
pub(crate) struct BorrowedCluster<'a>(MutexGuard<'a, Option<Cluster>>);

impl Deref for BorrowedCluster<'_> {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        self.0.as_ref().expect("the cluster was started before it was borrowed")
    }
}

/// The permission to run some processes. Dropping it returns the permission.
#[derive(Debug)]
pub(crate) struct Slots<'a> {
    resources: &'a Resources,
    processes: usize,
}

impl Drop for Slots<'_> {
    fn drop(&mut self) {
        *self.resources.processes.lock().unwrap_or_else(PoisonError::into_inner) -= self.processes;
        self.resources.freed.notify_all();
    }
}
