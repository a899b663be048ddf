//! A cluster of three brokers in containers, of which one can be frozen, stopped and restarted.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use testcontainers_modules::testcontainers::runners::SyncRunner as _;
use testcontainers_modules::testcontainers::{Container, ContainerRequest, GenericImage, ImageExt as _};

use crate::broker::{IMAGE, LABEL, NO_DOCKER, free_port};
use crate::kafka::Endpoint;
use crate::topic::{ANSWER_TIMEOUT, DEADLINE, Topic};

const BROKERS: usize = 3;

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
        let cluster = Self { containers, ports };
        cluster.wait_for_brokers(BROKERS)?;
        Ok(cluster)
    }

    /// Where clients connect.
    pub(crate) fn endpoint(&self) -> Endpoint {
        let addresses: Vec<String> = (1..=BROKERS).map(|id| self.address(id)).collect();
        Endpoint { bootstrap_servers: addresses.join(","), account: None }
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

    /// Freezes a broker: it accepts connections and does not answer.
    ///
    /// # Errors
    /// Docker could not freeze it.
    pub(crate) fn freeze(&self, id: usize) -> Result<()> {
        self.docker("pause", id)
    }

    /// Ends [`Cluster::freeze`].
    ///
    /// # Errors
    /// Docker could not do it.
    pub(crate) fn thaw(&self, id: usize) -> Result<()> {
        self.docker("unpause", id)
    }

    /// The library has no function for this.
    fn docker(&self, command: &str, id: usize) -> Result<()> {
        let output =
            Command::new("docker").args([command, self.containers[id - 1].id()]).output().context(NO_DOCKER)?;
        ensure!(output.status.success(), "docker {command}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// Stops a broker with SIGTERM, and starts it again.
    ///
    /// # Errors
    /// Docker could not do it, or the broker does not come back.
    pub(crate) fn restart(&self, id: usize) -> Result<()> {
        self.containers[id - 1].stop_with_timeout(Some(60))?;
        self.containers[id - 1].start()?;
        self.wait_for_brokers(BROKERS)
    }
}
