//! Which settings are accepted, how problems are reported, and that no secret is ever printed.

use std::io::Write as _;

use kafka_config::{
    AutoOffsetReset, ConsumerSettings, Environment, LogMessages, Problems, ProducerSettings, Rate, SaslMechanism,
    SecurityProtocol, VARIABLES,
};

const CANARY: &str = "hunter2-6fbe0c1d";

fn environment(extra: &[(&str, &str)]) -> Environment {
    let base = [("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092"), ("KAFKA_TOPIC", "demo"), ("KAFKA_GROUP_ID", "g")];
    // Later pairs replace earlier ones, so `extra` can change the base.
    Environment::from_pairs(base.iter().chain(extra).copied())
}

fn producer(extra: &[(&str, &str)]) -> Result<ProducerSettings, Problems> {
    ProducerSettings::from_environment(&environment(extra))
}

fn consumer(extra: &[(&str, &str)]) -> Result<ConsumerSettings, Problems> {
    ConsumerSettings::from_environment(&environment(extra))
}

fn variables_of(problems: &Problems) -> Vec<&str> {
    problems.0.iter().map(|problem| problem.variable.as_str()).collect()
}

fn property(properties: &kafka_config::Properties, name: &str) -> Option<String> {
    properties.client_config().get(name).map(str::to_owned)
}

#[test]
fn without_an_account_a_server_and_a_topic_are_enough() {
    let settings = producer(&[]).unwrap();
    assert_eq!(settings.rate, Rate::PerSec(1.0));
    assert_eq!(settings.max_messages, None);
    assert_eq!(settings.connection.security_protocol, SecurityProtocol::Plaintext);
    assert_eq!(settings.connection.sasl_mechanism, None);
    assert_eq!(settings.runtime.log_messages, LogMessages::Auto);
    assert_eq!(property(&settings.properties, "enable.idempotence").unwrap(), "true");
    assert_eq!(property(&settings.properties, "sasl.mechanism"), None);
}

#[test]
fn a_user_name_and_a_password_turn_sasl_on() {
    let account = [("KAFKA_SASL_USERNAME", "me"), ("KAFKA_SASL_PASSWORD", CANARY)];
    let settings = consumer(&account).unwrap();
    assert_eq!(settings.connection.security_protocol, SecurityProtocol::SaslPlaintext);
    assert_eq!(settings.connection.sasl_mechanism, Some(SaslMechanism::Plain));
    assert!(!settings.connection.exposes_password, "the password does not leave this machine");
    assert_eq!(property(&settings.properties, "sasl.password").unwrap(), CANARY);
    let remote = [("KAFKA_BOOTSTRAP_SERVERS", "kafka.example:9092"), account[0], account[1]];
    assert!(consumer(&remote).unwrap().connection.exposes_password);
}

#[test]
fn the_case_of_protocol_and_mechanism_names_does_not_matter() {
    let settings = consumer(&[
        ("KAFKA_SECURITY_PROTOCOL", "sasl_plaintext"),
        ("KAFKA_SASL_MECHANISM", "scram-sha-512"),
        ("KAFKA_SASL_USERNAME", "me"),
        ("KAFKA_SASL_PASSWORD", CANARY),
    ])
    .unwrap();
    assert_eq!(settings.connection.security_protocol, SecurityProtocol::SaslPlaintext);
    assert_eq!(property(&settings.properties, "sasl.mechanism").unwrap(), "SCRAM-SHA-512");
}

#[test]
fn a_client_can_be_created_with_every_supported_mechanism() {
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
    assert_eq!(settings.connection.sasl_mechanism, Some(SaslMechanism::OauthBearer));
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
        assert_eq!(
            variables_of(&problems).iter().filter(|name| **name == variable).count(),
            1,
            "{variable} in {problems}"
        );
    }
}

