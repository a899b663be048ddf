//! A message in librdkafka's memory.

use std::ffi::{CStr, c_void};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};

use rdkafka::bindings::{
    rd_kafka_header_get_last, rd_kafka_message_headers, rd_kafka_message_t, rd_kafka_message_timestamp,
    rd_kafka_resp_err_t, rd_kafka_timestamp_type_t, rd_kafka_topic_name,
};
use rdkafka::message::BorrowedMessage;

/// A message in librdkafka's memory, whichever of librdkafka's functions returned it. `'m` is how long librdkafka keeps it.
///
/// The type of the crate `rdkafka`, [`BorrowedMessage`], can only be made from an event, which costs an allocation for each message.
#[derive(Debug, Clone, Copy)]
pub struct NativeMessage<'m> {
    message: NonNull<rd_kafka_message_t>,
    lifetime: PhantomData<&'m rd_kafka_message_t>,
}

impl<'m> From<&'m BorrowedMessage<'_>> for NativeMessage<'m> {
    #[expect(unsafe_code, reason = "the pointer comes from librdkafka")]
    fn from(message: &'m BorrowedMessage<'_>) -> Self {
        // SAFETY: rdkafka keeps the message until the borrowed value is dropped, and never makes one from a null pointer.
        unsafe { Self::from_ptr(NonNull::new_unchecked(message.ptr())) }
    }
}

impl<'m> NativeMessage<'m> {
    /// Wraps a message that librdkafka passed to the application.
    ///
    /// # Safety
    /// librdkafka made the message, and neither changes nor frees it during `'m`.
    #[expect(unsafe_code, reason = "only the caller knows where the pointer comes from")]
    #[must_use]
    pub unsafe fn from_ptr(message: NonNull<rd_kafka_message_t>) -> Self {
        Self { message, lifetime: PhantomData }
    }

    #[expect(unsafe_code, reason = "reads what a raw pointer refers to")]
    fn fields(self) -> &'m rd_kafka_message_t {
        // SAFETY: by the contract of `from_ptr`, the message exists and is not changed during 'm.
        unsafe { self.message.as_ref() }
    }

    /// What librdkafka reports instead of a message, if this is not a message. The value is then librdkafka's text.
    #[must_use]
    pub fn error(self) -> Option<rd_kafka_resp_err_t> {
        let error = self.fields().err;
        (error != rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR).then_some(error)
    }

    /// The topic; empty if its name is not UTF-8, which brokers do not permit.
    #[expect(unsafe_code, reason = "the name is a C string")]
    #[must_use]
    pub fn topic(self) -> &'m str {
        let topic = self.fields().rkt;
        if topic.is_null() {
            return "";
        }
        // SAFETY: the message holds a reference to its topic, whose name is a C string that never changes.
        unsafe { CStr::from_ptr(rd_kafka_topic_name(topic)) }.to_str().unwrap_or_default()
    }

    /// The partition.
    #[must_use]
    pub fn partition(self) -> i32 {
        self.fields().partition
    }

    /// The offset.
    #[must_use]
    pub fn offset(self) -> i64 {
        self.fields().offset
    }

    /// The key, if there is one.
    #[expect(unsafe_code, reason = "librdkafka describes bytes by pointer and length")]
    #[must_use]
    pub fn key(self) -> Option<&'m [u8]> {
        // SAFETY: librdkafka set both for this message.
        unsafe { self.bytes(self.fields().key, self.fields().key_len) }
    }

    /// The value; `None` is a tombstone.
    #[expect(unsafe_code, reason = "librdkafka describes bytes by pointer and length")]
    #[must_use]
    pub fn value(self) -> Option<&'m [u8]> {
        // SAFETY: librdkafka set both for this message.
        unsafe { self.bytes(self.fields().payload, self.fields().len) }
    }

    /// When the record was created, in milliseconds since 1970. `None` if the broker replaced that time by its own.
    #[expect(unsafe_code, reason = "librdkafka has a function for it")]
    #[must_use]
    pub fn created_ms(self) -> Option<u64> {
        let mut kind = rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: by the contract of `from_ptr`, the message exists. The call only reads it, and writes to `kind`.
        let millis = unsafe { rd_kafka_message_timestamp(self.message.as_ptr(), &raw mut kind) };
        let is_created = kind == rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_CREATE_TIME;
        u64::try_from(millis).ok().filter(|_| is_created)
    }

    /// The last header with this name, if its value is UTF-8.
    ///
    /// rdkafka's safe interface iterates over all headers and panics if the name of any of them, which another producer may have
    /// written, is not UTF-8.
    #[expect(unsafe_code, reason = "rdkafka has no safe way to look up a header by name")]
    #[must_use]
    pub fn header(self, name: &CStr) -> Option<&'m str> {
        let (mut headers, mut value, mut size) = (ptr::null_mut(), ptr::null(), 0);
        // SAFETY: the message, its headers and their values live for 'm. Both calls write only to the variables passed to them, apart
        // from the parsed headers that librdkafka keeps with the message, and the second call is made only if the first one found headers.
        let value = unsafe {
            let none = rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;
            if rd_kafka_message_headers(self.message.as_ptr(), &raw mut headers) != none
                || rd_kafka_header_get_last(headers, name.as_ptr(), &raw mut value, &raw mut size) != none
            {
                return None;
            }
            self.bytes(value, size)?
        };
        std::str::from_utf8(value).ok()
    }

    /// Bytes that belong to the message; `None` if there are none.
    ///
    /// # Safety
    /// librdkafka described bytes of this message by `start` and `length`.
    #[expect(unsafe_code, reason = "librdkafka describes bytes by pointer and length")]
    unsafe fn bytes(self, start: *const c_void, length: usize) -> Option<&'m [u8]> {
        // SAFETY: by the contract, the bytes live as long as the message does.
        (!start.is_null()).then(|| unsafe { std::slice::from_raw_parts(start.cast::<u8>(), length) })
    }
}
