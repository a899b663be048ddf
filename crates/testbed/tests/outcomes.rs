//! How the services end, and what they say, when the settings or the broker are not as they should be.

use std::net::TcpListener;
use std::time::Duration;

use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use testbed::{Broker, Process, binary, consumer, producer};

const CANARY: &str = "hunter2-6fbe0c1d";

/// A port on which nobody answers, and whether somebody asked.
struct Silent(TcpListener);

impl Silent {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        listener.set_nonblocking(true).expect("a listener");
        Self(listener)
    }

    fn variables(&self) -> Vec<(String, String)> {
        let address = self.0.local_addr().expect("a listener").to_string();
        vec![("KAFKA_BOOTSTRAP_SERVERS".into(), address), ("KAFKA_TOPIC".into(), "t".into())]
    }

    fn was_contacted(&self) -> bool {
        self.0.accept().is_ok()
    }
}

#[test]
fn wrong_settings_end_with_64_all_told_and_nothing_contacted() {
    let silent = Silent::new();
    let wrong = [
        ("KAFKA_LINGER_MS", "soon"),
        ("KAFKA_SESSION_TIMEOUT_MS", "soon"),
        ("KAFKA_SASL_PASSWORD", CANARY),
        ("KAFKA_PROP_ENABLE_IDEMPOTENCE", "false"),
        ("KAFKA_PROP_QUEUED_MIN_MESSAGES", CANARY),
        ("RUST_LOG", "info,=,"),
    ];
    for (mut service, own) in [
        (producer(&silent.variables(), &wrong), "KAFKA_LINGER_MS"),
        (consumer(&silent.variables(), "g", &wrong), "KAFKA_SESSION_TIMEOUT_MS"),
    ] {
        assert_eq!(service.wait().code(), Some(64));
        let text = service.text();
        for variable in
            [own, "KAFKA_SASL_USERNAME", "KAFKA_PROP_ENABLE_IDEMPOTENCE", "KAFKA_PROP_QUEUED_MIN_MESSAGES", "RUST_LOG"]
        {
            assert!(text.contains(variable), "{variable}: {text}");
        }
        assert!(!text.contains(CANARY));
    }
    assert!(!silent.was_contacted());
}

#[test]
fn settings_that_only_librdkafka_finds_wrong_end_with_64_too() {
    let silent = Silent::new();
    let wrong = [("KAFKA_PROP_FETCH_MAX_BYTES", "1000"), ("KAFKA_PROP_MESSAGE_MAX_BYTES", "100000")];
    let mut service = consumer(&silent.variables(), "g", &wrong);
    assert_eq!(service.wait().code(), Some(64), "{}", service.text());
    assert!(service.text().contains("KAFKA_PROP_FETCH_MAX_BYTES"), "{}", service.text());
    assert!(!silent.was_contacted());
    // Negative control: with good settings somebody asks.
    let good = consumer(&silent.variables(), "g", &[]);
    good.wait_for("broker unreachable");
    assert!(silent.was_contacted());
}

#[test]
fn a_wrong_argument_ends_with_64_and_help_lists_the_settings() {
    for name in ["producer-svc", "consumer-svc"] {
        let mut wrong = Process::start(binary(name), &["--brokers", "x"], &[]);
        assert_eq!(wrong.wait().code(), Some(64));
        let mut help = Process::start(binary(name), &["--help"], &[]);
        assert_eq!(help.wait().code(), Some(0));
        assert!(help.text().contains("KAFKA_BOOTSTRAP_SERVERS"));
    }
}

#[test]
fn an_unreachable_broker_is_waited_for_and_told_with_the_next_step() {
    let silent = Silent::new();
    let (port, variables) = (silent.0.local_addr().unwrap().port(), silent.variables());
    drop(silent);
    let start: [&dyn Fn() -> Process; 2] = [&|| producer(&variables, &[]), &|| consumer(&variables, "g", &[])];
    for start in start {
        let mut service = start();
        service.wait_for("broker unreachable");
        let line = &service.with_message("broker unreachable")[0];
        assert!(line["bootstrap_servers"].as_str().unwrap().contains(&port.to_string()));
        assert!(line["next_step"].is_string() && line["error"].is_string());
        assert!(
            service.stays(Duration::from_secs(5), |it| it.with_message("broker unreachable").len() == 1),
            "once in 10 s: {}",
            service.text()
        );
        assert_eq!(service.stop().0, Some(0), "it was stopped before it had anything to do");
    }
}