#[test]
fn every_checked_variable_reports_an_invalid_value_under_its_own_name_without_the_value() {
    // Any text is valid, or another crate checks it (`RUST_LOG`).
    let unchecked = [
        "KAFKA_CLIENT_ID",
        "KAFKA_SASL_USERNAME",
        "KAFKA_SASL_PASSWORD",
        "KAFKA_SSL_KEY_PASSWORD",
        "KAFKA_GROUP_ID",
        "KAFKA_GROUP_INSTANCE_ID",
        "RUST_LOG",
    ];
    for variable in VARIABLES.iter().filter(|variable| !unchecked.contains(&variable.name)) {
        let invalid = [(variable.name, "\u{1}no such value")];
        let problems: Vec<Problems> =
            [producer(&invalid).err(), consumer(&invalid).err()].into_iter().flatten().collect();
        assert!(!problems.is_empty(), "{} accepts anything", variable.name);
        for problems in problems {
            assert!(variables_of(&problems).contains(&variable.name), "{}: {problems}", variable.name);
            assert!(!problems.to_string().contains("no such value"), "a value is repeated: {problems}");
        }
    }
}

#[test]
fn incomplete_or_contradictory_sasl_and_tls_settings_are_reported_under_the_variable_to_change() {
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
            "KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL",
        ),
        (&[("KAFKA_SSL_CERTIFICATE_LOCATION", "/dev/null")], "KAFKA_SSL_KEY_LOCATION"),
        (&[("KAFKA_SSL_CA_LOCATION", "/no/such/file")], "KAFKA_SSL_CA_LOCATION"),
    ];
    for (extra, expected) in cases {
        let problems = consumer(extra).unwrap_err();
        assert!(variables_of(&problems).contains(expected), "{expected}: {problems}");
        assert!(!problems.to_string().contains(CANARY));
    }
}

#[test]
fn timeouts_that_contradict_each_other_are_refused() {
    let cases: &[(&[(&str, &str)], &str)] = &[
        (&[("KAFKA_SESSION_TIMEOUT_MS", "90000")], "KAFKA_MAX_POLL_INTERVAL_MS"),
        (&[("KAFKA_SESSION_TIMEOUT_MS", "2999")], "KAFKA_SESSION_TIMEOUT_MS"),
        (&[("KAFKA_PROP_HEARTBEAT_INTERVAL_MS", "4000")], "KAFKA_SESSION_TIMEOUT_MS"),
        (&[("KAFKA_GROUP_PROTOCOL", "consumer"), ("KAFKA_SESSION_TIMEOUT_MS", "9000")], "KAFKA_SESSION_TIMEOUT_MS"),
    ];
    for (extra, expected) in cases {
        assert_eq!(variables_of(&consumer(extra).unwrap_err()), [*expected]);
    }
    let problems = producer(&[("KAFKA_LINGER_MS", "5000"), ("KAFKA_DELIVERY_TIMEOUT_MS", "5000")]).unwrap_err();
    assert_eq!(variables_of(&problems), ["KAFKA_DELIVERY_TIMEOUT_MS"]);
}

#[test]
fn a_combination_that_only_librdkafka_rejects_is_reported_when_the_client_is_created() {
    let settings =
        consumer(&[("KAFKA_PROP_FETCH_MAX_BYTES", "1000"), ("KAFKA_PROP_MESSAGE_MAX_BYTES", "100000")]).unwrap();
    let error = settings.properties.client_config().create::<rdkafka::consumer::BaseConsumer>().err().unwrap();
    let problems = settings.properties.refused(&error);
    assert!(problems.to_string().contains("KAFKA_PROP_FETCH_MAX_BYTES"), "{problems}");
}

#[test]
fn a_client_can_be_created_with_both_group_protocols() {
    for protocol in ["classic", "consumer"] {
        let settings = consumer(&[("KAFKA_GROUP_PROTOCOL", protocol), ("KAFKA_AUTO_OFFSET_RESET", "error")]).unwrap();
        assert_eq!(settings.auto_offset_reset, AutoOffsetReset::Error);
        let client: Result<rdkafka::consumer::BaseConsumer, _> = settings.properties.client_config().create();
        assert!(client.is_ok(), "{protocol}");
    }
}

