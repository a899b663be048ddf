//! OAUTHBEARER: which settings are accepted, how mistakes are reported, and that no secret is printed.

use kafka_config::{ConsumerSettings, Environment, Problems, SaslMechanism, SecurityProtocol};

const SECRET: &str = "hunter2-6fbe0c1d";
const URL: (&str, &str) = ("KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL", "https://login.example/realms/a/token?p=1");
const ID: (&str, &str) = ("KAFKA_SASL_OAUTHBEARER_CLIENT_ID", "kafka-pair");
const CLIENT_SECRET: (&str, &str) = ("KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET", SECRET);

fn read(variables: &[(&str, &str)]) -> Result<ConsumerSettings, Problems> {
    let base = [("KAFKA_BOOTSTRAP_SERVERS", "kafka.example:9092"), ("KAFKA_TOPIC", "t"), ("KAFKA_GROUP_ID", "g")];
    ConsumerSettings::from_environment(&Environment::from_pairs(base.iter().chain(variables).copied()))
}

/// The variables that have a problem.
fn problems(variables: &[(&str, &str)]) -> Vec<String> {
    let problems = read(variables).expect_err("the settings are wrong");
    assert!(!format!("{problems} {problems:?}").contains(SECRET), "a value is repeated: {problems}");
    problems.0.into_iter().map(|problem| problem.variable).collect()
}

#[test]
fn an_identity_server_turns_sasl_on_with_oauthbearer() {
    let settings = read(&[
        URL,
        ID,
        CLIENT_SECRET,
        ("KAFKA_SASL_OAUTHBEARER_SCOPE", "kafka.write kafka.read"),
        ("KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_PARAMETERS", "audience=kafka, resource=urn:a=b"),
        ("KAFKA_SASL_OAUTHBEARER_EXTENSIONS", "logicalCluster=lkc-1,identityPoolId=pool-1"),
    ])
    .unwrap();
    assert_eq!(settings.connection.security_protocol, SecurityProtocol::SaslPlaintext);
    assert_eq!(settings.connection.sasl_mechanism, Some(SaslMechanism::OauthBearer));
    assert!(!settings.connection.has_unsecured_token && !settings.connection.exposes_client_secret);
    let server = settings.connection.identity_server.as_ref().unwrap();
    assert_eq!(server.address(), "https://login.example/realms/a/token");
    assert_eq!(server.client_secret(), SECRET);
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(server.parameters, [pair("audience", "kafka"), pair("resource", "urn:a=b")]);
    assert_eq!(server.extensions, [pair("logicalCluster", "lkc-1"), pair("identityPoolId", "pool-1")]);
    assert!(!format!("{settings:?}").contains(SECRET));
    assert_eq!(server.redact(&format!("a {SECRET} of it")), "a [secret] of it");
    // Without a token nobody can log in, so librdkafka must not make one of its own.
    assert_eq!(settings.properties.client_config().get("enable.sasl.oauthbearer.unsecure.jwt"), None);
    assert!(settings.properties.client_config().create::<rdkafka::consumer::BaseConsumer>().is_ok());
}

#[test]
fn a_secret_that_crosses_a_network_unencrypted_is_noticed() {
    for (url, expected) in [
        ("http://login.example/token", true),
        ("http://10.0.0.1/token", true),
        ("http://localhost.example?p=1", true),
        ("http://[2001:db8::1]/token", true),
        ("https://l.example", false),
        ("http://localhost:8080/token", false),
        ("http://localhost?p=1", false),
        ("http://127.0.0.1/token", false),
        ("http://[::1]/token", false),
    ] {
        let settings = read(&[(URL.0, url), ID, CLIENT_SECRET]).unwrap();
        assert_eq!(settings.connection.exposes_client_secret, expected, "{url}");
    }
}

#[test]
fn what_is_missing_is_reported_under_its_own_name_and_all_at_once() {
    assert_eq!(problems(&[URL]), [ID.0, CLIENT_SECRET.0]);
    assert_eq!(problems(&[ID, CLIENT_SECRET]), [URL.0]);
    assert_eq!(
        problems(&[("KAFKA_SASL_MECHANISM", "OAUTHBEARER"), ("KAFKA_SECURITY_PROTOCOL", "SASL_SSL")]),
        [URL.0, ID.0, CLIENT_SECRET.0]
    );
    assert_eq!(problems(&[("KAFKA_SASL_OAUTHBEARER_SCOPE", "kafka")]), [URL.0, ID.0, CLIENT_SECRET.0]);
    assert_eq!(
        problems(&[URL, ID, ("KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET_FILE", "/no/such/file")]),
        ["KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET_FILE"]
    );
}

