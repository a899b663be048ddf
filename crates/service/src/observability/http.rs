//! The HTTP listener: `/livez`, `/readyz` and `/metrics`.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::AbortHandle;

use super::health::Health;
use super::metrics::Metrics;

/// Connections that may wait to be accepted; the kernel's own limit is often the same. With more, the kernel does not answer a new client,
/// which tries again only after 1 s, 2 s and 4 s. A probe does not wait that long.
const BACKLOG: u32 = 4096;
/// Connections that may be open at once. Probes and scrapers need a few.
const CONNECTIONS_MAX: usize = 64;
/// For the headers of a request. Probes and scrapers are close by and send small requests.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(1);
/// For a whole connection.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(5);
/// The smallest buffer that hyper permits. A request with longer headers is refused.
const HEADERS_MAX_BYTES: usize = 8192;
/// How long to wait after a failed `accept` if there is no connection to close. Most likely file descriptors ran out.
const ACCEPT_RETRY: Duration = Duration::from_millis(200);

/// Opens the listener that [`serve`] accepts connections from.
pub(crate) fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // So that a restarted service can have its address again at once.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves connections for as long as this future is polled.
///
/// A new connection never waits for others to end, so that a probe is answered whatever other clients do: when there are too many, the
/// oldest one that has sent no request yet is closed.
pub(crate) async fn serve(listener: TcpListener, health: Arc<Health>, metrics: Arc<Metrics>) {
    let mut connections = Connections::new(connections_max());
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.make_room();
                let (health, metrics) = (Arc::clone(&health), Arc::clone(&metrics));
                let has_request = Arc::new(AtomicBool::new(false));
                let noted = Arc::clone(&has_request);
                let task = tokio::spawn(async move {
                    let served = serve_connection(stream, &health, &metrics, &noted);
                    // Bounds clients that are slow, gone, or speak another protocol.
                    drop(tokio::time::timeout(CONNECTION_TIMEOUT, served).await);
                });
                connections.open.push_back(Connection { task: task.abort_handle(), has_request });
                // The request has often arrived already, and is answered before the next connection is accepted.
                tokio::task::yield_now().await;
            }
            // The task of a closed connection gives its descriptor back when it is next polled.
            Err(_) if connections.close_one() => tokio::task::yield_now().await,
            Err(_) => tokio::time::sleep(ACCEPT_RETRY).await,
        }
    }
}

/// At most a third of the file descriptors of this process: the connections to the brokers need descriptors too.
fn connections_max() -> usize {
    let descriptors = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let third = descriptors.and_then(|limit| usize::try_from(limit / 3).ok()).unwrap_or(CONNECTIONS_MAX);
    third.clamp(1, CONNECTIONS_MAX)
}

/// The open connections, oldest first.
struct Connections {
    open: VecDeque<Connection>,
    max: usize,
}

struct Connection {
    task: AbortHandle,
    has_request: Arc<AtomicBool>,
}

impl Connections {
    fn new(max: usize) -> Self {
        Self { open: VecDeque::with_capacity(max), max }
    }

    /// Forgets connections that have ended, and closes one if there are still too many.
    fn make_room(&mut self) {
        self.open.retain(|connection| !connection.task.is_finished());
        if self.open.len() >= self.max {
            self.close_one();
        }
    }

    /// Closes the oldest connection without a request, or the oldest of all. Returns false if none is open.
    fn close_one(&mut self) -> bool {
        let idle = self.open.iter().position(|connection| !connection.has_request.load(Ordering::Relaxed));
        let Some(connection) = self.open.remove(idle.unwrap_or(0)) else { return false };
        connection.task.abort();
        true
    }
}

const METRICS_TYPE: &str = prometheus::TEXT_FORMAT;

async fn serve_connection(
    stream: TcpStream,
    health: &Health,
    metrics: &Metrics,
    has_request: &AtomicBool,
) -> Result<(), hyper::Error> {
    let service = service_fn(|request| async move {
        has_request.store(true, Ordering::Relaxed);
        Ok::<_, Infallible>(answer(&request, health, metrics))
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_TIMEOUT)
        .max_buf_size(HEADERS_MAX_BYTES)
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