#[test]
fn a_replica_refuses_properties_without_which_it_cannot_tell_whether_it_is_served() {
    for (variable, refused, accepted) in
        [("KAFKA_PROP_FETCH_WAIT_MAX_MS", "5001", "5000"), ("KAFKA_PROP_STATISTICS_INTERVAL_MS", "0", "100")]
    {
        assert_eq!(variables_of(&consumer(&[(variable, refused)]).unwrap_err()), [variable]);
        assert!(consumer(&[(variable, accepted)]).is_ok());
    }
}

#[test]
fn statistics_that_come_rarely_are_refused() {
    let statistics = |value| [("KAFKA_PROP_STATISTICS_INTERVAL_MS", value)];
    assert_eq!(variables_of(&consumer(&statistics("5001")).unwrap_err()), ["KAFKA_PROP_STATISTICS_INTERVAL_MS"]);
    assert_eq!(variables_of(&producer(&statistics("5001")).unwrap_err()), ["KAFKA_PROP_STATISTICS_INTERVAL_MS"]);
    assert!(producer(&statistics("5000")).is_ok());
}

#[test]
fn the_producers_queue_is_limited_by_messages_and_by_bytes() {
    let queue = |value| producer(&[("KAFKA_PROP_QUEUE_BUFFERING_MAX_MESSAGES", value)]).unwrap().queue_messages;
    let by_bytes = 8192 * 1024 / 64;
    assert_eq!((queue("0"), queue("7"), queue("1000000")), (by_bytes, 7, by_bytes));
}

#[test]
fn a_turn_is_as_long_as_a_request() {
    let batch = |extra: &[(&str, &str)]| producer(extra).unwrap().batch_messages;
    assert_eq!((batch(&[]), batch(&[("KAFKA_PROP_BATCH_NUM_MESSAGES", "7")])), (2500, 7));
}

#[test]
fn linger_is_derived_from_the_rate_unless_it_is_set() {
    let linger = |extra: &[(&str, &str)]| property(&producer(extra).unwrap().properties, "linger.ms").unwrap();
    assert_eq!(linger(&[]), "0");
    assert_eq!(linger(&[("PRODUCER_RATE_PER_SEC", "1000")]), "0");
    assert_eq!(linger(&[("PRODUCER_RATE_PER_SEC", "1001")]), "5");
    assert_eq!(linger(&[("PRODUCER_RATE_PER_SEC", "MAX")]), "5");
    assert_eq!(linger(&[("PRODUCER_RATE_PER_SEC", "max"), ("KAFKA_LINGER_MS", "0")]), "0");
}

#[test]
fn fast_messages_are_paced_within_a_tenth_of_the_linger() {
    let pace = |rate, linger| {
        producer(&[("PRODUCER_RATE_PER_SEC", rate), ("KAFKA_LINGER_MS", linger)]).unwrap().pace.as_micros()
    };
    assert_eq!(pace("1000", "5"), 0);
    assert_eq!(pace("1001", "5"), 500);
    assert_eq!(pace("1001", "0"), 200);
    assert_eq!(pace("1001", "1000"), 1000);
}

#[test]
fn a_property_that_is_passed_through_replaces_our_default() {
    let settings = consumer(&[("KAFKA_PROP_QUEUED_MIN_MESSAGES", "1000"), ("KAFKA_PROP_CLIENT_RACK", "a")]).unwrap();
    assert_eq!(property(&settings.properties, "queued.min.messages").unwrap(), "1000");
    assert_eq!(property(&settings.properties, "client.rack").unwrap(), "a");
}

#[test]
fn an_empty_value_counts_as_unset() {
    let settings =
        producer(&[("KAFKA_SASL_USERNAME", ""), ("KAFKA_SASL_PASSWORD", ""), ("KAFKA_LINGER_MS", "")]).unwrap();
    assert_eq!(settings.connection.security_protocol, SecurityProtocol::Plaintext);
}

