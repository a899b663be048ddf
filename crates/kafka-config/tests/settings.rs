//! What settings are accepted, what is said of those that are not, and that no secret is ever said.

use std::io::Write as _;

use kafka_config::{
    AutoOffsetReset, ConsumerSettings, Environment, LogMessages, Problems, ProducerSettings, Rate, VARIABLES,
};

const CANARY: &str = "hunter2-6fbe0c1d";

fn environment(extra: &[(&str, &str)]) -> Environment {
    let base = [("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092"), ("KAFKA_TOPIC", "demo"), ("KAFKA_GROUP_ID", "g")];
    // The extra ones win, as later pairs replace earlier ones.
    Environment::from_pairs(base.iter().chain(extra).copied())
}

fn producer(extra: &[(&str, &str)]) -> Result<ProducerSettings, Problems> {
    ProducerSettings::from_environment(&environment(extra))
}

fn consumer(extra: &[(&str, &str)]) -> Result<ConsumerSettings, Problems> {
    ConsumerSettings::from_environment(&environment(extra))
}

fn named(problems: &Problems) -> Vec<&str> {
    problems.0.iter().map(|problem| problem.variable.as_str()).collect()
}

fn property(settings: &kafka_config::Properties, name: &str) -> Option<String> {
    settings.client_config().get(name).map(str::to_owned)
}

#[test]
fn a_server_and_a_topic_are_enough_without_an_account() {
    let settings = producer(&[]).unwrap();
    assert_eq!(settings.rate, Rate::PerSec(1.0));
    assert_eq!(settings.max_messages, 0);
    assert_eq!(settings.connection.security_protocol, "PLAINTEXT");
    assert_eq!(settings.connection.sasl_mechanism, None);
    assert_eq!(settings.runtime.log_messages, LogMessages::Auto);
    assert_eq!(property(&settings.properties, "enable.idempotence").unwrap(), "true");
    assert_eq!(property(&settings.properties, "sasl.mechanism"), None);
}

#[test]
fn user_and_password_alone_turn_sasl_on() {
    let account = [("KAFKA_SASL_USERNAME", "me"), ("KAFKA_SASL_PASSWORD", CANARY)];
    let settings = consumer(&account).unwrap();
    assert_eq!(settings.connection.security_protocol, "SASL_PLAINTEXT");
    assert_eq!(settings.connection.sasl_mechanism, Some("PLAIN"));
    assert!(!settings.connection.exposes_password, "it stays on this machine");
    assert_eq!(property(&settings.properties, "sasl.password").unwrap(), CANARY);
    let remote = [("KAFKA_BOOTSTRAP_SERVERS", "kafka.example:9092"), account[0], account[1]];
    assert!(consumer(&remote).unwrap().connection.exposes_password);
}

#[test]
fn names_of_protocols_and_mechanisms_may_be_in_any_case() {
    let settings = consumer(&[
        ("KAFKA_SECURITY_PROTOCOL", "sasl_plaintext"),
        ("KAFKA_SASL_MECHANISM", "scram-sha-512"),
        ("KAFKA_SASL_USERNAME", "me"),
        ("KAFKA_SASL_PASSWORD", CANARY),
    ])
    .unwrap();
    assert_eq!(settings.connection.security_protocol, "SASL_PLAINTEXT");
    assert_eq!(property(&settings.properties, "sasl.mechanism").unwrap(), "SCRAM-SHA-512");
}

#[test]
fn every_mechanism_that_is_offered_can_create_a_client() {
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        let settings = producer(&[
            ("KAFKA_SASL_MECHANISM", mechanism),
            ("KAFKA_SASL_USERNAME", "me"),
            ("KAFKA_SASL_PASSWORD", CANARY),
        ])
        .unwrap();
        let client: Result<rdkafka::producer::BaseProducer, _> = settings.properties.client_config().create();
        assert!(client.is_ok(), "{mechanism}");
    }
    let settings = producer(&[("KAFKA_SASL_OAUTHBEARER_CONFIG", "principal=me")]).unwrap();
    assert_eq!(settings.connection.sasl_mechanism, Some("OAUTHBEARER"));
    let client: Result<rdkafka::producer::BaseProducer, _> = settings.properties.client_config().create();
    assert!(client.is_ok());
}

