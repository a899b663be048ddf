//! The Kafka that the tests share: a broker of the suite's own, or the one that the environment names.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Error, Result};
use testcontainers_modules::testcontainers::core::ExecCommand;
use testcontainers_modules::testcontainers::{Container, GenericImage};

use crate::broker::{Broker, CONSUMER_SESSION, run, toolbox};

/// How to reach a Kafka from here.
#[derive(Debug, Clone)]
pub(crate) struct Entrance {
    /// `host:port`, comma-separated.
    pub(crate) bootstrap_servers: String,
    /// User name and password, for PLAIN and SCRAM-SHA-512 over `SASL_PLAINTEXT`; without them it is plain text.
    pub(crate) account: Option<(String, String)>,
}

/// A running Kafka.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one of them")]
pub(crate) enum Kafka {
    /// It was started for the suite.
    Own(Broker),
    /// Somebody runs it.
    Named {
        /// The only way in.
        entrance: Entrance,
        /// Where Kafka's tools run, as soon as one is asked for.
        toolbox: OnceLock<Result<Container<GenericImage>, String>>,
    },
}

impl Kafka {
    /// The one in `E2E_BOOTSTRAP_SERVERS`, with the account in `E2E_SASL_USERNAME` and `E2E_SASL_PASSWORD`.
    pub(crate) fn named() -> Option<Self> {
        let environment: HashMap<_, _> = std::env::vars_os().collect();
        let get = |name| environment.get(OsStr::new(name)).and_then(|value| value.to_str()).map(str::to_owned);
        let account = get("E2E_SASL_USERNAME").zip(get("E2E_SASL_PASSWORD"));
        let entrance = Entrance { bootstrap_servers: get("E2E_BOOTSTRAP_SERVERS")?, account };
        Some(Self::Named { entrance, toolbox: OnceLock::new() })
    }

    /// The one that the environment names, or a new broker.
    ///
    /// # Errors
    /// There is neither: without Kafka these tests fail, they are not skipped.
    pub(crate) fn named_or_new() -> Result<Self> {
        Self::named().map_or_else(|| Broker::start().map(Self::Own), Ok)
    }

    /// The way in that the tests take.
    pub(crate) fn entrance(&self) -> Entrance {
        match self {
            Self::Own(broker) => broker.entrance(),
            Self::Named { entrance, .. } => entrance.clone(),
        }
    }

    /// The way in with an account, if there is one.
    pub(crate) fn with_account(&self) -> Entrance {
        match self {
            Self::Own(broker) => broker.with_account(),
            Self::Named { entrance, .. } => entrance.clone(),
        }
    }

    /// After how long a member is dead under the protocol `consumer`: Kafka's default, if we did not say.
    pub(crate) fn consumer_session(&self) -> Duration {
        match self {
            Self::Own(_) => CONSUMER_SESSION,
            Self::Named { .. } => Duration::from_secs(45),
        }
    }

    /// Runs one of Kafka's own tools against this Kafka; gives what it prints.
    ///
    /// # Errors
    /// It ended with another code than 0, or there is no Docker to run it.
    pub(crate) fn tool(&self, script: &str, arguments: &[&str]) -> Result<String> {
        let (entrance, toolbox) = match self {
            Self::Own(broker) => return broker.tool(script, arguments),
            Self::Named { entrance, toolbox: made } => {
                let made = made.get_or_init(|| toolbox().map_err(|error| format!("{error:#}")));
                (entrance, made.as_ref().map_err(|error| Error::msg(error.clone()))?)
            }
        };
        // Neither as an argument nor as a file of this machine: those are for everybody to see.
        let login = entrance.account.as_ref().map_or_else(String::new, |(user, password)| {
            format!(
                "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.jaas.config=\
                 org.apache.kafka.common.security.plain.PlainLoginModule required username=\"{user}\" password=\"{password}\";"
            )
        });
        let line = format!(
            "printf %s \"$LOGIN\" > /tmp/login && exec /opt/kafka/bin/{script} \"$@\" --bootstrap-server {} \
             --command-config /tmp/login",
            entrance.bootstrap_servers
        );
        let command =
            ["sh", "-c", line.as_str(), script].into_iter().chain(arguments.iter().copied()).map(str::to_owned);
        run(toolbox, script, ExecCommand::new(command).with_env_vars([("LOGIN", login)]))
    }
}
