//! Refuses every request that does not come from the page itself or from a link to it.
//!
//! Any site that the user visits can send requests to loopback. Two things keep it out: a browser states the page's `Origin` truthfully,
//! and a name of the attacker's that resolves to 127.0.0.1 (DNS rebinding) shows in `Host`. The token keeps out other users of this machine.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

const SEC_FETCH_SITE: &str = "sec-fetch-site";

/// What a request must state.
#[derive(Debug)]
pub(super) struct Guard {
    host: String,
    origin: String,
    policy: String,
}

impl Guard {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self {
            host: address.to_string(),
            origin: format!("http://{address}"),
            // The page's own files only. Trusted Types make the browser refuse to turn text into elements or scripts.
            policy: format!(
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src ws://{address}; base-uri 'none'; \
                 form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
            ),
        }
    }

    /// Why a request is refused, if it is.
    fn refusal(&self, method: &Method, headers: &HeaderMap, is_socket: bool) -> Option<&'static str> {
        let all = |name: HeaderName| headers.get_all(name).iter().map(HeaderValue::as_bytes).collect::<Vec<_>>();
        if method != Method::GET {
            return Some("only GET is served");
        }
        if all(header::HOST) != [self.host.as_bytes()] {
            return Some("the Host is not that of the printed link");
        }
        // A browser sends no Origin when it opens a link or loads the page's files, and always one when it opens a WebSocket.
        match all(header::ORIGIN).as_slice() {
            [] if !is_socket => {}
            [origin] if *origin == self.origin.as_bytes() => {}
            _ => return Some("the Origin is not that of the printed link"),
        }
        match all(HeaderName::from_static(SEC_FETCH_SITE)).as_slice() {
            [] | [b"same-origin" | b"none"] => None,
            _ => Some("the request comes from another site"),
        }
    }
}

pub(super) async fn check(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let is_socket = request.uri().path() == "/events";
    let mut response = match guard.refusal(request.method(), request.headers(), is_socket) {
        Some(reason) => (StatusCode::FORBIDDEN, reason).into_response(),
        None => next.run(request).await,
    };
    let policy = HeaderValue::from_str(&guard.policy).unwrap_or(HeaderValue::from_static("default-src 'none'"));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    for (name, value) in [
        ("cache-control", "no-store"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(is_socket: bool, headers: &[(&'static str, &'static str)]) -> Option<&'static str> {
        let guard = Guard::new(([127, 0, 0, 1], 4000).into());
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        guard.refusal(&Method::GET, &map, is_socket)
    }

    const HOST: (&str, &str) = ("host", "127.0.0.1:4000");
    const ORIGIN: (&str, &str) = ("origin", "http://127.0.0.1:4000");

    #[test]
    fn a_link_and_the_page_itself_are_let_through() {
        assert_eq!(refusal(false, &[HOST]), None);
        assert_eq!(refusal(false, &[HOST, (SEC_FETCH_SITE, "none")]), None);
        assert_eq!(refusal(true, &[HOST, ORIGIN, (SEC_FETCH_SITE, "same-origin")]), None);
    }

    #[test]
    fn another_host_is_refused() {
        for host in ["localhost:4000", "127.0.0.1", "127.0.0.1:4001", "attacker.example:4000", "127.0.0.1:4000.", ""] {
            assert!(refusal(false, &[("host", host)]).is_some(), "{host}");
        }
        assert!(refusal(false, &[]).is_some());
        assert!(refusal(false, &[HOST, HOST]).is_some());
    }

    #[test]
    fn another_origin_is_refused_and_a_socket_needs_one() {
        for origin in [
            "null",
            "http://localhost:4000",
            "https://127.0.0.1:4000",
            "http://127.0.0.1:4001",
            "http://attacker.example",
        ] {
            assert!(refusal(false, &[HOST, ("origin", origin)]).is_some(), "{origin}");
            assert!(refusal(true, &[HOST, ("origin", origin)]).is_some(), "{origin}");
        }
        assert!(refusal(true, &[HOST]).is_some());
        assert!(refusal(true, &[HOST, ORIGIN, ORIGIN]).is_some());
    }

    #[test]
    fn requests_of_other_sites_are_refused() {
        for site in ["cross-site", "same-site", "other"] {
            assert!(refusal(false, &[HOST, (SEC_FETCH_SITE, site)]).is_some(), "{site}");
        }
        let guard = Guard::new(([127, 0, 0, 1], 4000).into());
        let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("127.0.0.1:4000"))]);
        assert!(guard.refusal(&Method::POST, &headers, false).is_some());
    }
}
