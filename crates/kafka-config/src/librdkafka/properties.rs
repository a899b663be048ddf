//! librdkafka properties, each with the variable that it comes from, and librdkafka's own check of each value.

use std::collections::BTreeMap;
use std::fmt;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaConfRes;
use secrecy::{ExposeSecret as _, SecretString};

use crate::librdkafka::defaults::DefaultProperty;
use crate::variables::problem::{Problem, Problems};

/// What problems name as the variable of a default: any of these variables could replace it.
const ANY_VARIABLE: &str = "KAFKA_*";
/// Shorter secrets are not redacted: no real secret is this short, and redacting each `1` would make a text unreadable.
const REDACTED_FROM_BYTES: usize = 4;
/// Of a secret of several lines, such as a private key in PEM, shorter lines are not redacted. Only the last line of a key can be as short,
/// and then says little.
const REDACTED_LINE_FROM_BYTES: usize = 8;

/// Returns `text` with `secret` replaced by `[secret]`. A secret of fewer than 4 bytes is not replaced.
#[must_use]
pub fn redact(text: &str, secret: &str) -> String {
    if secret.len() < REDACTED_FROM_BYTES { text.to_owned() } else { text.replace(secret, "[secret]") }
}

#[derive(Clone)]
enum Value {
    Plain(String),
    Secret(SecretString),
}

impl Value {
    fn expose(&self) -> &str {
        match self {
            Self::Plain(value) => value,
            Self::Secret(value) => value.expose_secret(),
        }
    }
}

#[derive(Clone)]
struct Property {
    value: Value,
    variable: String,
}

/// What the client compares a broker's certificate with. `Debug` prints no value: somebody may have put a key into the wrong variable.
#[derive(Clone)]
pub struct Trust {
    /// A file or a folder with the trusted certificates.
    pub ca_location: Option<String>,
    /// The trusted certificates in PEM. If this and the location are missing, those of the system are trusted.
    pub ca_pem: Option<String>,
    /// Whether the certificate must contain the name of the broker.
    pub checks_host_name: bool,
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust").finish_non_exhaustive()
    }
}

/// The librdkafka properties that a client is created with.
///
/// `Debug` prints no secret. The values of all `KAFKA_PROP_*` variables except `KAFKA_PROP_DEBUG` count as secret.
#[derive(Default, Clone)]
pub struct Properties(BTreeMap<String, Property>);

impl fmt::Debug for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.iter().map(|(name, property)| match &property.value {
            Value::Plain(value) => (name, value.as_str()),
            Value::Secret(_) => (name, "[secret]"),
        });
        f.debug_map().entries(shown).finish()
    }
}

