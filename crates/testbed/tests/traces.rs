//! Traces, with `--features otel`: each message has a span for its sending, and a span for its processing that links to it.

use std::collections::BTreeSet;
use std::time::Duration;

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use testbed::{Broker, Collector, Span, consumer, producer};

/// Exports spans every 200 ms, so that the tests need not wait 5 s for a batch.
const EXPORT_SOON: (&str, &str) = ("OTEL_BSP_SCHEDULE_DELAY", "200");

fn ids(spans: &[Span]) -> BTreeSet<(Vec<u8>, Vec<u8>)> {
    spans.iter().map(|span| span.id.clone()).collect()
}

fn assert_attributes(span: &Span, attributes: &[(&str, &str)]) {
    for (name, value) in attributes {
        assert_eq!(span.attributes.get(*name).map(String::as_str), Some(*value), "{name} of {span:?}");
    }
}

#[test]
fn each_processing_span_links_to_its_sending_span() {
    let (broker, collector) = (Broker::start(4), Collector::start());
    let (endpoint, topic) = (collector.endpoint(), broker.topic.as_str());
    let traced = [EXPORT_SOON, ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str())];
    let mut replicas = [consumer(&broker.variables(), "g", &traced), consumer(&broker.variables(), "h", &traced)];
    let more = [traced[0], traced[1], ("PRODUCER_MAX_MESSAGES", "20"), ("PRODUCER_RATE_PER_SEC", "100")];
    let mut producer = producer(&broker.variables(), &more);
    assert_eq!(producer.wait().code(), Some(0), "{}", producer.text());
    for replica in &mut replicas {
        replica.wait_until("all messages", |replica| replica.received_count() == 20);
        broker.wait_for_commits(if replica.text().contains("\"g\"") { "g" } else { "h" }, 4, 20);
        assert_eq!(replica.stop().0, Some(0), "{}", replica.text());
    }

    let sent = collector.spans(&format!("send {topic}"));
    let processed = collector.spans(&format!("process {topic}"));
    assert_eq!((sent.len(), processed.len()), (20, 40), "stopping exports all spans");
    assert_eq!(ids(&sent).len(), 20);
    for group in ["g", "h"] {
        let group_spans = processed.iter().filter(|span| span.attributes["messaging.consumer.group.name"] == group);
        let links: BTreeSet<_> = group_spans.flat_map(|span| span.links.clone()).collect();
        assert_eq!(links, ids(&sent), "the links are the spans of all sent messages");
    }
    for span in sent.iter().chain(&processed) {
        assert_attributes(span, &[("messaging.system", "kafka"), ("messaging.destination.name", topic)]);
        assert!(span.unix_nanos.0 <= span.unix_nanos.1 && span.parent.is_empty() && span.error.is_none(), "{span:?}");
    }
    let operation = |name| [("messaging.operation.name", name), ("messaging.operation.type", name)];
    for span in &sent {
        assert_eq!((span.kind, span.links.len()), (SpanKind::Producer, 0));
        assert_attributes(span, &operation("send"));
        assert_attributes(span, &[("service.name", "producer-svc"), ("messaging.client.id", "producer-svc")]);
    }
    for span in &processed {
        assert_eq!((span.kind, span.links.len()), (SpanKind::Consumer, 1));
        assert_attributes(span, &operation("process"));
        assert_attributes(span, &[("service.name", "consumer-svc"), ("messaging.client.id", "consumer-svc")]);
        let sending = sent.iter().find(|sent| sent.id == span.links[0]).unwrap();
        for name in ["partition.id", "offset", "message.key", "body.size"] {
            let find = |span: &Span| span.attributes.iter().find(|(key, _)| key.ends_with(name)).unwrap().1.clone();
            assert_eq!(find(span), find(sending), "{name}");
        }
        assert!(sending.unix_nanos.0 <= span.unix_nanos.0, "sending starts before processing");
    }
}

#[test]
fn a_failed_delivery_is_an_error_span_with_its_reason() {
    let (broker, collector) = (Broker::start(1), Collector::start());
    let refused = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED; 5];
    broker.cluster.request_errors(RDKafkaApiKey::Produce, &refused);
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", &*collector.endpoint());
    let mut producer = producer(&broker.variables(), &[EXPORT_SOON, endpoint, ("PRODUCER_MAX_MESSAGES", "1")]);
    assert_eq!(producer.wait().code(), Some(1), "{}", producer.text());
    let sent = collector.spans(&format!("send {}", broker.topic));
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].error.as_deref(), Some("authorization"));
    assert_attributes(&sent[0], &[("error.type", "authorization")]);
}