#[test]
fn one_trailing_line_end_is_removed_from_a_secret_file() {
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
fn a_secret_file_that_cannot_be_used_is_one_problem_under_the_file_variable() {
    let empty = tempfile::NamedTempFile::new().unwrap();
    for path in ["/no/such/secret", empty.path().to_str().unwrap(), "/dev/zero"] {
        let problems = producer(&[("KAFKA_SASL_USERNAME", "me"), ("KAFKA_SASL_PASSWORD_FILE", path)]).unwrap_err();
        assert_eq!(variables_of(&problems), ["KAFKA_SASL_PASSWORD_FILE"], "{path}");
        assert!(!problems.to_string().contains(path), "the path can be the secret itself, set in the wrong variable");
    }
    let both =
        [("KAFKA_SASL_USERNAME", "me"), ("KAFKA_SASL_PASSWORD", CANARY), ("KAFKA_SASL_PASSWORD_FILE", "/dev/null")];
    assert_eq!(variables_of(&producer(&both).unwrap_err()), ["KAFKA_SASL_PASSWORD_FILE"]);
}

#[test]
fn no_secret_is_ever_printed() {
    let secrets: &[(&str, &str)] = &[
        ("KAFKA_SASL_USERNAME", "me"),
        ("KAFKA_SASL_PASSWORD", CANARY),
        ("KAFKA_SSL_KEY_PASSWORD", CANARY),
        ("KAFKA_SSL_KEY_PEM", CANARY),
        ("KAFKA_SSL_CA_PEM", CANARY),
        ("KAFKA_PROP_SASL_OAUTHBEARER_CLIENT_SECRET", CANARY),
        ("KAFKA_PROP_QUEUED_MIN_MESSAGES", CANARY),
        ("KAFKA_PROP_HUNTER", CANARY),
        ("KAFKA_PROP_DEBUG", CANARY),
        ("KAFKA_PROP_LOG_LEVEL", CANARY),
        ("KAFKA_LINGER_MS", CANARY),
        ("KAFKA_SECURITY_PROTOCOL", CANARY),
    ];
    let environment = environment(secrets);
    let problems = consumer(secrets).unwrap_err();
    let printed = format!("{environment:?} {problems} {problems:?} {:?}", environment.unknown());
    assert!(!printed.contains(CANARY), "{printed}");
    let settings = consumer(&secrets[..2]).unwrap();
    let printed = format!("{settings:?} {:?}", settings.properties);
    assert!(!printed.contains(CANARY), "{printed}");
    assert!(!settings.properties.redact(&format!("sasl failed: {CANARY}")).contains(CANARY));
}

#[test]
fn bootstrap_servers_that_contain_an_account_are_refused_without_showing_it() {
    for servers in ["me:hunter2@kafka:9092", "kafka:9092,me:hunter2@kafka-2:9092", "SASL_SSL://me:hunter2@kafka:9092"] {
        let problems = consumer(&[("KAFKA_BOOTSTRAP_SERVERS", servers)]).unwrap_err();
        assert_eq!(variables_of(&problems), ["KAFKA_BOOTSTRAP_SERVERS"], "{servers}");
        assert!(!format!("{problems} {problems:?}").contains("hunter2"), "{problems}");
    }
}

#[test]
fn bootstrap_servers_without_an_address_are_refused() {
    for servers in [",", " , ,", " "] {
        let problems = consumer(&[("KAFKA_BOOTSTRAP_SERVERS", servers)]).unwrap_err();
        assert_eq!(variables_of(&problems), ["KAFKA_BOOTSTRAP_SERVERS"], "{servers:?}");
    }
    let settings = consumer(&[("KAFKA_BOOTSTRAP_SERVERS", "a:9092, b:9092,")]).unwrap();
    assert_eq!(settings.connection.bootstrap_servers, "a:9092,b:9092");
}

#[test]
fn an_invalid_debug_context_is_refused_without_showing_it() {
    for value in ["hunter2", "all,hunter2", "-hunter2"] {
        let problems = producer(&[("KAFKA_PROP_DEBUG", value)]).unwrap_err();
        assert_eq!(variables_of(&problems), ["KAFKA_PROP_DEBUG"]);
        assert!(!format!("{problems} {problems:?}").contains("hunter2"), "{problems}");
    }
    let settings = producer(&[("KAFKA_PROP_DEBUG", "broker")]).unwrap();
    assert_eq!(settings.properties.redact("broker connected"), "broker connected", "debug contexts are not redacted");
}

#[test]
fn every_ssl_property_turns_tls_on_like_the_ssl_settings() {
    for variable in [
        "KAFKA_PROP_SSL_KEYSTORE_LOCATION",
        "KAFKA_PROP_SSL_KEYSTORE_PASSWORD",
        "KAFKA_PROP_SSL_CRL_LOCATION",
        "KAFKA_PROP_SSL_CIPHER_SUITES",
        "KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM",
    ] {
        let ssl = (variable, "https");
        let settings = consumer(&[ssl]).unwrap();
        assert_eq!(settings.connection.security_protocol, SecurityProtocol::Ssl, "{variable}");
        assert_eq!(property(&settings.properties, "security.protocol").unwrap(), "SSL", "{variable}");
        let account = [ssl, ("KAFKA_SASL_USERNAME", "me"), ("KAFKA_SASL_PASSWORD", CANARY)];
        let remote = [account[0], account[1], account[2], ("KAFKA_BOOTSTRAP_SERVERS", "kafka.example:9092")];
        let settings = consumer(&remote).unwrap();
        assert_eq!(settings.connection.security_protocol, SecurityProtocol::SaslSsl, "{variable}");
        assert!(!settings.connection.exposes_password, "{variable}");

        let plaintext = [account[0], account[1], account[2], ("KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT")];
        let problems = consumer(&plaintext).unwrap_err();
        assert_eq!(variables_of(&problems), ["KAFKA_SECURITY_PROTOCOL"], "{variable}");
        assert!(problems.to_string().contains(variable), "{problems}");
    }
    let pem_file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&pem_file, "pem").unwrap();
    let settings = consumer(&[("KAFKA_PROP_SSL_CIPHER_SUITES_FILE", pem_file.path().to_str().unwrap())]).unwrap();
    assert_eq!(settings.connection.security_protocol, SecurityProtocol::Ssl);
}

