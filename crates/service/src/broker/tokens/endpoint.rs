//! A request for a token: OAuth 2.0, client credentials (RFC 6749, section 4.4).

use std::error::Error;
use std::sync::OnceLock;
use std::time::Instant;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::StatusCode;
use hyper::body::Bytes;
use hyper_openssl::client::legacy::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kafka_config::IdentityServer;
use oauth2::basic::BasicClient;
use oauth2::{
    ClientId, ClientSecret, HttpRequest, HttpResponse, RequestTokenError, Scope, TokenResponse as _, TokenUrl,
};
use openssl::ssl::{SslConnector, SslMethod};

use super::Trouble;
use super::claims;
use super::store::{Token, TokenState};
use crate::broker::handshake::trust_certificates;

/// Tokens have a few kilobytes.
const ANSWER_MAX_BYTES: usize = 256 * 1024;
/// Of a text of the identity server, this much is shown.
const SHOWN_MAX_CHARS: usize = 200;

/// Why a request failed before there was an answer with a meaning.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("{0}")]
    Request(String),
    #[error("the identity server answered with status {0}")]
    Status(StatusCode),
}

/// Asks the token endpoint for a token.
pub(super) async fn fetch(server: &IdentityServer) -> Result<Token, Trouble> {
    let url = TokenUrl::new(server.token_endpoint_url.clone())
        .map_err(|_| Trouble::unreachable("KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL is not a URL"))?;
    let client = BasicClient::new(ClientId::new(server.client_id.clone()))
        .set_client_secret(ClientSecret::new(server.client_secret().to_owned()))
        .set_token_uri(url);
    let mut request = client.exchange_client_credentials();
    for scope in server.scope.iter().flat_map(|scopes| scopes.split(' ')).filter(|scope| !scope.is_empty()) {
        request = request.add_scope(Scope::new(scope.to_owned()));
    }
    for (key, value) in &server.parameters {
        request = request.add_extra_param(key.as_str(), value.as_str());
    }
    let status = OnceLock::new();
    // Before the request, so that the lifetime is never taken for longer than it is.
    let received_at = Instant::now();
    let answer = request.request_async(&async |request| send(request, server, &status).await).await;
    let answer = answer.map_err(|error| trouble(&error, status.get().copied(), server))?;
    let lifetime = answer.expires_in().filter(|lifetime| !lifetime.is_zero());
    let lifetime =
        lifetime.ok_or_else(|| Trouble::unreachable("the answer does not say how long the token is valid"))?;
    let value = answer.access_token().secret();
    Ok(Token {
        claims: claims::shown(value),
        value: value.as_str().into(),
        received_at,
        // A lifetime beyond the range of the clock is as good as none that ends.
        expires_at: received_at.checked_add(lifetime).unwrap_or(received_at + claims::LONGEST),
        state: TokenState::New,
    })
}

/// Sends a request over a connection of its own. Redirects are not followed, because the secret would go along.
async fn send(
    request: HttpRequest,
    server: &IdentityServer,
    status: &OnceLock<StatusCode>,
) -> Result<HttpResponse, Failed> {
    let failed = |error: &dyn Error| Failed::Request(chain(error));
    let mut tls = SslConnector::builder(SslMethod::tls_client()).map_err(|error| failed(&error))?;
    trust_certificates(&mut tls, &server.trust).map_err(|error| failed(&error))?;
    let mut http = HttpConnector::new();
    // The other scheme is HTTPS.
    http.enforce_http(false);
    let connector = HttpsConnector::with_connector(http, tls).map_err(|error| failed(&error))?;
    let client = Client::builder(TokioExecutor::new()).build::<_, Full<Bytes>>(connector);
    let (parts, body) = request.into_parts();
    let request = hyper::Request::from_parts(parts, Full::new(Bytes::from(body)));
    let (parts, body) = client.request(request).await.map_err(|error| failed(&error))?.into_parts();
    status.get_or_init(|| parts.status);
    match parts.status {
        StatusCode::OK | StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED => {}
        other => return Err(Failed::Status(other)),
    }
    let body = Limited::new(body, ANSWER_MAX_BYTES).collect().await.map_err(|error| failed(error.as_ref()))?;
    Ok(HttpResponse::from_parts(parts, body.to_bytes().to_vec()))
}

type RequestError = RequestTokenError<Failed, oauth2::basic::BasicErrorResponse>;

fn trouble(error: &RequestError, status: Option<StatusCode>, server: &IdentityServer) -> Trouble {
    let is_refusal = matches!(status, Some(StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED));
    let reason = match error {
        RequestTokenError::Request(failed) => failed.to_string(),
        RequestTokenError::ServerResponse(answer) => {
            let description = answer.error_description().map_or_else(String::new, |text| format!(": {text}"));
            format!("{}{description}", answer.error())
        }
        // The text of the answer is not shown: in an answer that is hard to understand, anything can be a token.
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => match status {
            Some(status) if is_refusal => format!("the identity server answered with status {status}"),
            _ => "the answer is not that of a token endpoint".to_owned(),
        },
    };
    // Before anything is cut off or escaped, which could leave a part of the secret that is no longer recognised.
    let shown = server.redact(&reason).chars().take(SHOWN_MAX_CHARS).flat_map(char::escape_debug).collect();
    Trouble { is_refusal, reason: shown }
}

/// An error and its sources, without repeats.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        source = error.source();
    }
    text
}
