//! How mimalloc treats memory that one thread allocates and another one frees.

use libmimalloc_sys::{mi_option_set_default, mi_option_t};

/// The number of mimalloc's option `page_reclaim_on_free`, for which the binding has no name. It may change with mimalloc's version.
const PAGE_RECLAIM_ON_FREE: mi_option_t = 35;
/// A thread may take over pages of memory that another thread has filled.
const ACROSS_THREADS: std::ffi::c_long = 1;

/// Lets the loop's thread take over the memory that it frees. To be called before there is a second thread.
///
/// librdkafka's thread allocates memory for each message, and the loop's thread frees it. By default, librdkafka's thread may use a freed
/// block again at once, and presumably both cores then write to the same cache lines in turn. With this option the loop's thread takes over
/// a page (64 KiB) as soon as an eighth of it is free, and gives it back when it is empty. `MIMALLOC_PAGE_RECLAIM_ON_FREE` in the
/// environment has precedence. `docs/performance.md` says what it brings.
#[expect(unsafe_code, reason = "the binding has no safe function for options")]
pub(crate) fn reclaim_across_threads() {
    // SAFETY: mimalloc ignores a number without an option, and no other thread exists that could read the option at the same time.
    unsafe { mi_option_set_default(PAGE_RECLAIM_ON_FREE, ACROSS_THREADS) };
}

#[cfg(test)]
mod tests {
    use libmimalloc_sys::mi_option_get;

    use super::*;

    #[test]
    #[expect(unsafe_code, reason = "the binding has no safe function for options")]
    fn the_number_is_that_of_the_option() {
        // SAFETY: reading an option has no precondition.
        let value = |option| unsafe { mi_option_get(option) };
        let defaults = [-1, 0, 1, 2].map(|distance| value(PAGE_RECLAIM_ON_FREE + distance));
        assert_eq!(
            defaults,
            [10_000, 0, 2, 4],
            "it stands between generic_collect and page_full_retain, page_max_candidates"
        );
    }
}
