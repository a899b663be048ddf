//! A cluster of three brokers in containers, of which one can be frozen, killed, stopped and restarted.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use testcontainers_modules::testcontainers::core::ExecCommand;
use testcontainers_modules::testcontainers::runners::SyncRunner as _;
use testcontainers_modules::testcontainers::{Container, ContainerRequest, GenericImage, ImageExt as _};

use crate::broker::{IMAGE, LABEL, NO_DOCKER, execute, free_port};
use crate::kafka::Endpoint;
use crate::topic::{ANSWER_TIMEOUT, DEADLINE, Topic};

pub(crate) const BROKERS: usize = 3;

/// Settings that all brokers share and that differ from Kafka's defaults.
const SETTINGS: [(&str, &str); 12] = [
    ("KAFKA_PROCESS_ROLES", "broker,controller"),
    ("KAFKA_CONTROLLER_LISTENER_NAMES", "CONTROLLER"),
    ("KAFKA_INTER_BROKER_LISTENER_NAME", "CLIENT"),
    ("KAFKA_LISTENER_SECURITY_PROTOCOL_MAP", "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT"),
    ("KAFKA_LOG_DIRS", "/var/lib/kafka/data"),
    ("KAFKA_AUTO_CREATE_TOPICS_ENABLE", "false"),
    ("KAFKA_MIN_INSYNC_REPLICAS", "2"),
    ("KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS", "3"),
    ("KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR", "3"),
    ("KAFKA_TRANSACTION_STATE_LOG_MIN_ISR", "2"),
    ("KAFKA_HEAP_OPTS", "-Xmx384m"),
    ("KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS", "500"),
];

/// Three brokers with the ids 1, 2 and 3. Their containers are removed when this is dropped or the suite is interrupted.
#[derive(Debug)]
pub(crate) struct Cluster {
    containers: Vec<Container<GenericImage>>,
    ports: Vec<u16>,
    controller_ports: Vec<u16>,
}

impl Cluster {
    /// Starts three brokers on the host's network, where they find each other under addresses that stay the same.
    ///
    /// # Errors
    /// Docker is not available, or the brokers do not start.
    pub(crate) fn start() -> Result<Self> {
        let ports = (0..BROKERS).map(|_| free_port()).collect::<Result<Vec<_>>>()?;
        let controllers = (0..BROKERS).map(|_| free_port()).collect::<Result<Vec<_>>>()?;
        let voters: Vec<String> = (1..).zip(&controllers).map(|(id, port)| format!("{id}@localhost:{port}")).collect();
        let mut containers = Vec::new();
        for (id, (port, controller)) in (1..).zip(ports.iter().zip(&controllers)) {
            // None of them is ready before a second one has started, so none is waited for here.
            let mut request: ContainerRequest<GenericImage> = GenericImage::new(IMAGE.0, IMAGE.1)
                .with_network("host")
                .with_label(LABEL.0, LABEL.1)
                .with_user("root")
                .with_env_var("KAFKA_NODE_ID", id.to_string())
                .with_env_var("KAFKA_CONTROLLER_QUORUM_VOTERS", voters.join(","))
                .with_env_var(
                    "KAFKA_LISTENERS",
                    format!("CLIENT://localhost:{port},CONTROLLER://localhost:{controller}"),
                )
                .with_env_var("KAFKA_ADVERTISED_LISTENERS", format!("CLIENT://localhost:{port}"));
            for (name, value) in SETTINGS {
                request = request.with_env_var(name, value);
            }
            containers.push(request.start().context(NO_DOCKER)?);
        }
        let cluster = Self { containers, ports, controller_ports: controllers };
        cluster.wait_for_brokers(BROKERS)?;
        Ok(cluster)
    }

