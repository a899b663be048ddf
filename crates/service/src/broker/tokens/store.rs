//! What the thread that fetches tokens and the loop share.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Notify;

use super::Trouble;

/// A token of the identity server.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) value: SecretString,
    pub(super) received_at: Instant,
    pub(super) expires_at: Instant,
    /// What the token says about itself.
    pub(super) claims: String,
    /// Whether librdkafka has it.
    pub(super) is_given: bool,
}

/// The present token, or why there is no new one.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) token: Option<Token>,
    /// The token before, which librdkafka's texts may still contain.
    former: Option<SecretString>,
    /// Why the last attempt failed, and since when attempts fail.
    pub(super) trouble: Option<(Trouble, Instant)>,
    /// Failed attempts since the trouble was last logged.
    pub(super) failures: u64,
    pub(super) warned_at: Option<Instant>,
}

impl State {
    pub(super) fn is_missing(&self, now: Instant) -> bool {
        self.token.as_ref().is_none_or(|token| token.expires_at <= now)
    }

    pub(super) fn receive(&mut self, token: Token) {
        self.former = self.token.replace(token).map(|former| former.value);
        self.trouble = None;
        self.failures = 0;
    }

    pub(super) fn fail(&mut self, trouble: Trouble, now: Instant) {
        // While the client is refused, time counts from the first refusal: that decides when the service gives up.
        let since = match &self.trouble {
            Some((known, since)) if known.is_refusal == trouble.is_refusal => *since,
            _ => now,
        };
        self.trouble = Some((trouble, since));
        self.failures += 1;
    }

    pub(super) fn redact(&self, text: String) -> String {
        let token = self.token.as_ref().map(|token| &token.value);
        token.into_iter().chain(&self.former).fold(text, |text, token| text.replace(token.expose_secret(), "[secret]"))
    }
}

/// The state, and the ways to wake the thread.
#[derive(Debug, Default)]
pub(super) struct Store {
    state: Mutex<State>,
    stop: Notify,
    ask: Notify,
}

impl Store {
    pub(super) fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the thread.
    pub(super) fn stop(&self) {
        self.stop.notify_one();
    }

    /// Lets the thread fetch another token now.
    pub(super) fn ask_for_another(&self) {
        self.ask.notify_one();
    }

    pub(super) async fn stopped(&self) {
        self.stop.notified().await;
    }

    pub(super) async fn asked(&self) {
        self.ask.notified().await;
    }
}
