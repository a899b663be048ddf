//! A collector of OpenTelemetry traces that keeps every span it receives.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use prost::Message as _;

/// A span as the collector received it.
#[derive(Debug, Clone)]
pub struct Span {
    /// The name of the span.
    pub name: String,
    /// Which side of a message the span belongs to: producer or consumer.
    pub kind: SpanKind,
    /// The trace id and the span id.
    pub id: (Vec<u8>, Vec<u8>),
    /// The span id of the parent; empty if there is none.
    pub parent: Vec<u8>,
    /// The `id` of each linked span.
    pub links: Vec<(Vec<u8>, Vec<u8>)>,
    /// Start and end, in nanoseconds since 1970.
    pub unix_nanos: (u64, u64),
    /// The attributes of the span and of its resource, as text.
    pub attributes: BTreeMap<String, String>,
    /// The error in the span's status, if there is one.
    pub error: Option<String>,
}

/// A collector that listens on a free port until the test ends.
#[derive(Debug)]
pub struct Collector {
    address: SocketAddr,
    received: Arc<Mutex<Received>>,
}

#[derive(Debug, Default)]
struct Received {
    spans: Vec<Span>,
    bodies: Vec<u8>,
}

impl Collector {
    /// Starts the collector.
    pub fn start() -> Self {
        let executor = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("the runtime starts");
        let listener = executor.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port is free");
        let address = listener.local_addr().expect("an address");
        let received = Arc::new(Mutex::default());
        let collected = Arc::clone(&received);
        std::thread::spawn(move || {
            executor.block_on(async {
                while let Ok((stream, _)) = listener.accept().await {
                    let collected = Arc::clone(&collected);
                    let service = service_fn(move |request| collect(request, Arc::clone(&collected)));
                    tokio::task::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
                }
            });
        });
        Self { address, received }
    }

    /// The value for `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The spans with this name so far.
    pub fn spans(&self, name: &str) -> Vec<Span> {
        let received = self.received.lock().unwrap_or_else(PoisonError::into_inner);
        received.spans.iter().filter(|span| span.name == name).cloned().collect()
    }

    /// The bodies of all requests so far, one behind the other.
    pub fn bodies(&self) -> Vec<u8> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).bodies.clone()
    }
}

async fn collect(
    request: Request<Incoming>,
    received: Arc<Mutex<Received>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    assert_eq!(request.uri().path(), "/v1/traces");
    let body = request.into_body().collect().await.expect("the request has a body").to_bytes();
    let mut received = received.lock().unwrap_or_else(PoisonError::into_inner);
    received.bodies.extend_from_slice(&body);
    let export = ExportTraceServiceRequest::decode(body).expect("the body is an export request");
    for resource_spans in export.resource_spans {
        let resource_attributes = resource_spans.resource.map_or(Vec::new(), |resource| resource.attributes);
        for span in resource_spans.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            received.spans.push(Span {
                kind: span.kind(),
                name: span.name,
                id: (span.trace_id, span.span_id),
                parent: span.parent_span_id,
                links: span.links.into_iter().map(|link| (link.trace_id, link.span_id)).collect(),
                unix_nanos: (span.start_time_unix_nano, span.end_time_unix_nano),
                attributes: resource_attributes.iter().cloned().chain(span.attributes).map(text).collect(),
                error: span.status.map(|status| status.message).filter(|message| !message.is_empty()),
            });
        }
    }
    Ok(Response::new(Full::default()))
}

fn text(pair: KeyValue) -> (String, String) {
    let text = match pair.value {
        Some(AnyValue { value: Some(Value::StringValue(text)) }) => text,
        Some(AnyValue { value: Some(Value::IntValue(number)) }) => number.to_string(),
        other => format!("{other:?}"),
    };
    (pair.key, text)
}