#[test]
fn properties_whose_names_contain_an_underscore_are_refused_with_a_reason() {
    let problems = consumer(&[("KAFKA_PROP_LOG_LEVEL", "7")]).unwrap_err();
    assert!(problems.to_string().contains("KAFKA_PROP_LOG_LEVEL sets `log_level`"), "{problems}");
    assert!(problems.to_string().contains("set RUST_LOG instead"), "{problems}");
    let problems = consumer(&[("KAFKA_PROP_ENABLED_EVENTS", "1")]).unwrap_err();
    assert!(problems.to_string().contains("KAFKA_PROP_ENABLED_EVENTS sets `enabled_events`"), "{problems}");
    let problems = consumer(&[("KAFKA_PROP_STATS_CB", "1")]).unwrap_err();
    assert_eq!(variables_of(&problems), ["KAFKA_PROP_STATS_CB"]);
}

#[test]
fn the_generated_files_match_the_table() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    for (file, argument, expected) in [
        ("docs/settings.md", "markdown", kafka_config::markdown()),
        (".env.example", "env", kafka_config::env_example()),
    ] {
        let content = std::fs::read_to_string(format!("{root}/{file}")).unwrap();
        assert_eq!(content, expected, "run: cargo run -p kafka-config --example settings -- {argument} > {file}");
    }
}

#[test]
fn help_lists_the_settings_of_its_service_only() {
    let help = kafka_config::help(kafka_config::AppliesTo::Producer);
    for variable in VARIABLES {
        let expected = variable.applies_to != kafka_config::AppliesTo::Consumer;
        assert_eq!(help.contains(&format!("  {}\n", variable.name)), expected, "{}", variable.name);
    }
}
