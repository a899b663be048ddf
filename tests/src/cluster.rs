//! The cluster that the environment names.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;

/// A real Kafka, and a topic that no other test uses.
#[derive(Debug)]
pub struct Cluster {
    /// `host:port`, comma-separated.
    pub bootstrap_servers: String,
    /// User name and password.
    pub account: (String, String),
    /// The topic.
    pub topic: String,
}

impl Cluster {
    /// The cluster in `E2E_BOOTSTRAP_SERVERS`, with the account in `E2E_SASL_USERNAME` and `E2E_SASL_PASSWORD`, and a new
    /// topic.
    ///
    /// # Errors
    /// No cluster is named, or the topic can't be created: without Kafka these tests fail, they are not skipped.
    pub fn with_topic(partitions: i32) -> Result<Self> {
        let environment: HashMap<_, _> = std::env::vars_os().collect();
        let get = |name: &'static str| {
            let value = environment.get(std::ffi::OsStr::new(name)).and_then(|value| value.to_str());
            value.map(str::to_owned).with_context(|| format!("{name} is not set; see tests/README.md"))
        };
        let bootstrap_servers = get("E2E_BOOTSTRAP_SERVERS")?;
        let account = (get("E2E_SASL_USERNAME")?, get("E2E_SASL_PASSWORD")?);
        let topic = format!("e2e-{}", testbed::topic());
        let cluster = Self { bootstrap_servers, account, topic };
        cluster.create_topic(partitions)?;
        Ok(cluster)
    }

    fn create_topic(&self, partitions: i32) -> Result<()> {
        let mut config = ClientConfig::new();
        for (name, value) in self.properties() {
            config.set(name, value);
        }
        let admin: AdminClient<DefaultClientContext> = config.create()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let topic = NewTopic::new(&self.topic, partitions, TopicReplication::Fixed(1));
        let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(20)));
        let results = runtime.block_on(admin.create_topics([&topic], &options))?;
        match results.into_iter().next() {
            Some(Ok(_)) => Ok(()),
            Some(Err((topic, code))) => bail!("could not create {topic}: {code}"),
            None => bail!("no answer about the topic"),
        }
    }

    fn properties(&self) -> [(&str, &str); 5] {
        [
            ("bootstrap.servers", self.bootstrap_servers.as_str()),
            ("security.protocol", "SASL_PLAINTEXT"),
            ("sasl.mechanism", "PLAIN"),
            ("sasl.username", &self.account.0),
            ("sasl.password", &self.account.1),
        ]
    }

    /// The variables that point a service here.
    #[must_use]
    pub fn variables(&self) -> Vec<(String, String)> {
        let variables = [
            ("KAFKA_BOOTSTRAP_SERVERS", &self.bootstrap_servers),
            ("KAFKA_TOPIC", &self.topic),
            ("KAFKA_SASL_USERNAME", &self.account.0),
            ("KAFKA_SASL_PASSWORD", &self.account.1),
        ];
        variables.map(|(name, value)| (name.to_owned(), value.clone())).to_vec()
    }
}