#[test]
fn reports_every_problem_at_once() {
    let environment = Environment::from_pairs([
        ("KAFKA_SECURITY_PROTOCOL", "carrier pigeon"),
        ("KAFKA_SASL_USERNAME", "me"),
        ("KAFKA_LINGER_MS", "soon"),
        ("PRODUCER_RATE_PER_SEC", "-1"),
        ("PRODUCER_MAX_MESSAGES", "1.5"),
        ("KAFKA_ACKS", "1"),
        ("KAFKA_PROP_NO_SUCH_THING", "1"),
        ("KAFKA_PROP_ENABLE_IDEMPOTENCE", "false"),
        ("KAFKA_PROP_GROUP_ID", "g"),
        ("LOG_FORMAT", "xml"),
    ]);
    let problems = ProducerSettings::from_environment(&environment).unwrap_err();
    for variable in [
        "KAFKA_BOOTSTRAP_SERVERS",
        "KAFKA_TOPIC",
        "KAFKA_SECURITY_PROTOCOL",
        "KAFKA_LINGER_MS",
        "PRODUCER_RATE_PER_SEC",
        "PRODUCER_MAX_MESSAGES",
        "KAFKA_ACKS",
        "KAFKA_PROP_NO_SUCH_THING",
        "KAFKA_PROP_ENABLE_IDEMPOTENCE",
        "KAFKA_PROP_GROUP_ID",
        "LOG_FORMAT",
    ] {
        assert_eq!(named(&problems).iter().filter(|name| **name == variable).count(), 1, "{variable} in {problems}");
    }
}

/// A value that no variable of that kind accepts, and who must complain.
#[test]
fn every_checked_variable_refuses_nonsense_under_its_own_name() {
    // Free text, or checked by what it means to others.
    let free = [
        "KAFKA_CLIENT_ID",
        "KAFKA_SASL_USERNAME",
        "KAFKA_SASL_PASSWORD",
        "KAFKA_SASL_OAUTHBEARER_CONFIG",
        "KAFKA_SSL_KEY_PASSWORD",
        "KAFKA_GROUP_ID",
        "KAFKA_GROUP_INSTANCE_ID",
        "RUST_LOG",
    ];
    for variable in VARIABLES.iter().filter(|variable| !free.contains(&variable.name)) {
        let nonsense = [(variable.name, "\u{1}no such value")];
        let problems: Vec<Problems> =
            [producer(&nonsense).err(), consumer(&nonsense).err()].into_iter().flatten().collect();
        assert!(!problems.is_empty(), "{} accepts anything", variable.name);
        for problems in problems {
            assert!(named(&problems).contains(&variable.name), "{}: {problems}", variable.name);
            assert!(!problems.to_string().contains("no such value"), "a value is repeated: {problems}");
        }
    }
}

#[test]
fn the_rules_of_sasl_are_told_by_variable() {
    let cases: &[(&[(&str, &str)], &str)] = &[
        (&[("KAFKA_SASL_USERNAME", "me")], "KAFKA_SASL_PASSWORD"),
        (&[("KAFKA_SASL_PASSWORD", CANARY)], "KAFKA_SASL_USERNAME"),
        (&[("KAFKA_SECURITY_PROTOCOL", "SASL_SSL")], "KAFKA_SASL_USERNAME"),
        (&[("KAFKA_SASL_MECHANISM", "PLAIN")], "KAFKA_SASL_MECHANISM"),
        (
            &[("KAFKA_SECURITY_PROTOCOL", "PLAINTEXT"), ("KAFKA_SASL_USERNAME", "me"), ("KAFKA_SASL_PASSWORD", CANARY)],
            "KAFKA_SECURITY_PROTOCOL",
        ),
        (
            &[("KAFKA_SECURITY_PROTOCOL", "PLAINTEXT"), ("KAFKA_SSL_CA_LOCATION", "/dev/null")],
            "KAFKA_SECURITY_PROTOCOL",
        ),
        (
            &[("KAFKA_SASL_MECHANISM", "OAUTHBEARER"), ("KAFKA_SECURITY_PROTOCOL", "SASL_SSL")],
            "KAFKA_SASL_OAUTHBEARER_CONFIG",
        ),
        (&[("KAFKA_SSL_CERTIFICATE_LOCATION", "/dev/null")], "KAFKA_SSL_KEY_LOCATION"),
        (&[("KAFKA_SSL_CA_LOCATION", "/no/such/file")], "KAFKA_SSL_CA_LOCATION"),
    ];
    for (extra, expected) in cases {
        let problems = consumer(extra).unwrap_err();
        assert!(named(&problems).contains(expected), "{expected}: {problems}");
        assert!(!problems.to_string().contains(CANARY));
    }
}

