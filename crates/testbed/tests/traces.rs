//! What is traced, with `--features otel`: the sending and the processing of each message, linked.

use std::collections::BTreeSet;
use std::time::Duration;

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use testbed::{Broker, Collector, Span, consumer, producer};

/// So that nobody waits for the batch.
const AT_ONCE: (&str, &str) = ("OTEL_BSP_SCHEDULE_DELAY", "200");

fn ids(spans: &[Span]) -> BTreeSet<(Vec<u8>, Vec<u8>)> {
    spans.iter().map(|span| span.id.clone()).collect()
}

fn has(span: &Span, attributes: &[(&str, &str)]) {
    for (name, value) in attributes {
        assert_eq!(span.attributes.get(*name).map(String::as_str), Some(*value), "{name} of {span:?}");
    }
}

#[test]
fn each_processing_is_linked_to_its_sending() {
    let (broker, collector) = (Broker::start(4), Collector::start());
    let (endpoint, topic) = (collector.endpoint(), broker.topic.as_str());
    let traced = [AT_ONCE, ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str())];
    let mut replicas = [consumer(&broker.variables(), "g", &traced), consumer(&broker.variables(), "h", &traced)];
    let more = [traced[0], traced[1], ("PRODUCER_MAX_MESSAGES", "20"), ("PRODUCER_RATE_PER_SEC", "100")];
    let mut producer = producer(&broker.variables(), &more);
    assert_eq!(producer.wait().code(), Some(0), "{}", producer.text());
    for replica in &mut replicas {
        replica.wait_until("all", |it| it.received_count() == 20);
        broker.wait_for_commits(if replica.text().contains("\"g\"") { "g" } else { "h" }, 4, 20);
        assert_eq!(replica.stop().0, Some(0), "{}", replica.text());
    }

    let sent = collector.spans(&format!("send {topic}"));
    let processed = collector.spans(&format!("process {topic}"));
    assert_eq!((sent.len(), processed.len()), (20, 40), "at the end, everything is exported");
    assert_eq!(ids(&sent).len(), 20);
    for group in ["g", "h"] {
        let of_group = processed.iter().filter(|span| span.attributes["messaging.consumer.group.name"] == group);
        let links: BTreeSet<_> = of_group.flat_map(|span| span.links.clone()).collect();
        assert_eq!(links, ids(&sent), "each processing has its sending");
    }
    for span in sent.iter().chain(&processed) {
        has(span, &[("messaging.system", "kafka"), ("messaging.destination.name", topic)]);
        assert!(span.unix_nanos.0 <= span.unix_nanos.1 && span.parent.is_empty() && span.error.is_none(), "{span:?}");
    }
    let operation = |name| [("messaging.operation.name", name), ("messaging.operation.type", name)];
    for span in &sent {
        assert_eq!((span.kind, span.links.len()), (SpanKind::Producer, 0));
        has(span, &operation("send"));
        has(span, &[("service.name", "producer-svc"), ("messaging.client.id", "producer-svc")]);
    }
    for span in &processed {
        assert_eq!((span.kind, span.links.len()), (SpanKind::Consumer, 1));
        has(span, &operation("process"));
        has(span, &[("service.name", "consumer-svc"), ("messaging.client.id", "consumer-svc")]);
        let of_sender = sent.iter().find(|it| it.id == span.links[0]).unwrap();
        for name in ["partition.id", "offset", "message.key", "body.size"] {
            let find = |span: &Span| span.attributes.iter().find(|(key, _)| key.ends_with(name)).unwrap().1.clone();
            assert_eq!(find(span), find(of_sender), "{name}");
        }
        assert!(of_sender.unix_nanos.0 <= span.unix_nanos.0, "sent before it is processed");
    }
}

#[test]
fn what_fails_is_an_error_with_its_reason() {
    let (broker, collector) = (Broker::start(1), Collector::start());
    let refused = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED; 5];
    broker.cluster.request_errors(RDKafkaApiKey::Produce, &refused);
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", &*collector.endpoint());
    let mut producer = producer(&broker.variables(), &[AT_ONCE, endpoint, ("PRODUCER_MAX_MESSAGES", "1")]);
    assert_eq!(producer.wait().code(), Some(1), "{}", producer.text());
    let sent = collector.spans(&format!("send {}", broker.topic));
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].error.as_deref(), Some("authorization"));
    has(&sent[0], &[("error.type", "authorization")]);
}

#[test]
fn the_ratio_chooses_what_is_traced() {
    let (broker, collector) = (Broker::start(1), Collector::start());
    let endpoint = collector.endpoint();
    let with = |ratio| {
        [
            AT_ONCE,
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
    assert!((300..700).contains(&some), "{some} of 10,000 with a ratio of 0.05");

    let process = |group, ratio| {
        let mut replica = consumer(&broker.variables(), group, &with(ratio));
        replica.wait_until("all", |it| it.received_count() == 20_000);
        broker.wait_for_commits(group, 1, 20_000);
        assert_eq!(replica.stop().0, Some(0), "{}", replica.text());
        let processed = collector.spans(&format!("process {}", broker.topic));
        processed.iter().filter(|span| span.attributes["messaging.consumer.group.name"] == group).count()
    };
    assert_eq!(process("the-same", "0.05"), some, "the same messages");
    assert_eq!(process("all", "1"), some, "no more than were sent with a trace");
    assert_eq!(process("none", "0"), 0);
}

#[test]
fn a_collector_that_is_away_is_told_of_and_keeps_nobody() {
    let broker = Broker::start(1);
    let away = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1");
    let mut producer = producer(&broker.variables(), &[AT_ONCE, away, ("PRODUCER_RATE_PER_SEC", "100")]);
    producer.wait_for("traces not exported");
    producer.wait_until("deliveries", |it| it.delivered_count() > 100);
    assert_eq!(producer.with_message("traces not exported").len(), 1, "once in ten seconds");
    let (code, took) = producer.stop();
    assert_eq!(code, Some(0), "{}", producer.text());
    assert!(took < Duration::from_secs(3), "{took:?}");
}
