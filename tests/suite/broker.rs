//! A broker in a container, which can be stopped, killed and restarted.

use std::net::TcpListener;
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use testcontainers_modules::testcontainers::core::{ExecCommand, IntoContainerPort as _, WaitFor};
use testcontainers_modules::testcontainers::runners::SyncRunner as _;
use testcontainers_modules::testcontainers::{Container, ContainerRequest, GenericImage, ImageExt as _};

use crate::kafka::Endpoint;

/// The image of every broker and of Kafka's tools.
pub(crate) const IMAGE: (&str, &str) = ("apache/kafka", "4.2.0");
pub(crate) const LABEL: (&str, &str) = ("kafka-pair.e2e", "broker");
pub(crate) const NO_DOCKER: &str = "could not use Docker with the image apache/kafka; see tests/README.md";

/// Ports in the container: for clients without an account, for clients with one, and for Kafka's tools, which run there.
const CLIENT: u16 = 9092;
const ACCOUNT: u16 = 9094;
pub(crate) const TOOLS: u16 = 19092;

const EXIT_CODE_TIMEOUT: Duration = Duration::from_secs(10);

const USER: &str = "e2e";
const PASSWORD: &str = "e2e-password";

/// The session timeout that the broker sets for groups with the protocol `consumer`.
pub(crate) const CONSUMER_SESSION_TIMEOUT: Duration = Duration::from_secs(6);

/// Settings that differ from Kafka's defaults. No listener has SASL in its name, because the image would then require a JAAS file.
pub(crate) const SETTINGS: [(&str, &str); 22] = [
    ("KAFKA_NODE_ID", "1"),
    ("KAFKA_PROCESS_ROLES", "broker,controller"),
    ("KAFKA_CONTROLLER_QUORUM_VOTERS", "1@localhost:9093"),
    ("KAFKA_CONTROLLER_LISTENER_NAMES", "CONTROLLER"),
    ("KAFKA_INTER_BROKER_LISTENER_NAME", "TOOLS"),
    ("KAFKA_LISTENERS", "CLIENT://:9092,CONTROLLER://:9093,ACCOUNT://:9094,TOOLS://:19092"),
    (
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP",
        "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT,ACCOUNT:SASL_PLAINTEXT,TOOLS:PLAINTEXT",
    ),
    ("KAFKA_LISTENER_NAME_ACCOUNT_SASL_ENABLED_MECHANISMS", "PLAIN,SCRAM-SHA-512"),
    (
        "KAFKA_LISTENER_NAME_ACCOUNT_SCRAM___SHA___512_SASL_JAAS_CONFIG",
        "org.apache.kafka.common.security.scram.ScramLoginModule required;",
    ),
    ("KAFKA_LOG_DIRS", "/var/lib/kafka/data"),
    ("KAFKA_AUTO_CREATE_TOPICS_ENABLE", "false"),
    ("KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR", "1"),
    ("KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR", "1"),
    ("KAFKA_TRANSACTION_STATE_LOG_MIN_ISR", "1"),
    ("KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR", "1"),
    ("KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR", "1"),
    ("KAFKA_HEAP_OPTS", "-Xmx512m"),
    // With the default, every new group waits 3 s for more members, and every test with it.
    ("KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS", "500"),
    // With the protocol `consumer` the broker sets the session timeout: 45 s by default, which is also the minimum.
    ("KAFKA_GROUP_CONSUMER_MIN_SESSION_TIMEOUT_MS", "6000"),
    ("KAFKA_GROUP_CONSUMER_SESSION_TIMEOUT_MS", "6000"),
    ("KAFKA_GROUP_CONSUMER_MIN_HEARTBEAT_INTERVAL_MS", "1000"),
    ("KAFKA_GROUP_CONSUMER_HEARTBEAT_INTERVAL_MS", "1000"),
];

/// A broker that runs, or is stopped and can be restarted. Its container is removed when this is dropped or the suite is
/// interrupted.
#[derive(Debug)]
pub(crate) struct Broker {
    container: Container<GenericImage>,
    client: u16,
    account: u16,
}

impl Broker {
    /// Starts a broker, whose address stays the same across restarts.
    ///
    /// # Errors
    /// Docker is not available, or the broker does not start.
    pub(crate) fn start() -> Result<Self> {
        // If Docker chose the ports, they would change with each restart.
        let [client, account] = [free_port()?, free_port()?];
        let advertised = format!("CLIENT://localhost:{client},ACCOUNT://localhost:{account},TOOLS://localhost:{TOOLS}");
        let login =
            format!("org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}=\"{PASSWORD}\";");
        let image = GenericImage::new(IMAGE.0, IMAGE.1);
        let mut request: ContainerRequest<GenericImage> = image
            .with_wait_for(WaitFor::message_on_stdout("Kafka Server started"))
            .with_startup_timeout(Duration::from_secs(120))
            .with_label(LABEL.0, LABEL.1)
            .with_mapped_port(client, CLIENT.tcp())
            .with_mapped_port(account, ACCOUNT.tcp())
            // In some builds of the image, its own user may not write the configuration that it generates from the variables.
            .with_user("root")
            .with_env_var("KAFKA_ADVERTISED_LISTENERS", advertised)
            .with_env_var("KAFKA_LISTENER_NAME_ACCOUNT_PLAIN_SASL_JAAS_CONFIG", login);
        for (name, value) in SETTINGS {
            request = request.with_env_var(name, value);
        }
        let broker = Self { container: request.start().context(NO_DOCKER)?, client, account };
        let scram = format!("SCRAM-SHA-512=[password={PASSWORD}]");
        broker.tool(
            "kafka-configs.sh",
            &["--alter", "--entity-type", "users", "--entity-name", USER, "--add-config", &scram],
        )?;
        Ok(broker)
    }

