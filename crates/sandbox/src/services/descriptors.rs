//! Keeps the broker's sockets out of the services.
//!
//! librdkafka's mock cluster opens its sockets without close-on-exec. A service would inherit those that are open when it starts, and as long
//! as it lives, they would stay open: when the broker goes away, the services that were connected before would not notice.

use std::os::fd::{BorrowedFd, RawFd};

use rustix::io::{FdFlags, fcntl_setfd};

const STANDARD_ERROR: RawFd = 2;

/// Marks all open descriptors but the standard ones, so that a process that is started from now on does not inherit them.
pub(super) fn close_on_exec() {
    // Both Linux and macOS list the descriptors here. Where it is missing, the services inherit the sockets.
    let Ok(descriptors) = std::fs::read_dir("/dev/fd") else { return };
    let open = descriptors.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<RawFd>().ok());
    for descriptor in open.collect::<Vec<_>>() {
        if descriptor > STANDARD_ERROR {
            mark(descriptor);
        }
    }
}

#[expect(unsafe_code, reason = "the standard library borrows a descriptor by its number only in this way")]
fn mark(descriptor: RawFd) {
    // SAFETY: The borrow ends with this call and only sets a flag. If the broker's thread has closed the descriptor since it was listed, the
    // call fails, or marks another one that this process has opened meanwhile, which is as well.
    let descriptor = unsafe { BorrowedFd::borrow_raw(descriptor) };
    fcntl_setfd(descriptor, FdFlags::CLOEXEC).ok();
}
