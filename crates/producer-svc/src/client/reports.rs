//! Wakes the loop as soon as librdkafka has something to report.
//!
//! The producer's own `poll` is no way to wait: it spins through the last millisecond of its timeout, and it goes on waiting after it has
//! served an event.

use std::ffi::c_void;
use std::marker::PhantomData;
use std::thread::Thread;
use std::time::Duration;

use rdkafka::bindings::{
    rd_kafka_queue_cb_event_enable, rd_kafka_queue_destroy, rd_kafka_queue_get_main, rd_kafka_queue_length,
    rd_kafka_queue_t, rd_kafka_t,
};
use rdkafka::producer::{BaseProducer, Producer as _, ProducerContext};

/// The queue of delivery reports and other events of a producer, which it borrows, and the thread that serves it.
pub(crate) struct Reports<'p> {
    queue: *mut rd_kafka_queue_t,
    /// Boxed, because librdkafka keeps a pointer to it.
    _thread: Box<Thread>,
    _producer: PhantomData<&'p ()>,
}

/// librdkafka calls this on one of its own threads when the queue was empty and no longer is.
#[expect(unsafe_code, reason = "librdkafka passes a pointer back")]
unsafe extern "C" fn wake(_: *mut rd_kafka_t, thread: *mut c_void) {
    // SAFETY: the pointer is that of `Reports::_thread`, which is freed only after the callback was removed.
    let thread = unsafe { &*thread.cast::<Thread>() };
    thread.unpark();
}

#[expect(unsafe_code, reason = "rdkafka has no safe way to be notified of a producer's events")]
impl<'p> Reports<'p> {
    /// From now on the present thread is woken when `producer` has something to report.
    pub(crate) fn new<C: ProducerContext>(producer: &'p BaseProducer<C>) -> Self {
        let thread = Box::new(std::thread::current());
        let pointer = std::ptr::from_ref::<Thread>(&thread).cast_mut().cast::<c_void>();
        // SAFETY: the client lives as long as the reference. The queue is a counted reference of our own. The callback's pointer stays
        // valid until `drop` removes the callback.
        let queue = unsafe {
            let queue = rd_kafka_queue_get_main(producer.client().native_ptr());
            rd_kafka_queue_cb_event_enable(queue, Some(wake), pointer);
            queue
        };
        Self { queue, _thread: thread, _producer: PhantomData }
    }

    /// How many events are waiting to be served.
    pub(crate) fn waiting(&self) -> usize {
        // SAFETY: the queue is ours until `drop`.
        unsafe { rd_kafka_queue_length(self.queue) }
    }

    /// Waits until an event is waiting, but for at most `timeout`. May return early.
    pub(crate) fn wait(&self, timeout: Duration) {
        // An event that arrives after this check wakes the thread, even if it is not parked yet.
        if self.waiting() == 0 {
            std::thread::park_timeout(timeout);
        }
    }
}

#[expect(unsafe_code, reason = "what `new` acquired is released")]
impl Drop for Reports<'_> {
    fn drop(&mut self) {
        // SAFETY: the first call waits for a callback that is running. The reference to the queue is given up once.
        unsafe {
            rd_kafka_queue_cb_event_enable(self.queue, None, std::ptr::null_mut());
            rd_kafka_queue_destroy(self.queue);
        }
    }
}