#[test]
fn settings_that_do_not_fit_together_are_refused() {
    let cases: &[(&[(&str, &str)], &str)] = &[
        (&[("KAFKA_SESSION_TIMEOUT_MS", "90000")], "KAFKA_MAX_POLL_INTERVAL_MS"),
        (&[("KAFKA_SESSION_TIMEOUT_MS", "2999")], "KAFKA_SESSION_TIMEOUT_MS"),
        (&[("KAFKA_PROP_HEARTBEAT_INTERVAL_MS", "4000")], "KAFKA_SESSION_TIMEOUT_MS"),
        (&[("KAFKA_GROUP_PROTOCOL", "consumer"), ("KAFKA_SESSION_TIMEOUT_MS", "9000")], "KAFKA_SESSION_TIMEOUT_MS"),
    ];
    for (extra, expected) in cases {
        assert_eq!(named(&consumer(extra).unwrap_err()), [*expected]);
    }
    let problems = producer(&[("KAFKA_LINGER_MS", "5000"), ("KAFKA_DELIVERY_TIMEOUT_MS", "5000")]).unwrap_err();
    assert_eq!(named(&problems), ["KAFKA_DELIVERY_TIMEOUT_MS"]);
}

#[test]
fn what_only_librdkafka_sees_is_told_when_the_client_is_created() {
    let settings =
        consumer(&[("KAFKA_PROP_FETCH_MAX_BYTES", "1000"), ("KAFKA_PROP_MESSAGE_MAX_BYTES", "100000")]).unwrap();
    let error = settings.properties.client_config().create::<rdkafka::consumer::BaseConsumer>().err().unwrap();
    let problems = settings.properties.refused(&error);
    assert!(problems.to_string().contains("KAFKA_PROP_FETCH_MAX_BYTES"), "{problems}");
}

#[test]
fn both_group_protocols_can_create_a_client() {
    for protocol in ["classic", "consumer"] {
        let settings = consumer(&[("KAFKA_GROUP_PROTOCOL", protocol), ("KAFKA_AUTO_OFFSET_RESET", "error")]).unwrap();
        assert_eq!(settings.auto_offset_reset, AutoOffsetReset::Error);
        let client: Result<rdkafka::consumer::BaseConsumer, _> = settings.properties.client_config().create();
        assert!(client.is_ok(), "{protocol}");
    }
}

#[test]
fn linger_follows_the_rate_unless_it_is_set() {
    let linger = |extra: &[(&str, &str)]| property(&producer(extra).unwrap().properties, "linger.ms").unwrap();
    assert_eq!(linger(&[]), "0");
    assert_eq!(linger(&[("PRODUCER_RATE_PER_SEC", "1000")]), "0");
    assert_eq!(linger(&[("PRODUCER_RATE_PER_SEC", "1001")]), "5");
    assert_eq!(linger(&[("PRODUCER_RATE_PER_SEC", "MAX")]), "5");
    assert_eq!(linger(&[("PRODUCER_RATE_PER_SEC", "max"), ("KAFKA_LINGER_MS", "0")]), "0");
}

#[test]
fn any_other_property_passes_through_and_wins_over_our_default() {
    let settings = consumer(&[("KAFKA_PROP_QUEUED_MIN_MESSAGES", "1000"), ("KAFKA_PROP_CLIENT_RACK", "a")]).unwrap();
    assert_eq!(property(&settings.properties, "queued.min.messages").unwrap(), "1000");
    assert_eq!(property(&settings.properties, "client.rack").unwrap(), "a");
}

