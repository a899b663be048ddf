//! Traces with OpenTelemetry: one span for sending a message, one for processing it, and the record header that connects the two.
//!
//! Names and attributes follow the OpenTelemetry semantic conventions for messaging, version 1.44. Each processing is a trace of its
//! own with a link to the sending span, because many groups may read a message, days after it was sent.

use std::collections::HashMap;
use std::sync::Arc;
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
use parking_lot::Mutex;
use rdkafka::message::{BorrowedMessage, Header, OwnedHeaders};
use tracing::warn;

use super::throttle::Throttle;
use crate::native::message::NativeMessage;
use crate::process::failure::Failure;
use crate::process::identity::Identity;
use crate::process::shutdown::Shutdown;

/// Longer keys are those of other producers and are left out.
const KEY_MAX_BYTES: usize = 200;
/// Bounds of the final export. A nearby collector takes milliseconds, and an absent one must not delay the shutdown.
const FLUSH_MIN: Duration = Duration::from_millis(200);
const FLUSH_MAX: Duration = Duration::from_secs(2);

/// The traces of one service; without a collector they do nothing.
#[derive(Debug)]
pub struct Traces(Option<Recorder>);

#[derive(Debug)]
struct Recorder {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    ids: Ids,
    sampler: Sampler,
    common: Vec<KeyValue>,
}

/// The processing of one message, recorded until this is dropped.
#[derive(Debug)]
pub struct Processing {
    _span: Option<Span>,
}

impl Traces {
    /// Starts to export traces if the settings name a collector. The attributes in `common` are added to every span.
    ///
    /// # Errors
    /// The address of the collector is invalid.
    pub fn start(
        settings: Option<&TracesSettings>,
        identity: &Identity,
        common: &[(&'static str, &str)],
    ) -> Result<Self, Failure> {
        let Some(settings) = settings else { return Ok(Self(None)) };
        let endpoint = format!("{}/v1/traces", settings.endpoint);
        let exporter = opentelemetry_otlp::SpanExporter::builder().with_http().with_endpoint(endpoint).build();
        let exporter = exporter.map_err(|error| {
            let hint = "set an address such as http://host:4318";
            Failure::Settings(Problems(vec![Problem::new("OTEL_EXPORTER_OTLP_ENDPOINT", error.to_string(), hint)]))
        })?;
        let ids = Ids::default();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(LoggingExporter { exporter, throttle: Mutex::default() })
            // Sampling is decided for each message before its span exists.
            .with_sampler(Sampler::AlwaysOn)
            .with_id_generator(ids.clone())
            .with_resource(resource(identity))
            .build();
        let mut common: Vec<KeyValue> = common.iter().map(attribute).collect();
        common.push(KeyValue::new("messaging.system", "kafka"));
        common.push(KeyValue::new("messaging.client.id", identity.client_id.clone()));
        let sampler = Sampler::TraceIdRatioBased(settings.ratio);
        Ok(Self(Some(Recorder { tracer: provider.tracer("kafka-pair"), provider, ids, sampler, common })))
    }

    /// The headers of a message that is to be traced, `None` for any other. They identify the span that [`Traces::sent`] records later.
    pub fn headers(&self) -> Option<OwnedHeaders> {
        let context = self.0.as_ref()?.new_context()?;
        let mut texts = HashMap::new();
        TraceContextPropagator::new().inject_context(&Context::new().with_remote_span_context(context), &mut texts);
        let texts = texts.iter().filter(|(_, value)| !value.is_empty());
        Some(
            texts.fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value: Some(value) })),
        )
    }

    /// Records the sending of a message whose outcome has just arrived, `latency` after it was sent. `error` names what went wrong.
    pub fn sent(&self, message: &BorrowedMessage<'_>, latency: Duration, error: Option<&'static str>) {
        let Some(recorder) = &self.0 else { return };
        let message = NativeMessage::from(message);
        // A message without a context was not sampled.
        let Some(context) = context_of(message) else { return };
        let mut attributes = recorder.attributes("send", message);
        if error.is_none() {
            attributes.push(KeyValue::new("messaging.kafka.offset", message.offset()));
        }
        attributes.extend(error.map(|error| KeyValue::new("error.type", error)));
        recorder.ids.set_next(&context);
        let now = SystemTime::now();
        let mut span = SpanBuilder::from_name(format!("send {}", message.topic()))
            .with_kind(SpanKind::Producer)
            .with_start_time(now.checked_sub(latency).unwrap_or(now))
            .with_attributes(attributes)
            .start_with_context(&recorder.tracer, &Context::new());
        if let Some(error) = error {
            span.set_status(Status::error(error));
        }
        span.end_with_timestamp(now);
    }

    /// Records the processing of a message, from now until the returned value is dropped. A message is sampled here if its sending was
    /// and this service's ratio selects it; with the same ratio on both sides, the same messages are selected.
    pub fn process(&self, message: NativeMessage<'_>) -> Processing {
        Processing { _span: self.0.as_ref().and_then(|recorder| recorder.process(message)) }
    }

    /// Exports the remaining spans, within the time left for the shutdown.
    pub fn finish(&self, shutdown: &Shutdown) {
        if let Some(recorder) = &self.0
            && let Err(error) =
                recorder.provider.shutdown_with_timeout(shutdown.time_left().clamp(FLUSH_MIN, FLUSH_MAX))
        {
            warn!(%error, "traces not exported");
        }
    }
}

