//! Where the broker is and how to log in: the same for both services.

use serde::Deserialize;

use crate::check::Check;
use crate::choices::{HOST_NAME_CHECKS, SASL_MECHANISMS, SECURITY_PROTOCOLS};
use crate::defaults;
use crate::properties::Properties;
use crate::variable::{
    KAFKA_BOOTSTRAP_SERVERS, KAFKA_CLIENT_ID, KAFKA_SASL_MECHANISM, KAFKA_SASL_OAUTHBEARER_CONFIG, KAFKA_SASL_PASSWORD,
    KAFKA_SASL_USERNAME, KAFKA_SECURITY_PROTOCOL, KAFKA_SSL_CA_LOCATION, KAFKA_SSL_CERTIFICATE_LOCATION,
    KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM, KAFKA_SSL_KEY_LOCATION, KAFKA_SSL_KEY_PASSWORD, KAFKA_TOPIC,
};

/// Kafka keeps a topic's name to this many characters, so that a log folder's name stays valid.
const TOPIC_MAX_CHARS: usize = 249;

#[derive(Deserialize)]
pub(crate) struct RawConnection {
    bootstrap_servers: Option<String>,
    topic: Option<String>,
    client_id: Option<String>,
    security_protocol: Option<String>,
    sasl_mechanism: Option<String>,
    sasl_username: Option<String>,
    sasl_password: Option<String>,
    sasl_oauthbearer_config: Option<String>,
    ssl_ca_location: Option<String>,
    ssl_certificate_location: Option<String>,
    ssl_key_location: Option<String>,
    ssl_key_password: Option<String>,
    ssl_endpoint_identification_algorithm: Option<String>,
}

/// Where the broker is and what to call this client. How to log in stands in the properties alone.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Brokers to ask first, `host:port`, comma-separated.
    pub bootstrap_servers: String,
    /// Topic to write to or read from.
    pub topic: String,
    /// Name of the client, as the broker sees it.
    pub client_id: String,
    /// `PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`.
    pub security_protocol: &'static str,
    /// Name of the SASL mechanism, if there is one.
    pub sasl_mechanism: Option<&'static str>,
    /// Whether a password would cross a network in the clear: PLAIN without TLS to another machine.
    pub exposes_password: bool,
}

impl Connection {
    pub(crate) fn read(raw: RawConnection, service: &str, check: &mut Check<'_>, properties: &mut Properties) -> Self {
        for (name, value, _) in defaults::BOTH {
            properties.set(name, *value, "KAFKA_*");
        }
        let bootstrap_servers = bootstrap_servers(raw.bootstrap_servers.clone(), check);
        let topic = check.required(&KAFKA_TOPIC, raw.topic.clone());
        let permitted = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if !topic.chars().all(permitted) || topic.len() > TOPIC_MAX_CHARS || topic == "." || topic == ".." {
            let hint = format!("give letters, digits, `.`, `_` and `-`, at most {TOPIC_MAX_CHARS}");
            check.problem(&KAFKA_TOPIC, "can't be a topic's name", hint);
        }
        let client_id = raw.client_id.clone().unwrap_or_else(|| service.to_owned());
        properties.set("bootstrap.servers", bootstrap_servers.as_str(), KAFKA_BOOTSTRAP_SERVERS.name);
        properties.set("client.id", client_id.as_str(), KAFKA_CLIENT_ID.name);
        let (security_protocol, sasl_mechanism) = security(raw, check, properties);
        let exposes_password = sasl_mechanism == Some("PLAIN")
            && security_protocol == "SASL_PLAINTEXT"
            && !bootstrap_servers.split(',').all(is_loopback);
        Self { bootstrap_servers, topic, client_id, security_protocol, sasl_mechanism, exposes_password }
    }
}

fn bootstrap_servers(raw: Option<String>, check: &mut Check<'_>) -> String {
    let servers = check.required(&KAFKA_BOOTSTRAP_SERVERS, raw);
    let servers: Vec<&str> = servers.split(',').map(str::trim).filter(|server| !server.is_empty()).collect();
    let is_address = |server: &&str| {
        // What stands before `://`, if anything does, is librdkafka's to judge.
        let address = server.rsplit_once("://").map_or(*server, |(_, address)| address);
        let (host, port) = address.rsplit_once(':').unwrap_or((address, "9092"));
        !host.is_empty() && !host.contains(char::is_whitespace) && port.parse::<u16>().is_ok_and(|port| port > 0)
    };
    if !servers.iter().all(is_address) {
        check.problem(
            &KAFKA_BOOTSTRAP_SERVERS,
            "holds something that is no address",
            "give `host:port`, comma-separated",
        );
    }
    servers.join(",")
}