#[test]
fn empty_values_count_as_not_set() {
    let settings =
        producer(&[("KAFKA_SASL_USERNAME", ""), ("KAFKA_SASL_PASSWORD", ""), ("KAFKA_LINGER_MS", "")]).unwrap();
    assert_eq!(settings.connection.security_protocol, "PLAINTEXT");
}

#[test]
fn a_secret_file_may_end_in_any_line_end() {
    for (content, expected) in [("p w\n", "p w"), ("p w\r\n", "p w"), ("p w", "p w"), (" p w \n\n", " p w \n")] {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content.as_bytes()).unwrap();
        let path = file.path().to_str().unwrap();
        let settings = producer(&[("KAFKA_SASL_USERNAME", "me"), ("KAFKA_SASL_PASSWORD_FILE", path)]).unwrap();
        assert_eq!(property(&settings.properties, "sasl.password").unwrap(), expected);
        let settings = producer(&[("KAFKA_PROP_SSL_KEYSTORE_PASSWORD_FILE", path)]).unwrap();
        assert_eq!(property(&settings.properties, "ssl.keystore.password").unwrap(), expected);
    }
}

#[test]
fn a_secret_file_that_cannot_be_used_is_one_problem_under_its_own_name() {
    let empty = tempfile::NamedTempFile::new().unwrap();
    for path in ["/no/such/secret", empty.path().to_str().unwrap(), "/dev/zero"] {
        let problems = producer(&[("KAFKA_SASL_USERNAME", "me"), ("KAFKA_SASL_PASSWORD_FILE", path)]).unwrap_err();
        assert_eq!(named(&problems), ["KAFKA_SASL_PASSWORD_FILE"], "{path}");
        assert!(!problems.to_string().contains(path), "the path may be the secret, put into the wrong variable");
    }
    let both =
        [("KAFKA_SASL_USERNAME", "me"), ("KAFKA_SASL_PASSWORD", CANARY), ("KAFKA_SASL_PASSWORD_FILE", "/dev/null")];
    assert_eq!(named(&producer(&both).unwrap_err()), ["KAFKA_SASL_PASSWORD_FILE"]);
}

#[test]
fn no_secret_is_ever_shown() {
    let secrets: &[(&str, &str)] = &[
        ("KAFKA_SASL_USERNAME", "me"),
        ("KAFKA_SASL_PASSWORD", CANARY),
        ("KAFKA_SSL_KEY_PASSWORD", CANARY),
        ("KAFKA_PROP_SSL_KEY_PEM", CANARY),
        ("KAFKA_PROP_SASL_OAUTHBEARER_CLIENT_SECRET", CANARY),
        ("KAFKA_PROP_QUEUED_MIN_MESSAGES", CANARY),
        ("KAFKA_PROP_HUNTER", CANARY),
        ("KAFKA_LINGER_MS", CANARY),
        ("KAFKA_SECURITY_PROTOCOL", CANARY),
    ];
    let environment = environment(secrets);
    let problems = consumer(secrets).unwrap_err();
    let shown = format!("{environment:?} {problems} {problems:?} {:?}", environment.unknown());
    assert!(!shown.contains(CANARY), "{shown}");
    let settings = consumer(&secrets[..2]).unwrap();
    let shown = format!("{settings:?} {:?}", settings.properties);
    assert!(!shown.contains(CANARY), "{shown}");
    assert!(!settings.properties.redact(&format!("sasl failed: {CANARY}")).contains(CANARY));
}

#[test]
fn readme_and_example_say_what_the_code_does() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let readme = std::fs::read_to_string(format!("{root}/README.md")).unwrap();
    let table = readme.split("<!-- settings -->").nth(1).unwrap().trim();
    assert_eq!(table, kafka_config::markdown().trim(), "run: cargo run -p kafka-config --example settings -- markdown");
    let example = std::fs::read_to_string(format!("{root}/.env.example")).unwrap();
    assert_eq!(example, kafka_config::env_example(), "run: cargo run -p kafka-config --example settings -- env");
    let help = kafka_config::help(kafka_config::AppliesTo::Producer);
    for variable in VARIABLES {
        let expected = variable.applies_to != kafka_config::AppliesTo::Consumer;
        assert_eq!(help.contains(&format!("  {}\n", variable.name)), expected, "{}", variable.name);
    }
}
