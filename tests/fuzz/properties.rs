//! What must hold for any bytes from outside. Each function is the body of a fuzz target and of a property test in `cargo test`.

use audit::{Account, Lines, Options, each_line};
use journal::Entry;
use kafka_config::{ConsumerSettings, Environment, ProducerSettings, VARIABLES};
use message::{EXCERPT_MAX_BYTES, KeyReader, KeyWriter, Payload, excerpt};
use serde::de::IgnoredAny;
use serde_json::Value;
#[cfg(feature = "otel")]
use service::sending_span;

/// Values of messages. What is decoded is what a JSON parser reads, and what is shown of a value is short and printable.
pub fn value(bytes: &[u8]) {
    if let Ok(payload) = Payload::decode(Some(bytes)) {
        serde_json::from_slice::<IgnoredAny>(bytes).expect("what was decoded is JSON");
        // Fails if a field that is ignored has a number that is too large for a variable.
        if let Ok(json) = serde_json::from_slice::<Value>(bytes) {
            assert_eq!(json["num"].as_u64(), Some(payload.num));
            assert_eq!(json["ts"].as_str(), Some(&*payload.ts));
        }
    }
    let shown = excerpt(bytes);
    assert!(shown.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{shown:?}");
    // An escaped byte takes four characters.
    assert!(shown.len() <= 4 * EXCERPT_MAX_BYTES + "...".len(), "{} characters", shown.len());
}

/// Keys of messages. A key that is read is exactly what a producer would have written, whatever was read before it.
pub fn key(bytes: &[u8]) {
    let mut reader = KeyReader::default();
    let read = reader.read(bytes);
    assert_eq!(reader.read(bytes), read, "the reader remembers a run");
    if let Some(key) = read {
        let mut written = Vec::new();
        KeyWriter::new(key.run).append(key.pseq, &mut written);
        assert_eq!(written, bytes);
    }
    if let Some((_, shorter)) = bytes.split_last() {
        reader.read(shorter);
        assert_eq!(reader.read(bytes), read, "the reader remembers another key");
    }
}

/// Headers with the identity of the span that sent a message: `traceparent`, and after the first line feed `tracestate`. What is read is what
/// the first one says, and can be sent on.
#[cfg(feature = "otel")]
pub fn headers(bytes: &[u8]) {
    let mut parts = bytes.splitn(2, |byte| *byte == b'\n').map(std::str::from_utf8);
    let Some(Ok(traceparent)) = parts.next() else { return };
    let Some(span) = sending_span(traceparent, parts.next().and_then(Result::ok)) else { return };
    assert!(span.is_valid() && span.is_remote());
    let written = format!("00-{}-{}-{:02x}", span.trace_id(), span.span_id(), span.trace_flags());
    assert_eq!(traceparent.get(2..53), written.get(2..53), "another identity");
    let state = span.trace_state().header();
    assert_eq!(sending_span(&written, Some(&state)), Some(span), "it is lost when it is sent on");
}

/// Lines of a log. Whatever they say, a report can be drawn up, and a line that is read back from its own JSON is the same.
pub fn log(bytes: &[u8]) {
    let judge = |options: Options| {
        let (mut account, mut lines) = (Account::new(options), Lines::default());
        each_line(bytes, &mut lines, |line| {
            let written = serde_json::to_string(&line.entry).expect("an entry is JSON");
            let read: Entry = serde_json::from_str(&written).expect("it can be read");
            assert_eq!(without_latencies(&read), without_latencies(&line.entry));
            account.add(line);
        })
        .expect("reading from memory cannot fail");
        let mut report = account.report();
        each_line(bytes, &mut Lines::default(), |line| report.add_details(line)).expect("it can be read again");
        report.lines = lines;
        (report.verdict(0), report.to_string())
    };
    let first = judge(Options::complete());
    assert_eq!(judge(Options::complete()), first, "the same evidence has one verdict");
    judge(Options::default());
}

/// The parser of JSON may miss the nearest decimal fraction by a bit, and no verdict depends on these.
fn without_latencies(entry: &Entry) -> Value {
    let mut json = serde_json::to_value(entry).expect("an entry is JSON");
    for name in ["latency_ms", "rate_per_sec"] {
        if let Some(value) = json.get_mut(name) {
            *value = Value::Null;
        }
    }
    json
}

/// Settings, one in a line: the first byte chooses the variable, the rest is its value. Wrong ones are refused, and no secret is shown.
pub fn settings(bytes: &[u8]) {
    /// Begins the value of each secret.
    const CANARY: &str = "hunter2-6fbe0c1d";
    let pairs = bytes.split(|byte| *byte == b'\n').filter_map(|line| {
        let (first, value) = line.split_first()?;
        let variable = VARIABLES.get(usize::from(*first) % VARIABLES.len())?;
        let value = String::from_utf8_lossy(value);
        // Whoever chooses the value of such a variable chooses a file of this machine.
        let is_path = variable.name.ends_with("_LOCATION");
        let value = if variable.secret { format!("{CANARY}{value}") } else { value.into_owned() };
        (!is_path).then_some((variable.name, value))
    });
    let base = [("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092"), ("KAFKA_TOPIC", "demo"), ("KAFKA_GROUP_ID", "g")];
    let base = base.map(|(name, value)| (name, value.to_owned()));
    let environment = Environment::from_pairs(base.into_iter().chain(pairs));
    let shown = [
        format!("{environment:?}"),
        ProducerSettings::from_environment(&environment).map_or_else(|error| error.to_string(), |it| format!("{it:?}")),
        ConsumerSettings::from_environment(&environment).map_or_else(|error| error.to_string(), |it| format!("{it:?}")),
    ];
    assert!(shown.iter().all(|text| !text.contains(CANARY)), "{shown:?}");
}
