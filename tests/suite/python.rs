//! Python with kafka-python, in a virtual environment that the suite creates.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context as _, Result, ensure};

use crate::topic::Topic;

const KAFKA_PYTHON: &str = "kafka-python==3.0.12";

/// The interpreter of that environment.
#[derive(Debug, Clone)]
pub(crate) struct Python(PathBuf);

impl Python {
    /// Creates the environment when the first test asks for it.
    ///
    /// # Errors
    /// `python3` can't be started, or the package can't be installed.
    pub(crate) fn with_kafka() -> Result<Self> {
        static INTERPRETER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
        let interpreter = INTERPRETER.get_or_init(|| Self::create().map_err(|error| format!("{error:#}")));
        interpreter.clone().map(Self).map_err(anyhow::Error::msg)
    }

    fn create() -> Result<PathBuf> {
        // A static is never dropped, so the suite does not remove the folder. The system clears its temporary folder.
        let folder = tempfile::Builder::new().prefix("e2e-python-").tempdir()?.keep();
        let created =
            Command::new("python3").args(["-m", "venv"]).arg(&folder).status().context("could not start python3")?;
        ensure!(created.success(), "python3 -m venv failed");
        let pip = folder.join("bin/pip");
        let installed = Command::new(pip).args(["install", "--quiet", KAFKA_PYTHON]).status()?;
        ensure!(installed.success(), "could not install {KAFKA_PYTHON}");
        Ok(folder.join("bin/python"))
    }

    /// Executes a program and returns its output. The program finds arguments for kafka-python's clients in the dictionary
    /// `connection`, and the name of the topic in `topic`.
    ///
    /// # Errors
    /// The program failed.
    pub(crate) fn execute(&self, topic: &Topic, program: &str) -> Result<String> {
        let output = Command::new(&self.0)
            .args(["-c", &format!("{PREAMBLE}{program}")])
            // Not as arguments, because every user of the machine can see those.
            .envs(topic.variables())
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
