//! Tokens for OAUTHBEARER from an identity server: fetched on a thread of their own, renewed before they expire, and given to librdkafka.
//!
//! librdkafka does not connect before it has a first token. A new one takes effect with the next login; on connections that exist,
//! librdkafka logs in again shortly before the broker would end the session (KIP-368).

#[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "without OpenSSL nothing fetches tokens"))]
mod claims;
#[cfg(feature = "tls")]
mod endpoint;
#[cfg(feature = "tls")]
mod native;
#[cfg(feature = "tls")]
mod renewal;
#[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "without OpenSSL nothing fetches tokens"))]
mod store;

use std::sync::Arc;
use std::time::{Duration, Instant};

use kafka_config::IdentityServer;
use rdkafka::client::{Client, ClientContext};
use tracing::{info, warn};

use self::store::{Store, TokenState};

/// A failure is logged once it has lasted this long.
const WARN_AFTER: Duration = Duration::from_secs(2);
/// A token that the broker refuses or that cannot be used is replaced at this interval, because the identity server may give another one
/// after a correction.
const REFUSED_INTERVAL: Duration = Duration::from_secs(10);

/// The tokens of a client. Without an identity server nothing here does anything.
#[derive(Debug)]
pub(super) struct Tokens(Option<Source>);

#[derive(Debug)]
struct Source {
    /// The token endpoint, for logs.
    address: String,
    store: Arc<Store>,
    #[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "without OpenSSL no token is given to a client"))]
    server: IdentityServer,
}

/// Why there is no new token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    /// Whether the identity server refuses the client, so that asking again does not help.
    pub(super) is_refusal: bool,
    /// What happened, without secrets.
    pub(super) reason: String,
}

impl Trouble {
    #[cfg(feature = "tls")]
    fn unreachable(reason: impl Into<String>) -> Self {
        Self { is_refusal: false, reason: reason.into() }
    }
}

impl Tokens {
    /// Starts the thread that fetches tokens, if there is an identity server.
    pub(super) fn new(server: Option<IdentityServer>) -> Self {
        Self(server.map(|server| {
            let store = Arc::new(Store::default());
            #[cfg(feature = "tls")]
            renewal::start(server.clone(), &store);
            Source { address: server.address().to_owned(), store, server }
        }))
    }

    /// Whether the client needs a token and has none that is valid.
    pub(super) fn are_missing(&self) -> bool {
        self.0.as_ref().is_some_and(|source| source.store.locked().is_missing(Instant::now()))
    }

    /// Why there is no new token, if fetching one failed.
    pub(super) fn trouble(&self) -> Option<Trouble> {
        self.0.as_ref()?.store.locked().trouble.as_ref().map(|(trouble, _)| trouble.clone())
    }

    /// What the present token says about itself, for a comparison with what the broker expects.
    pub(super) fn claims(&self) -> Option<String> {
        self.0.as_ref()?.store.locked().token.as_ref().map(|token| token.claims.clone())
    }

    /// Returns `text` without the present token and the one before.
    pub(super) fn redact(&self, text: String) -> String {
        match &self.0 {
            Some(source) => source.store.locked().redact(text),
            None => text,
        }
    }

    /// Gives a new token to the client, and logs for how long there is none. To be called regularly.
    ///
    /// If `is_refused`, the broker refuses the present token, and the identity server is asked for another one from time to time.
    pub(super) fn refresh<C: ClientContext>(&self, client: &Client<C>, is_refused: bool) {
        let Some(source) = &self.0 else { return };
        source.give(client);
        let now = Instant::now();
        let state = &mut *source.store.locked();
        let is_unusable = state.token.as_ref().is_some_and(|token| token.state == TokenState::Unusable);
        let is_old = state.token.as_ref().is_some_and(|token| now - token.received_at >= REFUSED_INTERVAL);
        if is_old && (is_refused || is_unusable) {
            source.store.ask_for_another();
        }
        let left_s = state.token.as_ref().map(|token| token.expires_at.saturating_duration_since(now).as_secs());
        let Some((trouble, since)) = &state.trouble else {
            if state.complaint.end(now).is_some() {
                info!(identity_server = source.address, "token received again");
            }
            return;
        };
        let waited = now.saturating_duration_since(*since);
        if !state.complaint.note(now, waited >= WARN_AFTER) {
            return;
        }
        let (identity_server, waited_s, failures) = (&source.address, waited.as_secs(), state.failures);
        let error = &trouble.reason;
        if trouble.is_refusal {
            let next_step = "correct KAFKA_SASL_OAUTHBEARER_CLIENT_ID, KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET or \
                             KAFKA_SASL_OAUTHBEARER_SCOPE, or register the client at the identity server";
            warn!(
                identity_server,
                waited_s,
                failures,
                token_left_s = left_s,
                next_step,
                error,
                "identity server refuses the client"
            );
        } else {
            let next_step = if is_unusable {
                "correct the token that the identity server issues"
            } else {
                "start the identity server, or correct KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL or KAFKA_HTTPS_CA_LOCATION"
            };
            warn!(
                identity_server,
                waited_s,
                failures,
                token_left_s = left_s,
                next_step,
                error,
                "identity server unreachable"
            );
        }
        state.failures = 0;
    }
}

impl Source {
    #[cfg(feature = "tls")]
    fn give<C: ClientContext>(&self, client: &Client<C>) {
        let mut state = self.store.locked();
        let Some(token) = state.token.as_mut().filter(|token| token.state == TokenState::New) else { return };
        match native::set_token(client, token, &self.server) {
            Ok(()) => token.state = TokenState::Given,
            Err(reason) => {
                token.state = TokenState::Unusable;
                let reason = state.redact(format!("librdkafka does not accept the token: {reason}"));
                state.fail(Trouble::unreachable(reason), Instant::now());
            }
        }
    }

    #[cfg(not(feature = "tls"))]
    fn give<C: ClientContext>(&self, _: &Client<C>) {}
}

impl Drop for Source {
    fn drop(&mut self) {
        self.store.stop();
    }
}
