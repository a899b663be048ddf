//! The thread that fetches tokens.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kafka_config::IdentityServer;

use super::Trouble;
use super::endpoint;
use super::store::{Store, Token};

/// For one attempt: resolving the name, connecting, and the answer.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
/// Between a failed attempt and the next one.
const RETRY: Duration = Duration::from_secs(1);
/// A token is renewed after this part of its lifetime. The rest is for attempts that fail.
const RENEWED_AFTER: f64 = 0.8;

/// Starts the thread. It ends when the store is stopped.
pub(super) fn start(server: IdentityServer, store: &Arc<Store>) {
    let own = Arc::clone(store);
    let started = std::thread::Builder::new().name("tokens".to_owned()).spawn(move || {
        match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(executor) => {
                executor.block_on(async {
                    tokio::select! {
                        () = own.stopped() => {}
                        () = keep(server, &own) => {}
                    }
                });
                // Resolving a name blocks a thread, which nobody waits for.
                executor.shutdown_background();
            }
            Err(error) => {
                let trouble = Trouble::unreachable(format!("could not start the async runtime: {error}"));
                own.locked().fail(trouble, Instant::now());
            }
        }
    });
    if let Err(error) = started {
        store.locked().fail(Trouble::unreachable(format!("could not start a thread: {error}")), Instant::now());
    }
}

/// Fetches a token, and another one whenever it is time.
async fn keep(mut server: IdentityServer, store: &Store) {
    loop {
        match attempt(&mut server).await {
            Ok(token) => {
                let lifetime = token.expires_at.saturating_duration_since(token.received_at);
                store.locked().receive(token);
                tokio::select! {
                    () = tokio::time::sleep(lifetime.mul_f64(RENEWED_AFTER).max(RETRY)) => {}
                    () = store.asked() => {}
                }
            }
            Err(trouble) => {
                store.locked().fail(trouble, Instant::now());
                // Nobody can ask for more: the server may just be coming back.
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

async fn attempt(server: &mut IdentityServer) -> Result<Token, Trouble> {
    if let Err(reason) = server.refresh_secret() {
        return Err(Trouble::unreachable(format!(
            "the file in KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET_FILE cannot be used: {reason}"
        )));
    }
    let fetched = tokio::time::timeout(ATTEMPT_TIMEOUT, endpoint::fetch(server)).await;
    let late = || Err(Trouble::unreachable(format!("no answer within {} s", ATTEMPT_TIMEOUT.as_secs())));
    fetched.unwrap_or_else(|_| late())
}
