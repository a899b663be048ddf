//! The HTTP listener: `/livez`, `/readyz` and `/metrics`.

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

use super::health::Health;
use super::metrics::Metrics;

/// Further connections wait until one of these has ended.
const CONNECTIONS_MAX: usize = 32;
/// For a whole connection. Probes and scrapers are close by and send small requests.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(5);
/// How long to wait after a failed `accept`, which most likely means that file descriptors ran out.
const ACCEPT_RETRY: Duration = Duration::from_millis(200);

/// Serves connections for as long as this future is polled.
pub(crate) async fn serve(listener: TcpListener, health: Arc<Health>, metrics: Arc<Metrics>) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        // The semaphore is never closed.
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let (health, metrics) = (Arc::clone(&health), Arc::clone(&metrics));
                tokio::spawn(async move {
                    // Bounds clients that are slow, gone, or speak another protocol.
                    drop(tokio::time::timeout(CONNECTION_TIMEOUT, serve_connection(stream, &health, &metrics)).await);
                    drop(permit);
                });
            }
            Err(_) => tokio::time::sleep(ACCEPT_RETRY).await,
        }
    }
}

const METRICS_TYPE: &str = prometheus::TEXT_FORMAT;

async fn serve_connection(stream: TcpStream, health: &Health, metrics: &Metrics) -> Result<(), hyper::Error> {
    let service = service_fn(|request| async move { Ok::<_, Infallible>(answer(&request, health, metrics)) });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

fn answer(request: &Request<Incoming>, health: &Health, metrics: &Metrics) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return respond(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are allowed");
    }
    match request.uri().path() {
        "/livez" => health_response(health.live()),
        "/readyz" => health_response(health.ready()),
        "/metrics" => match metrics.text(health.ready().is_ok()) {
            Ok(text) => respond_with(StatusCode::OK, METRICS_TYPE, text),
            Err(error) => respond(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        },
        _ => respond(StatusCode::NOT_FOUND, "not found; try /livez, /readyz or /metrics"),
    }
}

fn health_response(health: Result<(), String>) -> Response<Full<Bytes>> {
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

/// The address to connect to for a listener on `listen`: loopback where the listener is bound to all interfaces.
pub(crate) fn connect_address(listen: SocketAddr) -> SocketAddr {
    let ip = match listen {
        _ if !listen.ip().is_unspecified() => listen.ip(),
        SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
        SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, listen.port())
}