    /// Where clients without an account connect.
    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint { bootstrap_servers: format!("localhost:{}", self.client), account: None }
    }

    /// Where clients with an account connect, and the account.
    pub(crate) fn endpoint_with_account(&self) -> Endpoint {
        let account = Some((USER.to_owned(), PASSWORD.to_owned()));
        Endpoint { bootstrap_servers: format!("localhost:{}", self.account), account }
    }

    /// Executes one of Kafka's tools in the container and returns its output.
    ///
    /// # Errors
    /// The tool failed.
    pub(crate) fn tool(&self, script: &str, arguments: &[&str]) -> Result<String> {
        tool(&self.container, script, arguments)
    }

    /// Stops the broker with SIGTERM.
    ///
    /// # Errors
    /// Docker could not stop it.
    pub(crate) fn stop(&self) -> Result<()> {
        Ok(self.container.stop_with_timeout(Some(60))?)
    }

    /// Kills the broker with SIGKILL.
    ///
    /// # Errors
    /// Docker could not kill it.
    pub(crate) fn kill(&self) -> Result<()> {
        // The library has no function for SIGKILL: even stopping with a timeout of 0 s sends SIGTERM first.
        let output = Command::new("docker").args(["kill", self.container.id()]).output().context(NO_DOCKER)?;
        ensure!(output.status.success(), "docker kill: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// Restarts the broker after it was stopped or killed.
    ///
    /// # Errors
    /// Docker could not start it.
    pub(crate) fn restart(&self) -> Result<()> {
        Ok(self.container.start()?)
    }
}

/// Starts a container on the host's network in which Kafka's tools can be executed. No broker runs there.
///
/// # Errors
/// Docker is not available.
pub(crate) fn start_toolbox() -> Result<Container<GenericImage>> {
    let image = GenericImage::new(IMAGE.0, IMAGE.1).with_entrypoint("sleep");
    let request = image.with_cmd(["infinity"]).with_network("host").with_label(LABEL.0, LABEL.1);
    request.start().context(NO_DOCKER)
}

/// Executes one of Kafka's tools in the container of a broker and returns its output.
///
/// # Errors
/// The tool failed.
pub(crate) fn tool(container: &Container<GenericImage>, script: &str, arguments: &[&str]) -> Result<String> {
    let mut command = vec![format!("/opt/kafka/bin/{script}")];
    command.extend(["--bootstrap-server".to_owned(), format!("localhost:{TOOLS}")]);
    command.extend(arguments.iter().map(|argument| (*argument).to_owned()));
    execute(container, script, ExecCommand::new(command))
}

/// Executes a command in a container and returns its output.
///
/// # Errors
/// The command failed.
pub(crate) fn execute(container: &Container<GenericImage>, name: &str, command: ExecCommand) -> Result<String> {
    let mut command = container.exec(command)?;
    let output = String::from_utf8(command.stdout_to_vec()?)?;
    let errors = String::from_utf8_lossy(&command.stderr_to_vec()?).into_owned();
    // A busy engine closes the output some time before it knows the exit code.
    let deadline = Instant::now() + EXIT_CODE_TIMEOUT;
    let code = loop {
        match command.exit_code()? {
            None if Instant::now() < deadline => std::thread::park_timeout(Duration::from_millis(50)),
            code => break code,
        }
    };
    ensure!(code == Some(0), "{name} failed with {code:?}: {output}{errors}");
    Ok(output)
}

/// Returns a port that is free and that no other broker of this suite has been given.
pub(crate) fn free_port() -> Result<u16> {
    const PORTS: std::ops::Range<u16> = 34_000..35_000;
    static TRIED: AtomicU16 = AtomicU16::new(0);
    // Suites that run at the same time start at different ports.
    let start = std::process::id() % u32::from(PORTS.end - PORTS.start);
    loop {
        let offset = u32::from(TRIED.fetch_add(1, Ordering::Relaxed)) + start;
        let port = PORTS.start + u16::try_from(offset % 1000)?;
        ensure!(TRIED.load(Ordering::Relaxed) < 1000, "no port in {PORTS:?} is free");
        if TcpListener::bind(("0.0.0.0", port)).is_ok() {
            return Ok(port);
        }
    }
}