impl Properties {
    /// Sets a property whose value may be printed.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>, variable: &str) {
        self.insert(name, Value::Plain(value.into()), variable);
    }

    pub(crate) fn set_secret(&mut self, name: &str, value: &str, variable: &str) {
        self.insert(name, Value::Secret(value.into()), variable);
    }

    /// Sets properties to the services' own defaults.
    pub(crate) fn set_defaults(&mut self, defaults: &[DefaultProperty]) {
        for (name, value, _) in defaults {
            self.set(name, *value, ANY_VARIABLE);
        }
    }

    /// The value of a property, if it is set to a number that is not negative.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.0.get(name)?.value.expose().parse().ok()
    }

    fn insert(&mut self, name: &str, value: Value, variable: &str) {
        self.0.insert(name.to_owned(), Property { value, variable: variable.to_owned() });
    }

    /// Third stage: librdkafka checks each property separately, so that every rejected one is reported.
    ///
    /// The text of librdkafka's error is only classified and never passed on: for many properties it repeats the value.
    pub(crate) fn check(&self, problems: &mut Vec<Problem>) {
        for (name, property) in &self.0 {
            let Err(error) = ClientConfig::new().set(name, property.value.expose()).create_native_config() else {
                continue;
            };
            let (problem, hint) = match error {
                KafkaError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, ..) => (
                    format!("sets `{name}`, which is not a property of this librdkafka"),
                    "see librdkafka's CONFIGURATION.md for the names",
                ),
                KafkaError::ClientConfig(_, text, ..) if text.contains("not supported in this build") => (
                    format!("sets `{name}`, which the librdkafka in this binary was built without"),
                    "unset it, or use a binary whose librdkafka has the library that this property needs",
                ),
                _ => (
                    format!("sets `{name}` to a value that librdkafka does not accept"),
                    "see librdkafka's CONFIGURATION.md for the values",
                ),
            };
            problems.push(Problem::new(&property.variable, problem, hint));
        }
    }

    /// The configuration to create a client with. Never print it: its `Debug` shows some secrets.
    #[must_use]
    pub fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        // librdkafka tells some causes of an unreachable broker only in a line of this level. The services log them in their own words.
        if !matches!(config.log_level, RDKafkaLogLevel::Debug) {
            config.set_log_level(RDKafkaLogLevel::Info);
        }
        for (name, property) in &self.0 {
            config.set(name, property.value.expose());
        }
        config
    }

    fn value(&self, name: &str) -> Option<String> {
        self.0.get(name).map(|property| property.value.expose().to_owned())
    }

    /// What the client compares a broker's certificate with.
    #[must_use]
    pub fn trust(&self) -> Trust {
        Trust {
            ca_location: self.value("ssl.ca.location"),
            ca_pem: self.value("ssl.ca.pem"),
            checks_host_name: self.value("ssl.endpoint.identification.algorithm").as_deref() != Some("none"),
        }
    }

    /// Whether the client has a certificate that it can show to brokers.
    #[must_use]
    pub fn has_client_certificate(&self) -> bool {
        ["ssl.certificate.location", "ssl.certificate.pem", "ssl.keystore.location"]
            .iter()
            .any(|name| self.0.contains_key(*name))
    }

    /// Returns `text` with every secret of these properties replaced by `[secret]`.
    ///
    /// Pass every text of librdkafka through this function before it is logged. Classify the text first: redaction can
    /// remove the words that a classification looks for. Secrets of fewer than 4 bytes are not replaced.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        let secrets = self.0.values().filter_map(|property| match &property.value {
            Value::Secret(secret) => Some(secret.expose_secret()),
            Value::Plain(_) => None,
        });
        // An error may show a single line of a private key.
        let lines = secrets.clone().filter(|secret| secret.contains('\n')).flat_map(str::lines);
        let lines = lines.filter(|line| line.len() >= REDACTED_LINE_FROM_BYTES && !line.starts_with("-----"));
        secrets.chain(lines).fold(text.to_owned(), |text, part| redact(&text, part))
    }

    /// Describes why librdkafka refused to create a client from these properties. Each value was valid by itself; only now
    /// does librdkafka compare the values and read the files that they name. It has not contacted any broker yet.
    ///
    /// The problem names the variables of those properties that librdkafka's error mentions. Secrets are redacted.
    #[must_use]
    pub fn refused(&self, error: &KafkaError) -> Problems {
        let reason = match error {
            KafkaError::ClientCreation(description) => description.as_str(),
            // The texts of other variants can contain a value.
            _ => "librdkafka rejected a property",
        };
        let mut variables: Vec<&str> = Vec::new();
        for (name, property) in &self.0 {
            let variable = property.variable.as_str();
            if variable != ANY_VARIABLE && reason.contains(name.as_str()) && !variables.contains(&variable) {
                variables.push(variable);
            }
        }
        let variables = if variables.is_empty() { ANY_VARIABLE.to_owned() } else { variables.join(", ") };
        let problem = format!("prevented librdkafka from creating a client: {}", self.redact(reason));
        Problems(vec![Problem::new(variables, problem, "correct the value, or a setting that it conflicts with")])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_rejection_has_its_own_text_and_none_repeats_the_value() {
        for (name, value, expected) in [
            ("no.such.property", "hunter2", "is not a property of this librdkafka"),
            ("sasl.oauthbearer.client.id", "hunter2", "was built without"),
            ("debug", "hunter2", "does not accept"),
            ("queued.min.messages", "hunter2", "does not accept"),
            ("partition.assignment.strategy", "hunter2\0", "does not accept"),
        ] {
            let mut properties = Properties::default();
            properties.set(name, value, "KAFKA_PROP_X");
            let mut problems = Vec::new();
            properties.check(&mut problems);
            let [problem] = &problems[..] else { panic!("{name}: {problems:?}") };
            assert!(problem.problem.contains(name) && problem.problem.contains(expected), "{problem}");
            assert!(!format!("{problem:?}").contains("hunter2"), "{problem}");
        }
    }

    #[test]
    fn a_line_of_a_private_key_is_redacted_too() {
        let mut properties = Properties::default();
        properties.set_secret(
            "ssl.key.pem",
            "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMG\nByqGSM49AgEG\n",
            "KAFKA_SSL_KEY_PEM",
        );
        assert_eq!(properties.redact("near ByqGSM49AgEG of it"), "near [secret] of it");
    }

    #[test]
    fn an_error_that_is_not_about_a_combination_is_reported_without_its_text() {
        let mut properties = Properties::default();
        properties.set("debug", "hunter2", "KAFKA_PROP_DEBUG");
        let error = properties.client_config().create::<rdkafka::producer::BaseProducer>().err().unwrap();
        assert!(error.to_string().contains("hunter2"), "librdkafka's own text repeats the value: {error}");
        assert!(!properties.refused(&error).to_string().contains("hunter2"));
    }
}
