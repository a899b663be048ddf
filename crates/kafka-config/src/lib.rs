//! Settings of the producer and the consumer: from environment variables to a checked librdkafka configuration.
//!
//! The services read all their settings from environment variables, in three stages. Each stage collects every problem that
//! it finds, so that a user sees all of them in one attempt:
//!
//! 1. [`Environment`] collects the variables once, drops empty ones and reads the files that `*_FILE` variables name.
//!    `envy` maps the known names to the fields of a struct.
//! 2. [`ProducerSettings`] and [`ConsumerSettings`] check each value by itself and together with the others.
//! 3. librdkafka checks each property separately. No broker is contacted for that.
//!
//! This crate is the only one that knows the names of librdkafka properties. Secrets leave it only inside the
//! [`rdkafka::ClientConfig`] that a client is created with. Never print that type: its `Debug` shows some secrets.
//!
//! # Example
//!
//! ```
//! use kafka_config::{Environment, ProducerSettings, Rate, SecurityProtocol};
//!
//! // A service calls `Environment::of_process()` instead.
//! let environment = Environment::from_pairs([
//!     ("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092"),
//!     ("KAFKA_TOPIC", "demo"),
//!     ("KAFKA_SASL_USERNAME", "me"),
//!     ("KAFKA_SASL_PASSWORD", "not for the log"),
//!     ("PRODUCER_RATE_PER_SEC", "0.5"),
//!     ("KAFKA_PROP_CLIENT_RACK", "rack-1"),
//! ]);
//! let settings = ProducerSettings::from_environment(&environment)?;
//! assert_eq!(settings.rate, Rate::PerSec(0.5));
//! // The account turned SASL on.
//! assert_eq!(settings.connection.security_protocol, SecurityProtocol::SaslPlaintext);
//! assert!(!format!("{settings:?}").contains("not for the log"));
//!
//! // The configuration to create a client with.
//! let config = settings.properties.client_config();
//! assert_eq!(config.get("enable.idempotence"), Some("true"));
//! assert_eq!(config.get("client.rack"), Some("rack-1"));
//!
//! // Problems name the variables, never their values.
//! let environment = Environment::from_pairs([("KAFKA_TOPIC", "demo"), ("KAFKA_LINGER_MS", "soon")]);
//! let problems = ProducerSettings::from_environment(&environment).unwrap_err();
//! let variables: Vec<&str> = problems.0.iter().map(|problem| problem.variable.as_str()).collect();
//! assert_eq!(variables, ["KAFKA_BOOTSTRAP_SERVERS", "KAFKA_LINGER_MS"]);
//! # Ok::<(), kafka_config::Problems>(())
//! ```

mod librdkafka;
mod settings;
mod table;
mod variables;

pub use librdkafka::properties::{Properties, Trust, redact};
pub use settings::choices::{
    AutoOffsetReset, GroupProtocol, LogFormat, LogMessages, Rate, SaslMechanism, SecurityProtocol,
};
pub use settings::connection::Connection;
pub use settings::consumer::ConsumerSettings;
pub use settings::producer::ProducerSettings;
pub use settings::runtime::{RuntimeSettings, http_addr};
pub use settings::security::identity::IdentityServer;
pub use settings::security::password_file::PasswordFile;
pub use settings::traces::TracesSettings;
pub use table::{env_example, help, markdown};
pub use variables::environment::Environment;
pub use variables::problem::{Problem, Problems};
pub use variables::variable::{AppliesTo, VARIABLES, Variable};
