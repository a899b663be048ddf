//! Everything that is logged with `tracing`, in the same form and through the same writer as the journal.

use std::fmt;
use std::sync::Arc;

use journal::{Journal, Level};
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry};

/// Sends this process' events to `journal`. The first call wins: a process has one log.
pub(crate) fn install(journal: Arc<Journal>, filter: EnvFilter) {
    // rdkafka closes a consumer on drop, and complains when it has been closed already, as ours always has by then.
    let filter = match "rdkafka::consumer::base_consumer=off".parse() {
        Ok(directive) => filter.add_directive(directive),
        Err(_) => filter,
    };
    // An error means that logging is installed already.
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
        // Nothing rests on these lines; those that something rests on don't come this way.
        drop(self.0.event(level, &fields.message, &fields.others));
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    others: Map<String, Value>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        // What the bridge from the `log` crate adds about its source.
        if !field.name().starts_with("log.") {
            self.others.insert(field.name().to_owned(), value);
        }
    }
}

impl Visit for Fields {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        if field.name() == "message" {
            self.message = text;
        } else {
            // Lists of partitions look the same in `Debug` and in JSON; what is no JSON is text.
            self.put(field, serde_json::from_str(&text).unwrap_or(Value::String(text)));
        }
    }
}
