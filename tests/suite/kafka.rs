//! The Kafka that the tests share: a broker that the suite starts, or the cluster that the environment names.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Error, Result};
use testcontainers_modules::testcontainers::core::ExecCommand;
use testcontainers_modules::testcontainers::{Container, GenericImage};

use crate::broker::{Broker, CONSUMER_SESSION_TIMEOUT, execute, start_toolbox};

/// Where a Kafka is, and the account to use.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    /// Comma-separated `host:port` pairs.
    pub(crate) bootstrap_servers: String,
    /// User name and password for PLAIN and SCRAM-SHA-512 over `SASL_PLAINTEXT`. Without them clients use `PLAINTEXT`.
    pub(crate) account: Option<(String, String)>,
}

/// A running Kafka.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "only one is ever created")]
pub(crate) enum Kafka {
    /// A broker that the suite started.
    Own(Broker),
    /// A cluster that the environment names.
    Named {
        /// How to connect to it.
        endpoint: Endpoint,
        /// The container in which Kafka's tools are executed. It starts with the first of them.
        toolbox: OnceLock<Result<Container<GenericImage>, String>>,
    },
}

impl Kafka {
    /// The cluster in `E2E_BOOTSTRAP_SERVERS`, with the account in `E2E_SASL_USERNAME` and `E2E_SASL_PASSWORD`.
    pub(crate) fn named() -> Option<Self> {
        let environment: HashMap<_, _> = std::env::vars_os().collect();
        let get = |name| environment.get(OsStr::new(name)).and_then(|value| value.to_str()).map(str::to_owned);
        let account = get("E2E_SASL_USERNAME").zip(get("E2E_SASL_PASSWORD"));
        let endpoint = Endpoint { bootstrap_servers: get("E2E_BOOTSTRAP_SERVERS")?, account };
        Some(Self::Named { endpoint, toolbox: OnceLock::new() })
    }

    /// The cluster that the environment names, or a new broker if it names none.
    ///
    /// # Errors
    /// The broker can't be started. Without a Kafka the tests fail; they are not skipped.
    pub(crate) fn named_or_new() -> Result<Self> {
        Self::named().map_or_else(|| Broker::start().map(Self::Own), Ok)
    }

    /// Where tests connect that need no account.
    pub(crate) fn endpoint(&self) -> Endpoint {
        match self {
            Self::Own(broker) => broker.endpoint(),
            Self::Named { endpoint, .. } => endpoint.clone(),
        }
    }

    /// Where tests connect that need an account. The endpoint has none if the environment names a cluster without one.
    pub(crate) fn endpoint_with_account(&self) -> Endpoint {
        match self {
            Self::Own(broker) => broker.endpoint_with_account(),
            Self::Named { endpoint, .. } => endpoint.clone(),
        }
    }

    /// The broker's session timeout for the protocol `consumer`. A named cluster is expected to have Kafka's default.
    pub(crate) fn consumer_session_timeout(&self) -> Duration {
        match self {
            Self::Own(_) => CONSUMER_SESSION_TIMEOUT,
            Self::Named { .. } => Duration::from_secs(45),
        }
    }

    /// Executes one of Kafka's tools against this Kafka and returns its output.
    ///
    /// # Errors
    /// The tool failed, or Docker is not available to execute it.
    pub(crate) fn tool(&self, script: &str, arguments: &[&str]) -> Result<String> {
        let (endpoint, toolbox) = match self {
            Self::Own(broker) => return broker.tool(script, arguments),
            Self::Named { endpoint, toolbox } => {
                let toolbox = toolbox.get_or_init(|| start_toolbox().map_err(|error| format!("{error:#}")));
                (endpoint, toolbox.as_ref().map_err(|error| Error::msg(error.clone()))?)
            }
        };
        // The password must not be in an argument or in a file of this machine, where other users could see it.
        let login = endpoint.account.as_ref().map_or_else(String::new, |(user, password)| {
            format!(
                "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.jaas.config=\
                 org.apache.kafka.common.security.plain.PlainLoginModule required username=\"{user}\" password=\"{password}\";"
            )
        });
        let line = format!(
            "printf %s \"$LOGIN\" > /tmp/login && exec /opt/kafka/bin/{script} \"$@\" --bootstrap-server {} \
             --command-config /tmp/login",
            endpoint.bootstrap_servers
        );
        let command =
            ["sh", "-c", line.as_str(), script].into_iter().chain(arguments.iter().copied()).map(str::to_owned);
        execute(toolbox, script, ExecCommand::new(command).with_env_vars([("LOGIN", login)]))
    }
}
