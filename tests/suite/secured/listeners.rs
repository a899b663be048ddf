//! One broker with a listener for each way to use TLS, and for each mistake of whoever configures a broker.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tempfile::TempDir;
use testcontainers_modules::testcontainers::core::{ExecCommand, Host, IntoContainerPort as _, WaitFor};
use testcontainers_modules::testcontainers::runners::SyncRunner as _;
use testcontainers_modules::testcontainers::{Container, ContainerRequest, GenericImage, ImageExt as _};

use super::authority::{Authority, Identity};
use super::identity_server::{AUDIENCE, ISSUER, IdentityServer, SigningKey};
use crate::broker::{IMAGE, LABEL, NO_DOCKER, SETTINGS, TOOLS, execute, free_port, tool};
use crate::kafka::Endpoint;

/// Name of a listener, and its protocol.
const LISTENERS: [(&str, &str); 9] = [
    ("PLAIN", "PLAINTEXT"),
    ("TLS", "SSL"),
    ("MUTUAL", "SSL"),
    ("SCRAM", "SASL_SSL"),
    ("TOKEN", "SASL_SSL"),
    ("SELFSIGNED", "SSL"),
    ("EXPIRED", "SSL"),
    ("FUTURE", "SSL"),
    ("OTHERNAME", "SSL"),
];
const FIRST_PORT: u16 = 9100;
const TRUST_STORE: &str = "/certificates/authority.pem";
/// The name of this machine in the container.
const HOST: &str = "host.docker.internal";

/// Whoever has no account may do everything, and the others everything that nobody has been given a right for: most tests are not about
/// rights.
const RIGHTS: [(&str, &str); 3] = [
    ("KAFKA_AUTHORIZER_CLASS_NAME", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
    ("KAFKA_SUPER_USERS", "User:ANONYMOUS"),
    ("KAFKA_ALLOW_EVERYONE_IF_NO_ACL_FOUND", "true"),
];

/// A broker whose listeners use certificates of a CA that only the tests know.
#[derive(Debug)]
pub(crate) struct Secured {
    container: Container<GenericImage>,
    ports: BTreeMap<&'static str, u16>,
    /// The CA that issued the certificates of the broker, and whose certificates the broker accepts.
    pub(crate) authority: Authority,
    /// Where the broker gets the keys to check tokens.
    identity_server: IdentityServer,
    folder: TempDir,
}

impl Secured {
    pub(crate) fn start() -> Result<Self> {
        let authority = Authority::new("authority of the tests")?;
        let valid = (2020, 2100);
        // The container reaches this machine under an address that only Docker knows. This one issues no tokens that anybody asks for.
        let for_containers = authority.issue(HOST, valid)?;
        let identity_server =
            IdentityServer::start(Ipv4Addr::UNSPECIFIED, &SigningKey::new()?, &for_containers, "", Duration::ZERO)?;
        let good = authority.issue("localhost", valid)?;
        let key_stores = [
            ("TLS", &good),
            ("MUTUAL", &good),
            ("SCRAM", &good),
            ("TOKEN", &good),
            ("SELFSIGNED", &Identity::self_signed("localhost")?),
            ("EXPIRED", &authority.issue("localhost", (2020, 2021))?),
            ("FUTURE", &authority.issue("localhost", (2090, 2100))?),
            ("OTHERNAME", &authority.issue("other.example", valid)?),
        ];
        let mut ports = BTreeMap::new();
        for (name, _) in LISTENERS {
            ports.insert(name, free_port()?);
        }
        let numbered = || LISTENERS.iter().zip(FIRST_PORT..);
        let join = |one: &dyn Fn(&str, &str, u16) -> String| {
            let all: Vec<String> = numbered().map(|((name, protocol), port)| one(name, protocol, port)).collect();
            all.join(",")
        };
        let mut request: ContainerRequest<GenericImage> = GenericImage::new(IMAGE.0, IMAGE.1)
            .with_wait_for(WaitFor::message_on_stdout("Kafka Server started"))
            .with_startup_timeout(Duration::from_secs(120))
            .with_label(LABEL.0, LABEL.1)
            .with_user("root");
        for (name, value) in SETTINGS {
            request = request.with_env_var(name, value);
        }
        // What follows replaces some of these settings.
        request = request
            .with_copy_to(TRUST_STORE, authority.certificate.clone().into_bytes())
            .with_host(HOST, Host::HostGateway)
            .with_env_var(
                "KAFKA_LISTENERS",
                join(&|name, _, port| format!("{name}://:{port}")) + &format!(",CONTROLLER://:9093,TOOLS://:{TOOLS}"),
            )
            .with_env_var(
                "KAFKA_ADVERTISED_LISTENERS",
                join(&|name, _, _| format!("{name}://localhost:{}", ports[name]))
                    + &format!(",TOOLS://localhost:{TOOLS}"),
            )
            .with_env_var(
                "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP",
                join(&|name, protocol, _| format!("{name}:{protocol}")) + ",CONTROLLER:PLAINTEXT,TOOLS:PLAINTEXT",
            )
            .with_env_var("KAFKA_LISTENER_NAME_MUTUAL_SSL_CLIENT_AUTH", "required")
            .with_env_var("KAFKA_LISTENER_NAME_SCRAM_SASL_ENABLED_MECHANISMS", "SCRAM-SHA-512")
            // Clients have to log in again, so that a test sees what another password does to them.
            .with_env_var("KAFKA_LISTENER_NAME_SCRAM_SCRAM___SHA___512_CONNECTIONS_MAX_REAUTH_MS", "8000")
            .with_env_var(
                "KAFKA_LISTENER_NAME_SCRAM_SCRAM___SHA___512_SASL_JAAS_CONFIG",
                "org.apache.kafka.common.security.scram.ScramLoginModule required;",
            );
        for (name, value) in
            RIGHTS.iter().map(|(name, value)| (*name, (*value).to_owned())).chain(token_settings(&identity_server))
        {
            request = request.with_env_var(name, value);
        }
        for ((name, _), port) in numbered() {
            request = request.with_mapped_port(ports[name], port.tcp());
        }
        for (name, identity) in key_stores {
            let path = format!("/certificates/{name}.pem");
            let prefix = format!("KAFKA_LISTENER_NAME_{name}_SSL");
            request = request
                .with_copy_to(&path, identity.key_store().into_bytes())
                .with_env_var(format!("{prefix}_KEYSTORE_TYPE"), "PEM")
                .with_env_var(format!("{prefix}_KEYSTORE_LOCATION"), path)
                .with_env_var(format!("{prefix}_TRUSTSTORE_TYPE"), "PEM")
                .with_env_var(format!("{prefix}_TRUSTSTORE_LOCATION"), TRUST_STORE);
        }
        let container = request.start().context(NO_DOCKER)?;
        Ok(Self { container, ports, authority, identity_server, folder: TempDir::new()? })
    }

    /// The key whose tokens the broker accepts.
    pub(super) fn signing_key(&self) -> &SigningKey {
        self.identity_server.key()
    }

    /// Creates an account for the listener `SCRAM`, or gives it another password.
    pub(crate) fn set_password(&self, user: &str, password: &str) -> Result<()> {
        let scram = format!("SCRAM-SHA-512=[password={password}]");
        let arguments = ["--alter", "--entity-type", "users", "--entity-name", user, "--add-config", &scram];
        tool(&self.container, "kafka-configs.sh", &arguments).map(drop)
    }

    /// Executes commands in the container, one after the other until one fails. Kafka's tools are found by their names.
    pub(crate) fn shell(&self, commands: &str) -> Result<()> {
        // The tools run for seconds: optimising the code would take longer than it saves.
        let script = format!(
            "set -e; PATH=/opt/kafka/bin:$PATH; export KAFKA_HEAP_OPTS=-Xmx128m; \
             export KAFKA_JVM_PERFORMANCE_OPTS='-XX:TieredStopAtLevel=1 -XX:+UseSerialGC'\n{commands}"
        );
        execute(&self.container, commands, ExecCommand::new(["sh", "-c", &script])).map(drop)
    }

    /// Creates a key store of the form that Java programs use, and returns the path of a copy on this machine.
    pub(crate) fn java_key_store(&self) -> Result<String> {
        let keytool = "keytool -genkeypair -storetype JKS -keystore /tmp/store -storepass changeit -keypass changeit -alias a \
                       -keyalg EC -dname CN=a 2>/dev/null";
        execute(&self.container, "keytool", ExecCommand::new(["sh", "-c", keytool]))?;
        let path = self.folder.path().join("store.jks");
        self.container.copy_file_from("/tmp/store", path.as_path())?;
        path.into_os_string().into_string().ok().context("the path is text")
    }

    /// Where clients connect without TLS and without an account.
    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint { bootstrap_servers: self.address("PLAIN"), account: None }
    }

    /// The address of a listener.
    pub(crate) fn address(&self, listener: &str) -> String {
        format!("localhost:{}", self.ports[listener])
    }

    /// Writes a file and returns its path. It exists as long as this broker.
    pub(crate) fn file(&self, name: &str, content: &str) -> Result<String> {
        let path = self.folder.path().join(name);
        // Tests that run at the same time write the same files, and a service may just be reading one.
        let file = tempfile::NamedTempFile::new_in(self.folder.path())?;
        std::fs::write(&file, content)?;
        file.persist(&path)?;
        path.into_os_string().into_string().ok().context("the path is text")
    }
}

