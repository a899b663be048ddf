//! Sends events of the `tracing` crate to the journal, so that all lines have one format and one writer.

use std::fmt;
use std::sync::Arc;

use journal::{Journal, Level};
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry};

/// Sends the events of this process to `journal`. Only the first call has an effect, because a process has one log.
pub(crate) fn install(journal: Arc<Journal>, filter: EnvFilter) {
    // rdkafka closes a consumer when it is dropped, and logs an error if it is closed already, as ours always is by then.
    let filter = match "rdkafka::consumer::base_consumer=off".parse() {
        Ok(directive) => filter.add_directive(directive),
        Err(_) => filter,
    };
    // Fails only if logging is installed already.
    drop(Registry::default().with(ToJournal(journal).with_filter(filter)).try_init());
}

struct ToJournal(Arc<Journal>);

impl<S: Subscriber> Layer<S> for ToJournal {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let level = match *event.metadata().level() {
            tracing::Level::TRACE => Level::Trace,
            tracing::Level::DEBUG => Level::Debug,
            tracing::Level::INFO => Level::Info,
            tracing::Level::WARN => Level::Warn,
            tracing::Level::ERROR => Level::Error,
        };
        // Events are not evidence, so a failed write is ignored. Lines that account for messages do not come this way.
        drop(self.0.event(level, &fields.message, fields.rest));
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    rest: Map<String, Value>,
}

impl Fields {
    fn insert(&mut self, field: &Field, value: Value) {
        // The bridge from the `log` crate adds fields about the source location.
        if !field.name().starts_with("log.") {
            self.rest.insert(field.name().to_owned(), value);
        }
    }
}

impl Visit for Fields {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.insert(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field, value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.insert(field, value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        if field.name() == "message" {
            self.message = text;
        } else {
            // A list of partitions looks the same in `Debug` and in JSON. Anything that is not JSON is kept as text.
            self.insert(field, serde_json::from_str(&text).unwrap_or(Value::String(text)));
        }
    }
}