/// What another producer put into the headers is a context or nothing, and the message is received.
#[test]
fn any_headers_are_read_or_ignored() {
    const MESSAGES: usize = 1000;
    const VALID: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let changed = (any::<Index>(), any::<u8>()).prop_map(|(index, byte)| {
        let mut text = VALID.as_bytes().to_vec();
        text[index.index(VALID.len())] = byte;
        text
    });
    let value = prop_oneof![vec(any::<u8>(), 0..80), changed, Just(VALID.as_bytes().to_vec())];
    let mut runner = TestRunner::deterministic();
    let messages = vec((value.clone(), value), MESSAGES).new_tree(&mut runner).unwrap().current();
    let (broker, collector) = (Broker::start(1), Collector::start());
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", &*collector.endpoint());
    broker.write_with_headers(
        messages.iter().map(|(parent, state)| vec![("traceparent", parent.as_slice()), ("tracestate", state)]),
    );
    let mut replica = consumer(&broker.variables(), "g", &[EXPORT_SOON, endpoint]);
    replica.wait_until("all messages", |replica| replica.received_count() == MESSAGES as u64);
    broker.wait_for_commits("g", 1, MESSAGES as i64);
    assert_eq!(replica.stop().0, Some(0), "{}", replica.text());
    let valid = messages.iter().filter(|(parent, _)| parent == VALID.as_bytes()).count();
    let processed = collector.spans(&format!("process {}", broker.topic)).len();
    assert!(valid > 0 && (valid..MESSAGES).contains(&processed), "{processed} spans, {valid} valid contexts");
}

#[test]
fn no_secret_is_in_the_traces() {
    const CANARY: &str = "hunter2-6fbe0c1d";
    let (broker, collector) = (Broker::start(1), Collector::start());
    let endpoint = collector.endpoint();
    let settings = [
        EXPORT_SOON,
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("KAFKA_PROP_SASL_KERBEROS_PRINCIPAL", CANARY),
        ("RUST_LOG", "trace"),
    ];
    let mut replica = consumer(&broker.variables(), "g", &settings);
    // A failed delivery has its reason in its span.
    let refused = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED];
    broker.cluster.request_errors(RDKafkaApiKey::Produce, &refused);
    let more = [settings.as_slice(), &[("PRODUCER_MAX_MESSAGES", "20"), ("PRODUCER_RATE_PER_SEC", "100")]].concat();
    let mut producer = producer(&broker.variables(), &more);
    assert_eq!(producer.wait().code(), Some(1), "{}", producer.text());
    replica.wait_until("messages", |replica| replica.received_count() > 0);
    assert_eq!(replica.stop().0, Some(0), "{}", replica.text());
    let bodies = String::from_utf8_lossy(&collector.bodies()).into_owned();
    // Negative control: both services and the reason are in the text that is searched.
    for expected in ["producer-svc", "consumer-svc", "authorization"] {
        assert!(bodies.contains(expected), "{expected} is missing in {bodies}");
    }
    for text in [bodies, producer.text(), replica.text()] {
        assert!(!text.contains(CANARY), "{text}");
    }
}

#[test]
fn the_sampler_ratio_decides_which_messages_are_traced() {
    let (broker, collector) = (Broker::start(1), Collector::start());
    let endpoint = collector.endpoint();
    let with = |ratio| {
        [
            EXPORT_SOON,
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
            ("OTEL_TRACES_SAMPLER", "traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", ratio),
        ]
    };
    let send = |ratio| {
        let mut more = with(ratio).to_vec();
        more.extend([("PRODUCER_MAX_MESSAGES", "10000"), ("PRODUCER_RATE_PER_SEC", "max")]);
        let mut producer = producer(&broker.variables(), &more);
        assert_eq!(producer.wait().code(), Some(0), "{}", producer.text());
        collector.spans(&format!("send {}", broker.topic)).len()
    };
    assert_eq!(send("0"), 0);
    let some = send("0.05");
    assert!((300..700).contains(&some), "{some} of 10,000 messages are traced at a ratio of 0.05");

    let process = |group, ratio| {
        let mut replica = consumer(&broker.variables(), group, &with(ratio));
        replica.wait_until("all messages", |replica| replica.received_count() == 20_000);
        broker.wait_for_commits(group, 1, 20_000);
        assert_eq!(replica.stop().0, Some(0), "{}", replica.text());
        let processed = collector.spans(&format!("process {}", broker.topic));
        processed.iter().filter(|span| span.attributes["messaging.consumer.group.name"] == group).count()
    };
    assert_eq!(process("the-same", "0.05"), some, "the consumer chooses the same messages");
    assert_eq!(process("all", "1"), some, "only messages that were sent with a trace");
    assert_eq!(process("none", "0"), 0);
}

#[test]
fn an_unreachable_collector_is_logged_and_delays_nothing() {
    let broker = Broker::start(1);
    let unreachable = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1");
    let mut producer = producer(&broker.variables(), &[EXPORT_SOON, unreachable, ("PRODUCER_RATE_PER_SEC", "100")]);
    producer.wait_for("traces not exported");
    producer.wait_until("deliveries", |producer| producer.delivered_count() > 100);
    assert_eq!(producer.with_message("traces not exported").len(), 1, "logged at most once in ten seconds");
    let (code, took) = producer.stop();
    assert_eq!(code, Some(0), "{}", producer.text());
    assert!(took < Duration::from_secs(3), "{took:?}");
}