/// The listener `TOKEN` takes tokens of the identity server, and ends a session when its token expires.
fn token_settings(identity_server: &IdentityServer) -> [(&'static str, String); 9] {
    let url = identity_server.keys_url(HOST);
    [
        // A broker reads keys only from where its administrator permits.
        ("KAFKA_OPTS", format!("-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={url}")),
        ("KAFKA_SASL_OAUTHBEARER_JWKS_ENDPOINT_URL", url),
        ("KAFKA_SASL_OAUTHBEARER_EXPECTED_AUDIENCE", AUDIENCE.to_owned()),
        ("KAFKA_SASL_OAUTHBEARER_EXPECTED_ISSUER", ISSUER.to_owned()),
        // With the default, a token works for another 30 s after it has expired.
        ("KAFKA_SASL_OAUTHBEARER_CLOCK_SKEW_SECONDS", "0".to_owned()),
        ("KAFKA_LISTENER_NAME_TOKEN_SASL_ENABLED_MECHANISMS", "OAUTHBEARER".to_owned()),
        ("KAFKA_LISTENER_NAME_TOKEN_OAUTHBEARER_CONNECTIONS_MAX_REAUTH_MS", "60000".to_owned()),
        (
            "KAFKA_LISTENER_NAME_TOKEN_OAUTHBEARER_SASL_JAAS_CONFIG",
            // With options, the module wants a claim for the token that the broker itself would log in with, which it never does.
            format!(
                "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required \
                 ssl.truststore.type=\"PEM\" ssl.truststore.location=\"{TRUST_STORE}\" \
                 unsecuredLoginStringClaim_sub=\"broker\";"
            ),
        ),
        (
            "KAFKA_LISTENER_NAME_TOKEN_OAUTHBEARER_SASL_SERVER_CALLBACK_HANDLER_CLASS",
            "org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler".to_owned(),
        ),
    ]
}
