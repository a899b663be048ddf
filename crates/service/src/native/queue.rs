//! A queue of librdkafka that wakes the thread of the loop.
//!
//! librdkafka has no function that waits for several queues, and the one that waits for all events of a producer spins through the last
//! millisecond. A thread that waits by [`std::thread::park_timeout`] can be woken by any number of queues, and by whoever asks it to stop.

use std::ffi::c_void;
use std::fmt;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::thread::Thread;

use rdkafka::bindings::{
    rd_kafka_queue_cb_event_enable, rd_kafka_queue_destroy, rd_kafka_queue_length, rd_kafka_queue_t, rd_kafka_t,
};

/// A handle of one of librdkafka's queues, which is given back when it is dropped. A queue that `rd_kafka_queue_new` made ends with it.
pub struct NativeQueue {
    queue: NonNull<rd_kafka_queue_t>,
    /// The thread that is woken. librdkafka keeps a pointer into the `Arc`, which may be moved while such a pointer exists.
    thread: Option<Arc<Thread>>,
}

// SAFETY: librdkafka guards its queues by locks, and lets any thread use them.
#[expect(unsafe_code, reason = "librdkafka's queues are thread-safe")]
unsafe impl Send for NativeQueue {}
// SAFETY: as above.
#[expect(unsafe_code, reason = "librdkafka's queues are thread-safe")]
unsafe impl Sync for NativeQueue {}

impl fmt::Debug for NativeQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NativeQueue").finish_non_exhaustive()
    }
}

/// librdkafka calls this on one of its own threads when the queue was empty and no longer is, holding the lock of the queue.
#[expect(unsafe_code, reason = "called from C")]
unsafe extern "C" fn wake(_: *mut rd_kafka_t, thread: *mut c_void) {
    // SAFETY: the pointer is that of `NativeQueue::thread`, which is freed only after librdkafka has forgotten it.
    unsafe { &*thread.cast_const().cast::<Thread>() }.unpark();
}

#[expect(unsafe_code, reason = "rdkafka has no safe type for a queue")]
impl NativeQueue {
    /// Takes over a handle; `None` if it is null.
    ///
    /// # Safety
    /// The handle is null, or it is valid and nothing else gives it back. Its client exists for as long as the value does.
    #[must_use]
    pub unsafe fn new(handle: *mut rd_kafka_queue_t) -> Option<Self> {
        NonNull::new(handle).map(|queue| Self { queue, thread: None })
    }

    /// From now on, the present thread is woken whenever the queue was empty and no longer is.
    pub fn wake_this_thread(&mut self) {
        let thread = Arc::new(std::thread::current());
        let pointer = Arc::as_ptr(&thread).cast_mut().cast();
        // SAFETY: the queue is valid. The thread's handle lives until `drop`, or the next call of this function, has replaced the pointer.
        unsafe { rd_kafka_queue_cb_event_enable(self.as_ptr(), Some(wake), pointer) };
        self.thread = Some(thread);
    }

    /// How many entries wait in the queue.
    #[must_use]
    pub fn waiting(&self) -> usize {
        // SAFETY: the queue is valid until `drop`.
        unsafe { rd_kafka_queue_length(self.as_ptr()) }
    }

    /// The handle, for calls of librdkafka. It is valid for as long as this value exists.
    #[must_use]
    pub fn as_ptr(&self) -> *mut rd_kafka_queue_t {
        self.queue.as_ptr()
    }
}

#[expect(unsafe_code, reason = "what `new` took over is given back")]
impl Drop for NativeQueue {
    fn drop(&mut self) {
        // SAFETY: the handle is valid and is not used any more. librdkafka calls `wake` under the queue's lock, which the first call
        // takes, so no call of it is under way or follows once this one has returned.
        unsafe {
            if self.thread.is_some() {
                rd_kafka_queue_cb_event_enable(self.as_ptr(), None, ptr::null_mut());
            }
            rd_kafka_queue_destroy(self.as_ptr());
        }
    }
}