impl Recorder {
    /// The identity of a new root span, or `None` if the ratio does not select it.
    fn new_context(&self) -> Option<SpanContext> {
        let random = RandomIdGenerator::default();
        let (trace, span) = (random.new_trace_id(), random.new_span_id());
        self.is_sampled(trace).then(|| SpanContext::new(trace, span, TraceFlags::SAMPLED, false, TraceState::default()))
    }

    fn is_sampled(&self, trace: TraceId) -> bool {
        let sampling = self.sampler.should_sample(None, trace, "", &SpanKind::Producer, &[], &[]);
        sampling.decision == SamplingDecision::RecordAndSample
    }

    fn process(&self, message: NativeMessage<'_>) -> Option<Span> {
        let sender = context_of(message).filter(|sender| sender.is_sampled() && self.is_sampled(sender.trace_id()))?;
        let mut attributes = self.attributes("process", message);
        attributes.push(KeyValue::new("messaging.kafka.offset", message.offset()));
        let builder = SpanBuilder::from_name(format!("process {}", message.topic()))
            .with_kind(SpanKind::Consumer)
            .with_attributes(attributes)
            .with_links(vec![Link::with_context(sender)]);
        Some(builder.start_with_context(&self.tracer, &Context::new()))
    }

    fn attributes(&self, operation: &'static str, message: NativeMessage<'_>) -> Vec<KeyValue> {
        let key = message.key().filter(|key| key.len() <= KEY_MAX_BYTES).and_then(|key| std::str::from_utf8(key).ok());
        let size = message.value().map(|value| value.len() as i64);
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

fn attribute((name, value): &(&'static str, &str)) -> KeyValue {
    KeyValue::new(*name, (*value).to_owned())
}

/// The attributes that the environment gives (`OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`), completed by our own.
fn resource(identity: &Identity) -> Resource {
    let Identity { service, version, instance, .. } = identity;
    let own: [(&'static str, &str); 3] =
        [("service.name", service), ("service.version", version), ("service.instance.id", instance)];
    let given = Resource::builder().build();
    // The SDK sets `unknown_service` if the environment does not name the service.
    let is_unset = |name: &str| {
        given.get(&name.to_owned().into()).is_none_or(|value| value.as_str().starts_with("unknown_service"))
    };
    let missing: Vec<KeyValue> = own.iter().filter(|(name, _)| is_unset(name)).map(attribute).collect();
    Resource::builder().with_attributes(missing).build()
}

/// The identity of the sending span, from the headers of the message.
fn context_of(message: NativeMessage<'_>) -> Option<SpanContext> {
    sending_span(message.header(c"traceparent")?, message.header(c"tracestate"))
}

/// The identity of the sending span, from the values of the headers `traceparent` and `tracestate` (W3C Trace Context). `None` if they are
/// not valid.
#[must_use]
pub fn sending_span(traceparent: &str, tracestate: Option<&str>) -> Option<SpanContext> {
    let mut texts = HashMap::from([("traceparent".to_owned(), traceparent.to_owned())]);
    texts.extend(tracestate.map(|state| ("tracestate".to_owned(), state.to_owned())));
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &texts);
    let span = context.span().span_context().clone();
    // The library also takes ids that are too short or begin with a plus sign, as if there were zeros. No span has these.
    let ids = format!("-{}-{}-", span.trace_id(), span.span_id());
    (span.is_valid() && traceparent.get(2..53) == Some(&ids)).then_some(span)
}

/// Random identities, except for a sending span, whose identity was fixed when the message was sent.
#[derive(Debug, Clone, Default)]
struct Ids(Arc<Mutex<Option<(TraceId, SpanId)>>>);

impl Ids {
    /// Gives this identity to the next root span.
    fn set_next(&self, context: &SpanContext) {
        *self.0.lock() = Some((context.trace_id(), context.span_id()));
    }
}

impl IdGenerator for Ids {
    /// The SDK asks for the span id first and for the trace id second, so this call ends the use of a fixed identity.
    fn new_trace_id(&self) -> TraceId {
        self.0.lock().take().map_or_else(|| RandomIdGenerator::default().new_trace_id(), |(trace, _)| trace)
    }

    fn new_span_id(&self) -> SpanId {
        self.0.lock().map_or_else(|| RandomIdGenerator::default().new_span_id(), |(_, span)| span)
    }
}

/// Logs failed exports, which the SDK does not report.
#[derive(Debug)]
struct LoggingExporter {
    exporter: opentelemetry_otlp::SpanExporter,
    throttle: Mutex<Throttle>,
}

impl SpanExporter for LoggingExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let result = self.exporter.export(batch).await;
        if let Err(error) = &result {
            let suppressed = self.throttle.lock().admit(Instant::now());
            if let Some(suppressed) = suppressed {
                warn!(spans, suppressed, %error, "traces not exported");
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
