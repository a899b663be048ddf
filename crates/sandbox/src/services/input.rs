//! Standard input of a service that the sandbox has started: the sandbox holds its other end.

use std::io::BufRead as _;

/// Passes the lines of standard input to `handle`, and completes at its end, if it `is_watched`; never completes otherwise.
///
/// When the sandbox dies, however that happens, its services come to the end of their input and stop. A service started by hand does not
/// watch its input, which may be `/dev/null` or a terminal that it must not read from.
pub(crate) async fn end_of_input(is_watched: bool, handle: impl Fn(&str) + Send + 'static) {
    if !is_watched {
        return std::future::pending().await;
    }
    let (at_end, end) = tokio::sync::oneshot::channel::<()>();
    // The read needs a thread of its own, because nothing can interrupt it.
    std::thread::spawn(move || {
        std::io::stdin().lock().lines().map_while(Result::ok).for_each(|line| handle(&line));
        drop(at_end);
    });
    drop(end.await);
}
