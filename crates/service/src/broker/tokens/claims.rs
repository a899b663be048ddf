//! What a token says about itself.
//!
//! A broker that refuses a token does not say why. What it compares is in the token: who issued it, for whom, and with which rights.
//! These claims are no secret; the signature, without which they are worth nothing, is not shown.

use std::time::Duration;

#[cfg(feature = "tls")]
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

/// Longer than any token is valid.
pub(super) const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// The claims that brokers compare or take the principal from.
const SHOWN: [&str; 8] = ["iss", "aud", "sub", "azp", "appid", "client_id", "scope", "scp"];
const SHOWN_MAX_CHARS: usize = 400;

/// The claims of a token as JSON in one line, or that it has none.
pub(super) fn shown(token: &str) -> String {
    let Some(claims) = claims(token) else { return "not a JSON Web Token".to_owned() };
    let shown: Map<String, Value> =
        SHOWN.iter().filter_map(|name| Some(((*name).to_owned(), claims.get(*name)?.clone()))).collect();
    Value::Object(shown).to_string().chars().take(SHOWN_MAX_CHARS).collect()
}

/// The claims of a token in the form `header.claims.signature`, each in Base64 (RFC 7519).
fn claims(token: &str) -> Option<Map<String, Value>> {
    let mut parts = token.split('.');
    let (_, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
    serde_json::from_slice(&decode(claims)?).ok()
}

#[cfg(feature = "tls")]
fn decode(base64url: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(base64url).ok()
}

#[cfg(not(feature = "tls"))]
fn decode(_: &str) -> Option<Vec<u8>> {
    None
}

#[cfg(all(test, feature = "tls"))]
mod tests {
    use super::*;

    fn token(claims: &str) -> String {
        format!("eyJhbGciOiJSUzI1NiJ9.{}.c2lnbmF0dXJl", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn the_claims_that_a_broker_compares_are_shown_and_no_others() {
        for padding in ["", "a", "bb", "???>>>"] {
            let claims = format!(r#"{{"sub":"me","iss":"https://login.example","aud":["a","b"],"other":"{padding}"}}"#);
            let expected = r#"{"iss":"https://login.example","aud":["a","b"],"sub":"me"}"#;
            assert_eq!(shown(&token(&claims)), expected);
        }
    }

    #[test]
    fn a_token_of_another_kind_is_not_shown_at_all() {
        for token in ["", "hunter2", "a.b", "a.b.c", "a.!!.c", &token("[1]"), &token("no json")] {
            assert_eq!(shown(token), "not a JSON Web Token");
        }
        assert_eq!(shown(&token("{}")), "{}");
    }

    #[test]
    fn text_from_outside_neither_breaks_the_line_nor_makes_it_long() {
        let shown = shown(&token(&format!(r#"{{"sub":"a\nb","aud":"{}"}}"#, "x".repeat(10_000))));
        assert!(!shown.contains('\n') && shown.len() <= SHOWN_MAX_CHARS, "{shown}");
    }
}
