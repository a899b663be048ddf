//! Traces with OpenTelemetry: a span for each message that is sent, one for each that is processed, and the header by which
//! the second knows the first.
//!
//! Names and attributes are those of OpenTelemetry's messaging conventions 1.44. What is processed has a trace of its own,
//! whose span is linked to that of the sender: there may be many groups, and a message may wait for days.

use std::collections::HashMap;
use std::ffi::CStr;
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use kafka_config::{Problem, Problems, TracesSettings};
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::{
    Link, Span as _, SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags, TraceId,
    TraceState, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::WithExportConfig as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{
    IdGenerator, RandomIdGenerator, Sampler, SamplingDecision, SdkTracer, SdkTracerProvider, ShouldSample as _, Span,
    SpanData, SpanExporter,
};
use rdkafka::bindings::{rd_kafka_header_get_last, rd_kafka_message_headers, rd_kafka_resp_err_t};
use rdkafka::message::{BorrowedMessage, Header, Message as _, OwnedHeaders};
use tracing::warn;

use crate::failure::Failure;
use crate::shutdown::Shutdown;
use crate::start::Identity;
use crate::throttle::Throttle;

/// A longer key is somebody else's, and may be anything.
const KEY_MAX_BYTES: usize = 200;
/// How long the end may take: a collector on the same machine needs milliseconds, and one that is away must not matter.
const FLUSH_MIN: Duration = Duration::from_millis(200);
const FLUSH_MAX: Duration = Duration::from_secs(2);

/// The traces of one service.
#[derive(Debug)]
pub struct Traces(Option<On>);

#[derive(Debug)]
struct On {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    ids: Ids,
    sampler: Sampler,
    common: Vec<KeyValue>,
}

/// Records the processing of a message until it is dropped.
#[derive(Debug)]
pub struct Processing {
    _span: Option<Span>,
}

impl Traces {
    /// Starts to send traces, if the settings ask for it. `common` are attributes of every span, beside those that are always
    /// there.
    ///
    /// # Errors
    /// The collector's address is none.
    pub fn start(
        settings: Option<&TracesSettings>,
        identity: &Identity,
        common: &[(&'static str, &str)],
    ) -> Result<Self, Failure> {
        let Some(settings) = settings else { return Ok(Self(None)) };
        let endpoint = format!("{}/v1/traces", settings.endpoint);
        let exporter = opentelemetry_otlp::SpanExporter::builder().with_http().with_endpoint(endpoint).build();
        let exporter = exporter.map_err(|error| {
            let hint = "give http://host:4318";
            Failure::Settings(Problems(vec![Problem::new("OTEL_EXPORTER_OTLP_ENDPOINT", error.to_string(), hint)]))
        })?;
        let ids = Ids::default();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(Told { exporter, throttle: Mutex::default() })
            // Decided for each message before it has a span.
            .with_sampler(Sampler::AlwaysOn)
            .with_id_generator(ids.clone())
            .with_resource(resource(identity))
            .build();
        let mut common: Vec<KeyValue> = common.iter().map(pair).collect();
        common.push(KeyValue::new("messaging.system", "kafka"));
        common.push(KeyValue::new("messaging.client.id", identity.client_id.clone()));
        let sampler = Sampler::TraceIdRatioBased(settings.ratio);
        Ok(Self(Some(On { tracer: provider.tracer("kafka-pair"), provider, ids, sampler, common })))
    }

    /// What a message takes along, if it is traced: the identity of the span that [`Traces::sent`] will record.
    pub fn headers(&self) -> Option<OwnedHeaders> {
        let context = self.0.as_ref()?.new_context()?;
        let mut texts = HashMap::new();
        TraceContextPropagator::new().inject_context(&Context::new().with_remote_span_context(context), &mut texts);
        let texts = texts.iter().filter(|(_, value)| !value.is_empty());
        Some(texts.fold(OwnedHeaders::new(), |all, (key, value)| all.insert(Header { key, value: Some(value) })))
    }

    /// Records the sending of a message that got its outcome now; `error` is a word for what went wrong.
    pub fn sent(&self, message: &BorrowedMessage<'_>, latency: Duration, error: Option<&'static str>) {
        let Some(on) = &self.0 else { return };
        // One without was not chosen.
        let Some(context) = context_of(message) else { return };
        let mut attributes = on.attributes("send", message);
        if error.is_none() {
            attributes.push(KeyValue::new("messaging.kafka.offset", message.offset()));
        }
        attributes.extend(error.map(|error| KeyValue::new("error.type", error)));
        on.ids.use_next(&context);
        let now = SystemTime::now();
        let mut span = SpanBuilder::from_name(format!("send {}", message.topic()))
            .with_kind(SpanKind::Producer)
            .with_start_time(now.checked_sub(latency).unwrap_or(now))
            .with_attributes(attributes)
            .start_with_context(&on.tracer, &Context::new());
        if let Some(error) = error {
            span.set_status(Status::error(error));
        }
        span.end_with_timestamp(now);
    }

    /// Records the processing of a message, from now until what it returns is dropped, if the sending is recorded and the
    /// ratio chooses it here, too: the same ratio on both sides chooses the same messages.
    pub fn process(&self, message: &BorrowedMessage<'_>) -> Processing {
        Processing { _span: self.0.as_ref().and_then(|on| on.process(message)) }
    }

    /// Sends what is left, as far as the end leaves time for it.
    pub fn finish(&self, shutdown: &Shutdown) {
        if let Some(on) = &self.0
            && let Err(error) = on.provider.shutdown_with_timeout(shutdown.time_left().clamp(FLUSH_MIN, FLUSH_MAX))
        {
            warn!(%error, "traces not exported");
        }
    }
}

impl On {
    /// The identity of a span without a parent, if the ratio chooses it.
    fn new_context(&self) -> Option<SpanContext> {
        let random = RandomIdGenerator::default();
        let (trace, span) = (random.new_trace_id(), random.new_span_id());
        self.is_chosen(trace).then(|| SpanContext::new(trace, span, TraceFlags::SAMPLED, false, TraceState::default()))
    }

    fn is_chosen(&self, trace: TraceId) -> bool {
        let sampling = self.sampler.should_sample(None, trace, "", &SpanKind::Producer, &[], &[]);
        sampling.decision == SamplingDecision::RecordAndSample
    }

    fn process(&self, message: &BorrowedMessage<'_>) -> Option<Span> {
        let sender = context_of(message).filter(|it| it.is_sampled() && self.is_chosen(it.trace_id()))?;
        let mut attributes = self.attributes("process", message);
        attributes.push(KeyValue::new("messaging.kafka.offset", message.offset()));
        let builder = SpanBuilder::from_name(format!("process {}", message.topic()))
            .with_kind(SpanKind::Consumer)
            .with_attributes(attributes)
            .with_links(vec![Link::with_context(sender)]);
        Some(builder.start_with_context(&self.tracer, &Context::new()))
    }

    fn attributes(&self, operation: &'static str, message: &BorrowedMessage<'_>) -> Vec<KeyValue> {
        let key = message.key().filter(|key| key.len() <= KEY_MAX_BYTES).and_then(|key| std::str::from_utf8(key).ok());
        let size = message.payload().map(|value| value.len() as i64);
        let mut attributes = self.common.clone();
        attributes.extend([
            KeyValue::new("messaging.operation.name", operation),
            KeyValue::new("messaging.operation.type", operation),
            KeyValue::new("messaging.destination.name", message.topic().to_owned()),
            KeyValue::new("messaging.destination.partition.id", message.partition().to_string()),
        ]);
        attributes.extend(key.map(|key| KeyValue::new("messaging.kafka.message.key", key.to_owned())));
        match size {
            Some(size) => attributes.push(KeyValue::new("messaging.message.body.size", size)),
            None => attributes.push(KeyValue::new("messaging.kafka.message.tombstone", true)),
        }
        attributes
    }
}

fn pair((name, value): &(&'static str, &str)) -> KeyValue {
    KeyValue::new(*name, (*value).to_owned())
}

/// What the environment says of the service (`OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`), and what we know for the rest.
fn resource(identity: &Identity) -> Resource {
    let Identity { service, version, instance, .. } = identity;
    let about: [(&'static str, &str); 3] =
        [("service.name", service), ("service.version", version), ("service.instance.id", instance)];
    let given = Resource::builder().build();
    // What the SDK puts there when nobody named the service.
    let is_free =
        |name: &str| given.get(&name.to_owned().into()).is_none_or(|it| it.as_str().starts_with("unknown_service"));
    let ours: Vec<KeyValue> = about.iter().filter(|(name, _)| is_free(name)).map(pair).collect();
    Resource::builder().with_attributes(ours).build()
}

/// The identity of the span that a message was sent with.
fn context_of(message: &BorrowedMessage<'_>) -> Option<SpanContext> {
    let mut texts = HashMap::from([("traceparent".to_owned(), header(message, c"traceparent")?.to_owned())]);
    texts.extend(header(message, c"tracestate").map(|state| ("tracestate".to_owned(), state.to_owned())));
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &texts);
    Some(context.span().span_context().clone()).filter(SpanContext::is_valid)
}

/// The last header of that name, if it is text.
///
/// rdkafka's own way looks at every header, and panics where the name of one, which may be anybody's, is not UTF-8.
#[expect(unsafe_code, reason = "rdkafka has no safe way to ask for a header by its name")]
fn header<'m>(message: &'m BorrowedMessage<'_>, name: &CStr) -> Option<&'m str> {
    let (mut headers, mut value, mut size) = (ptr::null_mut(), ptr::null(), 0);
    // SAFETY: the message is alive, and so are its headers and their values, as long as the borrow of it. Both calls write
    // nothing but the places given to them, and the second is made only when the first has found headers.
    let bytes = unsafe {
        let none = rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;
        if rd_kafka_message_headers(message.ptr(), &mut headers) != none
            || rd_kafka_header_get_last(headers, name.as_ptr(), &mut value, &mut size) != none
            || value.is_null()
        {
            return None;
        }
        std::slice::from_raw_parts(value.cast::<u8>(), size)
    };
    std::str::from_utf8(bytes).ok()
}

/// Random identities, except for a span whose identity is on its way already.
#[derive(Debug, Clone, Default)]
struct Ids(Arc<Mutex<Option<(TraceId, SpanId)>>>);

impl Ids {
    /// The next span without a parent gets this identity.
    fn use_next(&self, context: &SpanContext) {
        *self.next() = Some((context.trace_id(), context.span_id()));
    }

    fn next(&self) -> MutexGuard<'_, Option<(TraceId, SpanId)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl IdGenerator for Ids {
    /// The SDK asks for this one second.
    fn new_trace_id(&self) -> TraceId {
        self.next().take().map_or_else(|| RandomIdGenerator::default().new_trace_id(), |(trace, _)| trace)
    }

    fn new_span_id(&self) -> SpanId {
        self.next().map_or_else(|| RandomIdGenerator::default().new_span_id(), |(_, span)| span)
    }
}

/// Says in the log what could not be exported, which the SDK keeps to itself.
#[derive(Debug)]
struct Told {
    exporter: opentelemetry_otlp::SpanExporter,
    throttle: Mutex<Throttle>,
}

impl SpanExporter for Told {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let result = self.exporter.export(batch).await;
        if let Err(error) = &result {
            let mut throttle = self.throttle.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(untold) = throttle.tell("", Instant::now()) {
                warn!(spans, untold, %error, "traces not exported");
            }
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
