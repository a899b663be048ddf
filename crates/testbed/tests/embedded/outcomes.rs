//! Exit codes and messages of the services when a setting is wrong or the broker does not do what they need.

use std::net::TcpListener;
use std::time::Duration;

use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use testbed::{Broker, Process, binary, consumer, producer};

/// A secret that must not appear in any output.
const CANARY: &str = "hunter2-6fbe0c1d";

/// A port that accepts connections and never answers. It records whether a client connected.
struct SilentPort(TcpListener);

impl SilentPort {
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
fn wrong_settings_exit_with_64_list_every_problem_and_contact_no_broker() {
    let silent = SilentPort::new();
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
fn settings_that_only_librdkafka_rejects_exit_with_64() {
    let silent = SilentPort::new();
    let wrong = [("KAFKA_PROP_FETCH_MAX_BYTES", "1000"), ("KAFKA_PROP_MESSAGE_MAX_BYTES", "100000")];
    let mut service = consumer(&silent.variables(), "g", &wrong);
    assert_eq!(service.wait().code(), Some(64), "{}", service.text());
    assert!(service.text().contains("KAFKA_PROP_FETCH_MAX_BYTES"), "{}", service.text());
    assert!(!silent.was_contacted());
    // Negative control: with valid settings the service does connect.
    let good = consumer(&silent.variables(), "g", &[]);
    good.wait_for("broker unreachable");
    assert!(silent.was_contacted());
}

#[test]
fn a_wrong_argument_exits_with_64_and_help_lists_the_settings() {
    for name in ["producer-svc", "consumer-svc"] {
        let mut wrong = Process::start(binary(name), &["--brokers", "x"], &[]);
        assert_eq!(wrong.wait().code(), Some(64));
        let mut help = Process::start(binary(name), &["--help"], &[]);
        assert_eq!(help.wait().code(), Some(0));
        assert!(help.text().contains("KAFKA_BOOTSTRAP_SERVERS"));
    }
}

#[test]
fn services_wait_for_an_unreachable_broker_and_log_the_next_step() {
    let silent = SilentPort::new();
    let (port, variables) = (silent.0.local_addr().unwrap().port(), silent.variables());
    drop(silent);
    let start: [&dyn Fn() -> Process; 2] = [&|| producer(&variables, &[]), &|| consumer(&variables, "g", &[])];
    for start in start {
        let mut service = start();
        service.wait_for("broker unreachable");
        let line = &service.with_message("broker unreachable")[0];
        assert!(line["bootstrap_servers"].as_str().unwrap().contains(&port.to_string()));
        assert!(line["next_step"].is_string() && line["error"].is_string());
        assert_eq!(line["cause"], "nothing listens at the address of the broker");
        assert!(
            service.stays(Duration::from_secs(5), |service| service.with_message("broker unreachable").len() == 1),
            "logged at most once in 10 s: {}",
            service.text()
        );
        assert_eq!(service.stop().0, Some(0), "it had not accepted anything, so nothing is left undone");
    }
}

#[test]
fn services_wait_for_a_missing_topic_and_log_its_name() {
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
    replica.wait_until("the messages", |replica| replica.received_count() == 3);
    assert_eq!(replica.stop().0, Some(0));
}

#[test]
fn a_refused_account_exits_with_77_within_ten_seconds() {
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
fn a_refused_group_exits_with_77() {
    let broker = Broker::start(1);
    let refused = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED; 100];
    broker.cluster.request_errors(RDKafkaApiKey::FindCoordinator, &refused);
    let mut replica = consumer(&broker.variables(), "g", &[]);
    assert_eq!(replica.wait().code(), Some(77), "{}", replica.text());
}

/// The broker refuses `InitProducerId` with this error if the account may write to no topic of the cluster.
#[test]
fn an_account_that_may_write_to_no_topic_exits_with_77() {
    let broker = Broker::start(1);
    let refused = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED; 100];
    broker.cluster.request_errors(RDKafkaApiKey::InitProducerId, &refused);
    let mut producer = producer(&broker.variables(), &[]);
    assert_eq!(producer.wait().code(), Some(77), "{}", producer.text());
    assert!(producer.with_message("service stopped")[0]["reason"].as_str().unwrap().contains("refused the account"));
}

#[test]
fn a_producer_whose_account_is_refused_later_keeps_running_and_exits_with_1() {
    let broker = Broker::start(1);
    let mut producer = producer(&broker.variables(), &[("PRODUCER_RATE_PER_SEC", "50")]);
    producer.wait_until("deliveries", |producer| producer.delivered_count() > 10);
    let refused = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED; 60];
    broker.cluster.request_errors(RDKafkaApiKey::Produce, &refused);
    producer.wait_for("messages not delivered");
    assert_eq!(producer.with_message("messages not delivered")[0]["outcome"], "rejected");
    let before = producer.delivered_count();
    producer.wait_until("deliveries again", |producer| producer.delivered_count() > before + 50);
    assert_eq!(producer.stop().0, Some(1), "some messages were not delivered");
}

#[test]
fn services_wait_for_a_broker_without_sasl_log_the_cause_and_show_no_secret() {
    let broker = Broker::start(1);
    let account = [
        ("KAFKA_SASL_USERNAME", "me"),
        ("KAFKA_SASL_PASSWORD", CANARY),
        ("KAFKA_PROP_SASL_KERBEROS_PRINCIPAL", CANARY),
        ("RUST_LOG", "trace"),
        ("KAFKA_PROP_DEBUG", "all"),
    ];
    for mut service in [producer(&broker.variables(), &account), consumer(&broker.variables(), "g", &account)] {
        service.wait_for("broker unreachable");
        let line = &service.with_message("broker unreachable")[0];
        assert!(line["error"].as_str().unwrap().contains("SASL"));
        assert_eq!(line["cause"], "the broker takes no account (SASL) on this port");
        assert_eq!(service.stop().0, Some(0));
        assert!(!service.text().contains(CANARY), "the log contains a secret");
        assert!(
            service.text().contains("librdkafka"),
            "librdkafka's debug lines are in the log, so they were searched, too"
        );
    }
}
