//! A broker in a container of its own, which can be stopped, killed and started again.

use std::net::TcpListener;
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use testcontainers_modules::testcontainers::core::{ExecCommand, IntoContainerPort as _, WaitFor};
use testcontainers_modules::testcontainers::runners::SyncRunner as _;
use testcontainers_modules::testcontainers::{Container, ContainerRequest, GenericImage, ImageExt as _};

use crate::kafka::Entrance;

/// The image of every broker here, and of its tools.
pub(crate) const IMAGE: (&str, &str) = ("apache/kafka", "4.2.0");
const LABEL: (&str, &str) = ("kafka-pair.e2e", "broker");
const NO_DOCKER: &str = "Docker is needed, with the image apache/kafka; see tests/README.md";

/// For plain clients, for clients with an account, and for what runs in the container.
const CLIENT: u16 = 9092;
const ACCOUNT: u16 = 9094;
const TOOLS: u16 = 19092;

const USER: &str = "e2e";
const PASSWORD: &str = "e2e-password";

/// The members of a group with the protocol `consumer` are dead after so long here.
pub(crate) const CONSUMER_SESSION: Duration = Duration::from_secs(6);

/// What differs from Kafka's defaults. The listeners' names do not say SASL: the image would then ask for a JAAS file.
const SETTINGS: [(&str, &str); 22] = [
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
    // A group that gathers for 3 s costs each test 3 s.
    ("KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS", "500"),
    // With the protocol `consumer` the broker decides when a member is dead: after 45 s, and not before, by default.
    ("KAFKA_GROUP_CONSUMER_MIN_SESSION_TIMEOUT_MS", "6000"),
    ("KAFKA_GROUP_CONSUMER_SESSION_TIMEOUT_MS", "6000"),
    ("KAFKA_GROUP_CONSUMER_MIN_HEARTBEAT_INTERVAL_MS", "1000"),
    ("KAFKA_GROUP_CONSUMER_HEARTBEAT_INTERVAL_MS", "1000"),
];

/// A running broker, or one that is to run again. Its container is removed when this is dropped, and when the suite is
/// interrupted.
#[derive(Debug)]
pub(crate) struct Broker {
    container: Container<GenericImage>,
    client: u16,
    account: u16,
}

impl Broker {
    /// Starts one. Its address stays the same over restarts.
    ///
    /// # Errors
    /// Docker is not there, or the broker does not start.
    pub(crate) fn start() -> Result<Self> {
        // A port that Docker chooses would be another one after a restart.
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
            // Not in every build of the image can its own user write the configuration that comes from the variables.
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

    /// The way in without an account.
    pub(crate) fn entrance(&self) -> Entrance {
        Entrance { bootstrap_servers: format!("localhost:{}", self.client), account: None }
    }

    /// The way in with an account.
    pub(crate) fn with_account(&self) -> Entrance {
        let account = Some((USER.to_owned(), PASSWORD.to_owned()));
        Entrance { bootstrap_servers: format!("localhost:{}", self.account), account }
    }

    /// Runs one of Kafka's own tools in the container; gives what it prints.
    ///
    /// # Errors
    /// It ended with another code than 0.
    pub(crate) fn tool(&self, script: &str, arguments: &[&str]) -> Result<String> {
        let mut command = vec![format!("/opt/kafka/bin/{script}")];
        command.extend(["--bootstrap-server".to_owned(), format!("localhost:{TOOLS}")]);
        command.extend(arguments.iter().map(|it| (*it).to_owned()));
        run(&self.container, script, ExecCommand::new(command))
    }

    /// Stops the broker in good order.
    ///
    /// # Errors
    /// Docker could not.
    pub(crate) fn stop(&self) -> Result<()> {
        Ok(self.container.stop_with_timeout(Some(60))?)
    }

    /// Ends the broker with SIGKILL.
    ///
    /// # Errors
    /// Docker could not.
    pub(crate) fn kill(&self) -> Result<()> {
        // The library has no word for it; to stop "within 0 s" sends SIGTERM first.
        let output = Command::new("docker").args(["kill", self.container.id()]).output().context(NO_DOCKER)?;
        ensure!(output.status.success(), "docker kill: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// Starts the stopped or killed broker again.
    ///
    /// # Errors
    /// Docker could not.
    pub(crate) fn start_again(&self) -> Result<()> {
        Ok(self.container.start()?)
    }
}

/// A container on the network of this machine that has nothing but Kafka's tools.
///
/// # Errors
/// Docker is not there.
pub(crate) fn toolbox() -> Result<Container<GenericImage>> {
    let image = GenericImage::new(IMAGE.0, IMAGE.1).with_entrypoint("sleep");
    let request = image.with_cmd(["infinity"]).with_network("host").with_label(LABEL.0, LABEL.1);
    request.start().context(NO_DOCKER)
}

/// Runs a command in a container; gives what it prints.
///
/// # Errors
/// It ended with another code than 0.
pub(crate) fn run(container: &Container<GenericImage>, name: &str, command: ExecCommand) -> Result<String> {
    let mut ended = container.exec(command)?;
    let printed = String::from_utf8(ended.stdout_to_vec()?)?;
    let complaint = String::from_utf8_lossy(&ended.stderr_to_vec()?).into_owned();
    ensure!(ended.exit_code()? == Some(0), "{name} failed: {printed}{complaint}");
    Ok(printed)
}

/// A port that nobody listens on, and that no other broker of this suite was given.
fn free_port() -> Result<u16> {
    const PORTS: std::ops::Range<u16> = 34_000..35_000;
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    // Suites that run at the same time begin at different places.
    let start = std::process::id() % u32::from(PORTS.end - PORTS.start);
    loop {
        let offset = u32::from(GIVEN.fetch_add(1, Ordering::Relaxed)) + start;
        let port = PORTS.start + u16::try_from(offset % 1000)?;
        ensure!(GIVEN.load(Ordering::Relaxed) < 1000, "no port is free");
        if TcpListener::bind(("0.0.0.0", port)).is_ok() {
            return Ok(port);
        }
    }
}
