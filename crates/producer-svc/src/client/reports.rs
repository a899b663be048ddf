//! Wakes the loop as soon as librdkafka has something to report.
//!
//! The producer's own `poll` is no way to wait: it spins through the last millisecond of its timeout, and it goes on waiting after it has
//! served an event.

use std::marker::PhantomData;
use std::time::Duration;

use rdkafka::bindings::rd_kafka_queue_get_main;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::producer::{BaseProducer, Producer as _, ProducerContext};
use service::NativeQueue;

/// The queue of delivery reports and other events of a producer, which it borrows.
pub(crate) struct Reports<'p> {
    queue: NativeQueue,
    _producer: PhantomData<&'p ()>,
}

impl<'p> Reports<'p> {
    /// From now on the present thread is woken when `producer` has something to report.
    ///
    /// # Errors
    /// librdkafka returns no handle of the queue.
    #[expect(unsafe_code, reason = "rdkafka has no safe way to be notified of a producer's events")]
    pub(crate) fn new<C: ProducerContext>(producer: &'p BaseProducer<C>) -> KafkaResult<Self> {
        // SAFETY: the client outlives the reference, and the handle is a counted reference of our own.
        let queue = unsafe { NativeQueue::new(rd_kafka_queue_get_main(producer.client().native_ptr())) };
        let mut queue = queue.ok_or_else(|| KafkaError::ClientCreation("the producer has no queue".to_owned()))?;
        queue.wake_this_thread();
        Ok(Self { queue, _producer: PhantomData })
    }

    /// How many events are waiting to be served.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.waiting()
    }

    /// Waits until an event is waiting or the thread is woken otherwise, but for at most `timeout`.
    pub(crate) fn wait(&self, timeout: Duration) {
        // An event that arrives after this check wakes the thread, even if it is not parked yet.
        if self.waiting() == 0 {
            std::thread::park_timeout(timeout);
        }
    }
}