#[test]
fn a_missing_topic_is_told_and_waited_for() {
    let broker = Broker::start(0);
    let mut config = broker.variables();
    config.push(("PRODUCER_MAX_MESSAGES".into(), "3".into()));
    config.push(("PRODUCER_RATE_PER_SEC".into(), "10".into()));
    broker.cluster.topic_error(&broker.topic, RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART).unwrap();
    let mut producer = producer(&config, &[]);
    let mut replica = consumer(&config, "g", &[]);
    for service in [&producer, &replica] {
        service.wait_for("topic missing");
        assert_eq!(service.with_message("topic missing")[0]["topic"], broker.topic.as_str());
    }
    broker.cluster.topic_error(&broker.topic, RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR).unwrap();
    assert_eq!(producer.wait().code(), Some(0), "{}", producer.text());
    replica.wait_until("the messages", |it| it.received_count() == 3);
    assert_eq!(replica.stop().0, Some(0));
}

#[test]
fn a_refused_account_ends_with_77_within_ten_seconds() {
    let broker = Broker::start(1);
    let refused = RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    broker.cluster.topic_error(&broker.topic, refused).unwrap();
    for mut service in [producer(&broker.variables(), &[]), consumer(&broker.variables(), "g", &[])] {
        let start = std::time::Instant::now();
        assert_eq!(service.wait().code(), Some(77), "{}", service.text());
        assert!(start.elapsed() < Duration::from_secs(10));
        assert!(service.with_message("service stopped")[0]["reason"].as_str().unwrap().contains("refused the account"));
    }
}

#[test]
fn a_refused_group_ends_with_77() {
    let broker = Broker::start(1);
    let refused = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED; 100];
    broker.cluster.request_errors(RDKafkaApiKey::FindCoordinator, &refused);
    let mut replica = consumer(&broker.variables(), "g", &[]);
    assert_eq!(replica.wait().code(), Some(77), "{}", replica.text());
}

/// What a producer hears whose account may write to no topic of the cluster.
#[test]
fn an_account_without_any_right_to_write_ends_with_77() {
    let broker = Broker::start(1);
    let refused = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED; 100];
    broker.cluster.request_errors(RDKafkaApiKey::InitProducerId, &refused);
    let mut producer = producer(&broker.variables(), &[]);
    assert_eq!(producer.wait().code(), Some(77), "{}", producer.text());
    assert!(producer.with_message("service stopped")[0]["reason"].as_str().unwrap().contains("refused the account"));
}

#[test]
fn an_account_that_worked_and_is_refused_later_is_waited_for() {
    let broker = Broker::start(1);
    let mut producer = producer(&broker.variables(), &[("PRODUCER_RATE_PER_SEC", "50")]);
    producer.wait_until("deliveries", |it| it.delivered_count() > 10);
    let refused = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED; 60];
    broker.cluster.request_errors(RDKafkaApiKey::Produce, &refused);
    producer.wait_for("messages not delivered");
    assert_eq!(producer.with_message("messages not delivered")[0]["outcome"], "rejected");
    let before = producer.delivered_count();
    producer.wait_until("deliveries again", |it| it.delivered_count() > before + 50);
    assert_eq!(producer.stop().0, Some(1), "some numbers are not delivered, and it says so");
}

#[test]
fn a_broker_without_sasl_is_waited_for_with_the_cause_and_no_secret_is_shown() {
    let broker = Broker::start(1);
    let account = [
        ("KAFKA_SASL_USERNAME", "me"),
        ("KAFKA_SASL_PASSWORD", CANARY),
        ("KAFKA_PROP_SSL_KEYSTORE_PASSWORD", CANARY),
        ("RUST_LOG", "trace"),
        ("KAFKA_PROP_DEBUG", "all"),
    ];
    for mut service in [producer(&broker.variables(), &account), consumer(&broker.variables(), "g", &account)] {
        service.wait_for("broker unreachable");
        assert!(service.with_message("broker unreachable")[0]["error"].as_str().unwrap().contains("SASL"));
        assert_eq!(service.stop().0, Some(0));
        assert!(!service.text().contains(CANARY), "a secret is in the log");
        assert!(service.text().contains("librdkafka"), "the client's own lines were there to look at");
    }
}