    /// Where clients connect.
    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint { bootstrap_servers: addresses(&self.ports, None), account: None }
    }

    /// The address of a broker.
    pub(crate) fn address(&self, id: usize) -> String {
        format!("localhost:{}", self.ports[id - 1])
    }

    /// The leader of each partition of a topic.
    ///
    /// # Errors
    /// The cluster does not answer.
    pub(crate) fn leaders(&self, topic: &Topic) -> Result<BTreeMap<i32, i32>> {
        let client: BaseConsumer = topic.client_config().create()?;
        let metadata = client.fetch_metadata(Some(&topic.name), ANSWER_TIMEOUT)?;
        let topic = metadata.topics().first().context("no topic")?;
        Ok(topic.partitions().iter().map(|partition| (partition.id(), partition.leader())).collect())
    }

    /// Waits until the metadata lists `count` brokers.
    ///
    /// # Errors
    /// They are not there within the deadline.
    pub(crate) fn wait_for_brokers(&self, count: usize) -> Result<()> {
        let deadline = Instant::now() + DEADLINE;
        let mut config = rdkafka::ClientConfig::new();
        let client: BaseConsumer = config.set("bootstrap.servers", self.endpoint().bootstrap_servers).create()?;
        loop {
            let found = client.fetch_metadata(None, Duration::from_secs(2)).map(|metadata| metadata.brokers().len());
            if found.is_ok_and(|found| found == count) {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "the cluster does not have {count} brokers");
            std::thread::park_timeout(Duration::from_millis(500));
        }
    }

    /// Waits until every replica of every partition is in sync.
    ///
    /// # Errors
    /// That is not so within the deadline.
    pub(crate) fn wait_for_replicas(&self) -> Result<()> {
        let deadline = Instant::now() + DEADLINE;
        let mut config = rdkafka::ClientConfig::new();
        let client: BaseConsumer = config.set("bootstrap.servers", self.endpoint().bootstrap_servers).create()?;
        loop {
            let metadata = client.fetch_metadata(None, ANSWER_TIMEOUT)?;
            let partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
            let behind = partitions.filter(|partition| partition.isr().len() < partition.replicas().len()).count();
            if behind == 0 {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "{behind} partitions have replicas that are not in sync");
            std::thread::park_timeout(Duration::from_millis(500));
        }
    }

    /// The broker that coordinates a group, as Kafka's own tool reports it. `failed` is a broker that can't be asked.
    ///
    /// # Errors
    /// The tool failed, or its output can't be parsed.
    pub(crate) fn coordinator(&self, group: &str, failed: Option<usize>) -> Result<usize> {
        let brokers = addresses(&self.ports, failed);
        let arguments = ["--bootstrap-server", &brokers, "--describe", "--state", "--group", group];
        let output = self.tool("kafka-consumer-groups.sh", &arguments)?;
        // The column contains `localhost:34001 (2)`.
        let row = output.lines().skip_while(|line| !line.contains("COORDINATOR (ID)")).nth(1).unwrap_or_default();
        let id = row.split_once('(').and_then(|(_, rest)| rest.split_once(')')).and_then(|(id, _)| id.parse().ok());
        id.with_context(|| format!("no coordinator in:\n{output}"))
    }

    /// The broker that is the active controller, as Kafka's own tool reports it. `failed` is a broker that can't be asked.
    ///
    /// # Errors
    /// The tool failed, or its output can't be parsed.
    pub(crate) fn controller(&self, failed: Option<usize>) -> Result<usize> {
        let controllers = addresses(&self.controller_ports, failed);
        let output =
            self.tool("kafka-metadata-quorum.sh", &["--bootstrap-controller", &controllers, "describe", "--status"])?;
        let leader = output.lines().find_map(|line| line.strip_prefix("LeaderId:"));
        leader.and_then(|id| id.trim().parse().ok()).with_context(|| format!("no leader in:\n{output}"))
    }

    /// Executes one of Kafka's tools in the container of the first broker that runs.
    fn tool(&self, script: &str, arguments: &[&str]) -> Result<String> {
        let mut command = vec![format!("/opt/kafka/bin/{script}")];
        command.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        let is_running =
            |container: &&Container<GenericImage>| status(container).is_ok_and(|status| status == "running");
        let container = self.containers.iter().find(is_running).context("no broker runs")?;
        execute(container, script, ExecCommand::new(command))
    }

    /// Freezes a broker: it accepts connections and does not answer.
    ///
    /// With control groups of version 1 the kernel may fail to stop all threads of a busy broker. Docker then lets the container go on, so
    /// this tries again.
    ///
    /// # Errors
    /// The broker does not run, or Docker could not freeze it within the deadline.
    pub(crate) fn freeze(&self, id: usize) -> Result<()> {
        let deadline = Instant::now() + DEADLINE;
        let container = &self.containers[id - 1];
        loop {
            match docker(&["pause", container.id()]) {
                Err(_) if Instant::now() < deadline && status(container)? == "running" => {
                    std::thread::park_timeout(Duration::from_millis(100));
                }
                result => {
                    let log = || docker(&["logs", "--tail", "20", container.id()]).unwrap_or_default();
                    return result
                        .map(drop)
                        .with_context(|| format!("broker {id} is not frozen; its log ends:\n{}", log()));
                }
            }
        }
    }

    /// Kills a broker with SIGKILL.
    ///
    /// # Errors
    /// Docker could not kill it.
    pub(crate) fn kill(&self, id: usize) -> Result<()> {
        docker(&["kill", self.containers[id - 1].id()]).map(drop)
    }

    /// Stops a broker with SIGTERM.
    ///
    /// # Errors
    /// Docker could not do it.
    pub(crate) fn stop(&self, id: usize) -> Result<()> {
        Ok(self.containers[id - 1].stop_with_timeout(Some(60))?)
    }

    /// Makes every broker run again, whether it was frozen, killed or stopped, and waits until all are back.
    ///
    /// # Errors
    /// Docker could not do it, or the brokers do not come back.
    pub(crate) fn heal(&self) -> Result<()> {
        for container in &self.containers {
            match status(container)?.as_str() {
                "running" => {}
                "paused" => drop(docker(&["unpause", container.id()])?),
                _ => container.start()?,
            }
        }
        self.wait_for_brokers(BROKERS)
    }
}

/// The addresses with these ports, one for each broker but the one that `failed`.
fn addresses(ports: &[u16], failed: Option<usize>) -> String {
    let ports = (1..).zip(ports).filter(|(id, _)| Some(*id) != failed);
    ports.map(|(_, port)| format!("localhost:{port}")).collect::<Vec<_>>().join(",")
}

/// `running`, `paused` or `exited`, as Docker says it.
fn status(container: &Container<GenericImage>) -> Result<String> {
    Ok(docker(&["inspect", "-f", "{{.State.Status}}", container.id()])?.trim().to_owned())
}

/// Executes a command of Docker for which the library has no function.
fn docker(arguments: &[&str]) -> Result<String> {
    let output = Command::new("docker").args(arguments).output().context(NO_DOCKER)?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "docker {}: {}", arguments[0], error.trim());
    Ok(String::from_utf8(output.stdout)?)
}
