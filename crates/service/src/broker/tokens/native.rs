//! The call of librdkafka that takes a token, for which the crate `rdkafka` has no function: its own way has no extensions, fetches on
//! the thread of the loop, and does so only when the client is polled.

use std::ffi::{CStr, CString, c_char};
use std::ptr;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use kafka_config::IdentityServer;
use rdkafka::bindings::rd_kafka_oauthbearer_set_token;
use rdkafka::client::{Client, ClientContext};
use rdkafka::types::RDKafkaRespErr;
use secrecy::ExposeSecret as _;

use super::store::Token;

const ERROR_MAX_BYTES: usize = 512;

/// Gives the token to the client, which uses it from the next login on.
///
/// # Errors
/// Why librdkafka does not accept it.
#[expect(unsafe_code, reason = "rdkafka has no safe way to set a token with extensions")]
pub(super) fn set_token<C: ClientContext>(
    client: &Client<C>,
    token: &Token,
    server: &IdentityServer,
) -> Result<(), String> {
    let text = |text: &str| CString::new(text).map_err(|_| "it contains a NUL".to_owned());
    let value = text(token.value.expose_secret())?;
    let principal = text(&server.client_id)?;
    let extensions = server.extensions.iter().flat_map(|(key, value)| [key, value]);
    let extensions: Vec<CString> = extensions.map(|part| text(part)).collect::<Result<_, _>>()?;
    let mut pointers: Vec<*const c_char> = extensions.iter().map(|part| part.as_ptr()).collect();
    let left = token.expires_at.saturating_duration_since(Instant::now());
    let expires_at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + left;
    let expires_ms = i64::try_from(expires_at.as_millis()).unwrap_or(i64::MAX);
    let mut error: [c_char; ERROR_MAX_BYTES] = [0; ERROR_MAX_BYTES];
    // SAFETY: the client lives as long as the reference. All texts end with a NUL and outlive the call, which copies them. `pointers` has
    // as many entries as its length says, an even number, and librdkafka only reads them. `error` is written up to its length, with a NUL
    // at the end.
    let code = unsafe {
        rd_kafka_oauthbearer_set_token(
            client.native_ptr(),
            value.as_ptr(),
            expires_ms,
            principal.as_ptr(),
            if pointers.is_empty() { ptr::null_mut() } else { pointers.as_mut_ptr() },
            pointers.len(),
            error.as_mut_ptr(),
            error.len(),
        )
    };
    if code == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
        return Ok(());
    }
    // SAFETY: librdkafka has written a text that ends with a NUL; if it has written nothing, the first byte still is one.
    let reason = unsafe { CStr::from_ptr(error.as_ptr()) }.to_string_lossy().into_owned();
    // About a character that it does not permit, librdkafka repeats the token, cut off so that redaction would miss it.
    let repeats_token = reason.contains("extension values");
    Err(if repeats_token { "it contains a character that no token has".to_owned() } else { reason })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kafka_config::{ConsumerSettings, Environment};
    use rdkafka::consumer::{BaseConsumer, Consumer as _};

    use super::super::store::TokenState;
    use super::*;

    fn settings() -> ConsumerSettings {
        let environment = Environment::from_pairs([
            ("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1"),
            ("KAFKA_TOPIC", "t"),
            ("KAFKA_GROUP_ID", "g"),
            ("KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL", "https://login.example/token"),
            ("KAFKA_SASL_OAUTHBEARER_CLIENT_ID", "me"),
            ("KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET", "hunter2"),
            ("KAFKA_SASL_OAUTHBEARER_EXTENSIONS", "logicalCluster=lkc-1,identityPoolId=pool-1"),
        ]);
        ConsumerSettings::from_environment(&environment).unwrap()
    }

    fn token(value: &str, lifetime: Duration) -> Token {
        let now = Instant::now();
        Token {
            value: value.into(),
            received_at: now,
            expires_at: now + lifetime,
            claims: String::new(),
            state: TokenState::New,
        }
    }

    #[test]
    fn a_token_with_extensions_is_accepted_and_one_that_has_expired_is_not() {
        let settings = settings();
        let server = settings.connection.identity_server.unwrap();
        let consumer: BaseConsumer = settings.properties.client_config().create().unwrap();
        assert_eq!(set_token(consumer.client(), &token("a.b.c", Duration::from_secs(10)), &server), Ok(()));
        let expired = set_token(consumer.client(), &token("a.b.c", Duration::ZERO), &server);
        assert!(expired.unwrap_err().contains("unexpired token"));
        assert!(set_token(consumer.client(), &token("a\0b", Duration::from_secs(10)), &server).is_err());
        let invalid =
            set_token(consumer.client(), &token("hunter2\u{1}", Duration::from_secs(10)), &server).unwrap_err();
        assert!(!invalid.contains("hunter2"), "{invalid}");
    }
}