fn is_loopback(server: &str) -> bool {
    let host = server.rsplit_once(':').map_or(server, |(host, _)| host).trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Both names are the table's own, so that logs and errors use them.
fn security(
    raw: RawConnection,
    check: &mut Check<'_>,
    properties: &mut Properties,
) -> (&'static str, Option<&'static str>) {
    let (username, password) = (raw.sasl_username, raw.sasl_password);
    // A secret whose file can't be read was meant to be there: its own problem is enough.
    let has_password = password.is_some() || check.is_broken(&KAFKA_SASL_PASSWORD);
    let token = raw.sasl_oauthbearer_config;
    let has_token = token.is_some() || check.is_broken(&KAFKA_SASL_OAUTHBEARER_CONFIG);
    let wants_sasl = username.is_some() || has_password || has_token;
    let wants_ssl = [&raw.ssl_ca_location, &raw.ssl_certificate_location, &raw.ssl_key_location, &raw.ssl_key_password]
        .iter()
        .any(|value| value.is_some());
    let derived = match (wants_sasl, wants_ssl) {
        (false, false) => "PLAINTEXT",
        (false, true) => "SSL",
        (true, false) => "SASL_PLAINTEXT",
        (true, true) => "SASL_SSL",
    };
    let given = raw.security_protocol.as_deref().or(Some(derived));
    let protocol = check.choice(&KAFKA_SECURITY_PROTOCOL, given, SECURITY_PROTOCOLS);
    let protocol_name = name_of(SECURITY_PROTOCOLS, protocol);
    properties.set("security.protocol", protocol, KAFKA_SECURITY_PROTOCOL.name);

    let has_sasl = protocol.starts_with("sasl");
    if !has_sasl && wants_sasl && !check.is_broken(&KAFKA_SECURITY_PROTOCOL) {
        let hint = "give SASL_PLAINTEXT or SASL_SSL, or take user, password and token away";
        check.problem(&KAFKA_SECURITY_PROTOCOL, "would ignore the account that is set", hint);
    }
    if !has_sasl && raw.sasl_mechanism.is_some() {
        let hint = "set KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD as well";
        check.problem(&KAFKA_SASL_MECHANISM, "is set, but nothing turns SASL on", hint);
    }
    if !protocol.ends_with("ssl") && wants_ssl && !check.is_broken(&KAFKA_SECURITY_PROTOCOL) {
        let hint = "give SSL or SASL_SSL, or take KAFKA_SSL_* away";
        check.problem(&KAFKA_SECURITY_PROTOCOL, "would ignore the KAFKA_SSL_* that are set", hint);
    }

    let mut mechanism = None;
    if has_sasl {
        // A token alone says which mechanism it is for.
        let by_token = if has_token && username.is_none() { "OAUTHBEARER" } else { KAFKA_SASL_MECHANISM.default };
        let given = raw.sasl_mechanism.as_deref().or(Some(by_token));
        let chosen = check.choice(&KAFKA_SASL_MECHANISM, given, SASL_MECHANISMS);
        properties.set("sasl.mechanism", chosen, KAFKA_SASL_MECHANISM.name);
        if chosen == "OAUTHBEARER" {
            properties.set("enable.sasl.oauthbearer.unsecure.jwt", "true", KAFKA_SASL_MECHANISM.name);
            if !has_token {
                let hint = "give the claims of a development token, such as `principal=me`; this build has no OIDC";
                check.problem(&KAFKA_SASL_OAUTHBEARER_CONFIG, "is not set", hint);
            }
        } else {
            if username.is_none() {
                check.problem(
                    &KAFKA_SASL_USERNAME,
                    "is not set",
                    format!("{protocol_name} with {chosen} needs a user name"),
                );
            }
            if !has_password {
                let hint = format!("{protocol_name} with {chosen} needs it, here or as KAFKA_SASL_PASSWORD_FILE");
                check.problem(&KAFKA_SASL_PASSWORD, "is not set", hint);
            }
            if has_token {
                let hint = format!("it goes with OAUTHBEARER, not with {chosen}");
                check.problem(&KAFKA_SASL_OAUTHBEARER_CONFIG, "would be ignored", hint);
            }
        }
        mechanism = Some(name_of(SASL_MECHANISMS, chosen));
    }
    for (name, variable, value) in [
        ("sasl.username", &KAFKA_SASL_USERNAME, username),
        ("sasl.password", &KAFKA_SASL_PASSWORD, password),
        ("sasl.oauthbearer.config", &KAFKA_SASL_OAUTHBEARER_CONFIG, token),
        ("ssl.key.password", &KAFKA_SSL_KEY_PASSWORD, raw.ssl_key_password),
    ] {
        match value {
            Some(value) if variable.secret => properties.set_secret(name, &value, variable.name),
            Some(value) => properties.set(name, value, variable.name),
            None => {}
        }
    }

    let certificate = check.file(&KAFKA_SSL_CERTIFICATE_LOCATION, raw.ssl_certificate_location);
    let key = check.file(&KAFKA_SSL_KEY_LOCATION, raw.ssl_key_location);
    match (&certificate, &key) {
        (Some(_), None) => check.problem(&KAFKA_SSL_KEY_LOCATION, "is not set", "a certificate needs its key"),
        (None, Some(_)) => check.problem(&KAFKA_SSL_CERTIFICATE_LOCATION, "is not set", "a key needs its certificate"),
        _ => {}
    }
    let authority = check.file(&KAFKA_SSL_CA_LOCATION, raw.ssl_ca_location);
    for (name, variable, path) in [
        ("ssl.ca.location", &KAFKA_SSL_CA_LOCATION, authority),
        ("ssl.certificate.location", &KAFKA_SSL_CERTIFICATE_LOCATION, certificate),
        ("ssl.key.location", &KAFKA_SSL_KEY_LOCATION, key),
    ] {
        if let Some(path) = path {
            properties.set(name, path, variable.name);
        }
    }
    let raw = raw.ssl_endpoint_identification_algorithm;
    let identification = check.choice(&KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM, raw.as_deref(), HOST_NAME_CHECKS);
    let variable = KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM.name;
    properties.set("ssl.endpoint.identification.algorithm", identification, variable);
    (protocol_name, mechanism)
}

fn name_of(choices: &[(&'static str, &str)], value: &str) -> &'static str {
    choices.iter().find(|(_, v)| *v == value).map_or("", |(name, _)| *name)
}
