//! A plain Python client beside the services: kafka-python, in an environment of its own.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context as _, Result, ensure};

use crate::cluster::Cluster;

const KAFKA_PYTHON: &str = "kafka-python==3.0.12";

/// Python with kafka-python.
#[derive(Debug, Clone)]
pub(crate) struct Python(PathBuf);

impl Python {
    /// Makes the environment once for a test run.
    ///
    /// # Errors
    /// There is no `python3`, or the package can't be installed.
    pub(crate) fn with_kafka() -> Result<Self> {
        static MADE: OnceLock<Result<PathBuf, String>> = OnceLock::new();
        let made = MADE.get_or_init(|| Self::make().map_err(|error| format!("{error:#}")));
        made.clone().map(Self).map_err(anyhow::Error::msg)
    }

    fn make() -> Result<PathBuf> {
        // Lives as long as this run's other temporary files; the operating system clears them.
        let folder = tempfile::Builder::new().prefix("e2e-python-").tempdir()?.keep();
        let made = Command::new("python3").args(["-m", "venv"]).arg(&folder).status().context("there is no python3")?;
        ensure!(made.success(), "python3 -m venv failed");
        let pip = folder.join("bin/pip");
        let installed = Command::new(pip).args(["install", "--quiet", KAFKA_PYTHON]).status()?;
        ensure!(installed.success(), "could not install {KAFKA_PYTHON}");
        Ok(folder.join("bin/python"))
    }

    /// Runs a program that finds the cluster in `connection`, a dictionary for kafka-python, and the topic in `topic`; gives
    /// what it prints.
    ///
    /// # Errors
    /// The program failed.
    pub(crate) fn run(&self, cluster: &Cluster, program: &str) -> Result<String> {
        let output = Command::new(&self.0)
            .args(["-c", &format!("{PREAMBLE}{program}")])
            // Not as arguments: those are for everybody to see.
            .envs(cluster.variables())
            .output()?;
        ensure!(output.status.success(), "python failed: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }
}

const PREAMBLE: &str = "\
import json, os
from kafka import KafkaConsumer, KafkaProducer
connection = dict(
    bootstrap_servers=os.environ['KAFKA_BOOTSTRAP_SERVERS'].split(','),
)
if 'KAFKA_SASL_USERNAME' in os.environ:
    connection.update(
        security_protocol='SASL_PLAINTEXT',
        sasl_mechanism='PLAIN',
        sasl_plain_username=os.environ['KAFKA_SASL_USERNAME'],
        sasl_plain_password=os.environ['KAFKA_SASL_PASSWORD'],
    )
topic = os.environ['KAFKA_TOPIC']
";