#[test]
fn values_that_cannot_be_meant_are_refused() {
    let with = |variable, value| problems(&[URL, ID, CLIENT_SECRET, (variable, value)]);
    let parameters = "KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_PARAMETERS";
    let extensions = "KAFKA_SASL_OAUTHBEARER_EXTENSIONS";
    for (variable, values) in [
        (
            URL.0,
            &["login.example", "https://", "https:///token", "https://me:hunter2@login.example/", "https://a/#b"][..],
        ),
        (parameters, &["audience", "=kafka", "scope=a", "grant_type=password"]),
        (extensions, &["logicalCluster", "auth=Bearer", "logical.cluster=a", "a=\u{e4}"]),
        ("KAFKA_HTTPS_CA_LOCATION", &["/no/such/file", "/dev/null"]),
        ("KAFKA_HTTPS_CA_PEM", &[SECRET]),
    ] {
        for value in values {
            assert_eq!(with(variable, value), [variable], "{value}");
        }
    }
}

#[test]
fn tokens_and_other_ways_to_log_in_exclude_each_other() {
    let claims = ("KAFKA_SASL_OAUTHBEARER_CONFIG", "principal=me");
    assert_eq!(problems(&[URL, ID, CLIENT_SECRET, claims]), [claims.0]);
    let scram =
        [("KAFKA_SASL_MECHANISM", "SCRAM-SHA-512"), ("KAFKA_SASL_USERNAME", "me"), ("KAFKA_SASL_PASSWORD", SECRET)];
    assert_eq!(problems(&[scram[0], scram[1], scram[2], URL, ID, CLIENT_SECRET]), [URL.0, ID.0, CLIENT_SECRET.0]);
    for (property, setting) in [
        ("KAFKA_PROP_SASL_OAUTHBEARER_CLIENT_SECRET", CLIENT_SECRET.0),
        ("KAFKA_PROP_SASL_OAUTHBEARER_CLIENT_CREDENTIALS_CLIENT_SECRET", CLIENT_SECRET.0),
        ("KAFKA_PROP_SASL_OAUTHBEARER_METHOD", URL.0),
        ("KAFKA_PROP_HTTPS_CA_LOCATION", "KAFKA_HTTPS_CA_LOCATION"),
    ] {
        let problems = read(&[(property, SECRET)]).unwrap_err();
        assert!(problems.to_string().contains(&format!("set {setting} instead")), "{problems}");
        assert!(!problems.to_string().contains(SECRET), "{problems}");
    }
}

#[test]
fn an_unsecured_token_is_used_only_by_who_asks_for_it() {
    let settings = read(&[("KAFKA_SASL_OAUTHBEARER_CONFIG", "principal=me")]).unwrap();
    assert!(settings.connection.has_unsecured_token && settings.connection.identity_server.is_none());
    assert_eq!(settings.properties.client_config().get("enable.sasl.oauthbearer.unsecure.jwt"), Some("true"));
    assert_eq!(
        problems(&[("KAFKA_PROP_ENABLE_SASL_OAUTHBEARER_UNSECURE_JWT", "true")]),
        ["KAFKA_PROP_ENABLE_SASL_OAUTHBEARER_UNSECURE_JWT"]
    );
}

#[test]
fn another_secret_in_the_file_is_read_with_the_next_request() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, "first\n").unwrap();
    let path = file.path().to_str().unwrap();
    let settings = read(&[URL, ID, ("KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET_FILE", path)]).unwrap();
    let mut server = settings.connection.identity_server.unwrap();
    assert_eq!(server.client_secret(), "first");
    std::fs::write(&file, "second\n").unwrap();
    assert_eq!(server.refresh_secret(), Ok(()));
    assert_eq!(server.client_secret(), "second");
    drop(file);
    assert!(server.refresh_secret().is_err());
    assert_eq!(server.client_secret(), "second", "the secret stays what it was");
}
