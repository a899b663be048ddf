//! What the thread that fetches tokens and the loop share.

use std::time::Instant;

use kafka_config::redact;
use parking_lot::{Mutex, MutexGuard};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Notify;

use super::Trouble;
use crate::observability::complaint::Complaint;

/// A token of the identity server.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) value: SecretString,
    pub(super) received_at: Instant,
    pub(super) expires_at: Instant,
    /// What the token says about itself.
    pub(super) claims: String,
    pub(super) state: TokenState,
}

/// What librdkafka did with a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenState {
    /// It has not got it yet.
    New,
    /// It uses it.
    Given,
    /// It does not accept it: the token has characters that the protocol does not permit.
    Unusable,
}

/// The present token, or why there is no new one.
#[derive(Debug, Default)]
pub(super) struct Holding {
    pub(super) token: Option<Token>,
    /// The token before, which librdkafka's texts may still contain.
    former: Option<SecretString>,
    /// Why the last attempt failed, and since when attempts fail.
    pub(super) trouble: Option<(Trouble, Instant)>,
    /// Failed attempts since the trouble was last logged.
    pub(super) failures: u64,
    pub(super) complaint: Complaint,
}

impl Holding {
    pub(super) fn is_missing(&self, now: Instant) -> bool {
        self.token.as_ref().is_none_or(|token| token.expires_at <= now || token.state == TokenState::Unusable)
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
        token.into_iter().chain(&self.former).fold(text, |text, token| redact(&text, token.expose_secret()))
    }
}

/// The state, and the ways to wake the thread.
#[derive(Debug, Default)]
pub(super) struct Store {
    state: Mutex<Holding>,
    stop: Notify,
    ask: Notify,
}

impl Store {
    pub(super) fn locked(&self) -> MutexGuard<'_, Holding> {
        self.state.lock()
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
