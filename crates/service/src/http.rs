//! The HTTP listener: `/livez` and `/readyz`, each a word or a reason, and `/metrics`.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::health::Health;
use crate::metrics::Metrics;

/// More askers at once wait for their turn.
const CONNECTIONS_MAX: usize = 32;
/// For a whole connection: those who ask are near, and ask little.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(5);
/// When no connection can be accepted, most likely for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(200);

/// Answers whoever connects, for as long as it is polled.
pub(crate) async fn serve(listener: TcpListener, health: Arc<Health>, metrics: Arc<Metrics>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        // The semaphore is never closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let (health, metrics) = (Arc::clone(&health), Arc::clone(&metrics));
                tokio::spawn(async move {
                    // An asker that is slow, or gone, or talks something else, gets no more than its time.
                    drop(tokio::time::timeout(CONNECTION_TIMEOUT, answer_all(stream, &health, &metrics)).await);
                    drop(place);
                });
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

const METRICS_TYPE: &str = prometheus::TEXT_FORMAT;

async fn answer_all(stream: TcpStream, health: &Health, metrics: &Metrics) -> Result<(), hyper::Error> {
    let service = service_fn(|request| async move { Ok::<_, Infallible>(answer(&request, health, metrics)) });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

fn answer(request: &Request<Incoming>, health: &Health, metrics: &Metrics) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return respond(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD");
    }
    match request.uri().path() {
        "/livez" => verdict(health.live()),
        "/readyz" => verdict(health.ready()),
        "/metrics" => match metrics.text(health.ready().is_ok()) {
            Ok(text) => respond_with(StatusCode::OK, METRICS_TYPE, text),
            Err(error) => respond(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        },
        _ => respond(StatusCode::NOT_FOUND, "there are /livez, /readyz and /metrics"),
    }
}

fn verdict(health: Result<(), String>) -> Response<Full<Bytes>> {
    match health {
        Ok(()) => respond(StatusCode::OK, "ok"),
        Err(reason) => respond(StatusCode::SERVICE_UNAVAILABLE, &reason),
    }
}

fn respond(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    respond_with(status, "text/plain; charset=utf-8", format!("{text}\n"))
}

fn respond_with(status: StatusCode, content_type: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// An address at which the listener of this machine's `listen` can be asked.
pub(crate) fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen {
        _ if !listen.ip().is_unspecified() => listen.ip(),
        SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
        SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, listen.port())
}
