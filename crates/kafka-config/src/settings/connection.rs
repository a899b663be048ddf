//! Which broker to connect to, and under which name: the same for both services.

use serde::Deserialize;

use crate::librdkafka::defaults;
use crate::librdkafka::properties::Properties;
use crate::settings::checker::Checker;
use crate::settings::choices::{SaslMechanism, SecurityProtocol};
use crate::settings::security::Security;
use crate::settings::security::identity::IdentityServer;
use crate::settings::security::password_file::PasswordFile;
use crate::variables::variable::{KAFKA_BOOTSTRAP_SERVERS, KAFKA_CLIENT_ID, KAFKA_TOPIC};

/// Kafka limits the length of a topic's name, because the name is a part of a directory's name on the broker.
const TOPIC_MAX_CHARS: usize = 249;

#[derive(Default, Deserialize)]
struct RawConnection {
    bootstrap_servers: Option<String>,
    topic: Option<String>,
    client_id: Option<String>,
}

/// Which broker and topic to use, and how the connection is protected.
///
/// User name, password and certificates are not here: only the [`Properties`] contain them. All fields may be logged.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The brokers to contact first, `host:port`, comma-separated (`bootstrap.servers`).
    pub bootstrap_servers: String,
    /// The topic to write to or read from.
    pub topic: String,
    /// The name of this client in the broker's logs, quotas and metrics (`client.id`). Default: the service's name.
    pub client_id: String,
    /// Whether the connection is encrypted, and whether the client logs in (`security.protocol`).
    pub security_protocol: SecurityProtocol,
    /// How the client logs in (`sasl.mechanism`); `None` without SASL.
    pub sasl_mechanism: Option<SaslMechanism>,
    /// Whether the password would cross the network unencrypted: mechanism PLAIN, no TLS, and a broker that is not on a
    /// loopback address.
    pub exposes_password: bool,
    /// The file that the password comes from, if it comes from one.
    pub password_file: Option<PasswordFile>,
    /// Where to get tokens for OAUTHBEARER, if they come from an identity server.
    pub identity_server: Option<IdentityServer>,
    /// Whether the secret for the identity server would cross the network unencrypted: `http`, and not a loopback address.
    pub exposes_client_secret: bool,
    /// Whether the client logs in with an unsecured token, which anybody can make (`KAFKA_SASL_OAUTHBEARER_CONFIG`).
    pub has_unsecured_token: bool,
}

impl Connection {
    pub(crate) fn read(service: &str, checker: &mut Checker<'_>, properties: &mut Properties) -> Self {
        let raw: RawConnection = checker.fields("KAFKA_");
        properties.set_defaults(defaults::BOTH);
        let bootstrap_servers = bootstrap_servers(raw.bootstrap_servers, checker);
        let topic = checker.required(&KAFKA_TOPIC, raw.topic);
        let is_permitted = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if !topic.chars().all(is_permitted) || topic.len() > TOPIC_MAX_CHARS || topic == "." || topic == ".." {
            let hint = format!("use at most {TOPIC_MAX_CHARS} letters, digits, `.`, `_` and `-`");
            checker.problem(&KAFKA_TOPIC, "is not a valid topic name", hint);
        }
        let client_id = raw.client_id.unwrap_or_else(|| service.to_owned());
        properties.set("bootstrap.servers", bootstrap_servers.as_str(), KAFKA_BOOTSTRAP_SERVERS.name);
        properties.set("client.id", client_id.as_str(), KAFKA_CLIENT_ID.name);
        let Security {
            protocol: security_protocol,
            mechanism: sasl_mechanism,
            password_file,
            identity_server,
            has_unsecured_token,
        } = Security::read(checker, properties);
        let exposes_password = sasl_mechanism == Some(SaslMechanism::Plain)
            && !security_protocol.has_tls()
            && !bootstrap_servers.split(',').all(is_loopback);
        Self {
            bootstrap_servers,
            topic,
            client_id,
            security_protocol,
            sasl_mechanism,
            exposes_password,
            password_file,
            exposes_client_secret: identity_server.as_ref().is_some_and(IdentityServer::exposes_secret),
            identity_server,
            has_unsecured_token,
        }
    }
}

fn bootstrap_servers(raw: Option<String>, checker: &mut Checker<'_>) -> String {
    let value = checker.required(&KAFKA_BOOTSTRAP_SERVERS, raw);
    if checker.is_broken(&KAFKA_BOOTSTRAP_SERVERS) {
        return value;
    }
    let servers: Vec<&str> = value.split(',').map(str::trim).filter(|server| !server.is_empty()).collect();
    let is_address = |server: &&str| {
        let (host, port) = host_and_port(server);
        let port = port.unwrap_or("9092");
        !host.is_empty() && !host.contains(char::is_whitespace) && port.parse::<u16>().is_ok_and(|port| port > 0)
    };
    if value.contains('@') {
        // Checked first: the services log the addresses, and librdkafka would accept `user:password@host`.
        let hint = "set it to `host:port`, comma-separated, and put an account into KAFKA_SASL_USERNAME and \
                    KAFKA_SASL_PASSWORD";
        checker.problem(&KAFKA_BOOTSTRAP_SERVERS, "contains `@`, which no broker's address does", hint);
    } else if servers.is_empty() {
        checker.problem(&KAFKA_BOOTSTRAP_SERVERS, "contains no address", "set it to `host:port`, comma-separated");
    } else if !servers.iter().all(is_address) {
        let hint = "set it to `host:port`, comma-separated";
        checker.problem(&KAFKA_BOOTSTRAP_SERVERS, "contains something that is not an address", hint);
    }
    servers.join(",")
}

/// Splits `[protocol://]host[:port]`. librdkafka checks the protocol.
fn host_and_port(server: &str) -> (&str, Option<&str>) {
    let address = server.rsplit_once("://").map_or(server, |(_, address)| address);
    address.rsplit_once(':').map_or((address, None), |(host, port)| (host, Some(port)))
}

pub(crate) fn is_loopback(server: &str) -> bool {
    let host = host_and_port(server).0.trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_addresses_are_recognized_in_every_form() {
        for server in ["localhost", "localhost:9092", "127.0.0.1:9092", "[::1]:9092", "SASL_PLAINTEXT://localhost:9092"]
        {
            assert!(is_loopback(server), "{server}");
        }
        for server in ["kafka:9092", "10.0.0.1:9092", "localhost.example:9092", ""] {
            assert!(!is_loopback(server), "{server}");
        }
    }
}
