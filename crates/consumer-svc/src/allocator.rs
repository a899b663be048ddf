//! mimalloc, where one thread allocates memory and another frees it.

use libmimalloc_sys::{mi_option_set_default, mi_option_t};

/// The number of mimalloc's option `page_reclaim_on_free`, for which the binding has no name. It may change with mimalloc's version.
const PAGE_RECLAIM_ON_FREE: mi_option_t = 35;
/// A thread may take over pages of memory that another thread has filled.
const ACROSS_THREADS: std::ffi::c_long = 1;

/// Lets the loop's thread take over the memory that it frees. To be called before there is a second thread.
///
/// librdkafka's thread allocates memory for each message, and the loop's thread frees it. By default, mimalloc hands each freed block
/// back to librdkafka's thread at once, and both cores write to the same lines of their caches in turn. With this option the loop's
/// thread takes over a page once few of its blocks are in use, and the page goes back when it is empty. `MIMALLOC_PAGE_RECLAIM_ON_FREE`
/// in the environment has precedence. What it brings is in `docs/performance.md`.
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
        let around = [PAGE_RECLAIM_ON_FREE - 1, PAGE_RECLAIM_ON_FREE + 1, PAGE_RECLAIM_ON_FREE + 2].map(value);
        assert_eq!(around, [10_000, 2, 4], "generic_collect, page_full_retain and page_max_candidates stand around it");
        reclaim_across_threads();
        assert_eq!(value(PAGE_RECLAIM_ON_FREE), ACROSS_THREADS);
    }
}
