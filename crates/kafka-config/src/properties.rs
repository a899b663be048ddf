//! librdkafka properties with the variable each one comes from, and librdkafka's own check of them.

use std::collections::BTreeMap;
use std::fmt;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaConfRes;
use secrecy::{ExposeSecret as _, SecretString};

use crate::problem::{Problem, Problems};

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

struct Property {
    value: Value,
    variable: String,
}

/// librdkafka properties, ready to create a client from. `Debug` shows no secret.
#[derive(Default)]
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
    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>, variable: &str) {
        self.insert(name, Value::Plain(value.into()), variable);
    }

    pub(crate) fn set_secret(&mut self, name: &str, value: &str, variable: &str) {
        self.insert(name, Value::Secret(value.into()), variable);
    }

    /// The value of a property that is a number.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.0.get(name)?.value.expose().parse().ok()
    }

    fn insert(&mut self, name: &str, value: Value, variable: &str) {
        self.0.insert(name.to_owned(), Property { value, variable: variable.to_owned() });
    }

    /// Third stage: librdkafka looks at each property by itself, so that all refusals are known at once.
    ///
    /// Its error repeats the value, so only the names and, where nothing is secret, its description are kept.
    pub(crate) fn check(&self, problems: &mut Vec<Problem>) {
        for (name, property) in &self.0 {
            let refusal = ClientConfig::new().set(name, property.value.expose()).create_native_config().err();
            let problem = match refusal {
                None => continue,
                Some(KafkaError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, ..)) => Problem::new(
                    &property.variable,
                    format!("gives `{name}`, which this librdkafka does not have"),
                    "see librdkafka's CONFIGURATION.md for the names",
                ),
                Some(KafkaError::ClientConfig(_, description, ..)) if matches!(property.value, Value::Plain(_)) => {
                    Problem::new(
                        &property.variable,
                        format!("is refused by librdkafka: {description}"),
                        "change the value",
                    )
                }
                Some(_) => Problem::new(
                    &property.variable,
                    format!("gives `{name}` a value that librdkafka refuses"),
                    "see librdkafka's CONFIGURATION.md for the values",
                ),
            };
            problems.push(problem);
        }
    }

    /// The configuration to create a client from. Not for printing: its `Debug` does not hide every secret.
    #[must_use]
    pub fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        for (name, property) in &self.0 {
            config.set(name, property.value.expose());
        }
        config
    }

    /// `text` with every secret of these properties blotted out. For what librdkafka says of itself.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        self.0.values().fold(text.to_owned(), |text, property| match &property.value {
            // A shorter one is no secret, and blotting out each `1` would leave nothing to read.
            Value::Secret(secret) if secret.expose_secret().len() >= 4 => {
                text.replace(secret.expose_secret(), "[secret]")
            }
            _ => text,
        })
    }

    /// What librdkafka said when it refused to create a client: a combination of settings that each are fine.
    /// Nothing was contacted by then.
    #[must_use]
    pub fn refused(&self, error: &KafkaError) -> Problems {
        let said = match error {
            KafkaError::ClientCreation(description) => description.as_str(),
            // Other variants can carry a value.
            _ => "a property is refused",
        };
        let concerned: Vec<&str> = self
            .0
            .iter()
            .filter(|(name, _)| said.contains(name.as_str()))
            .map(|(_, property)| property.variable.as_str())
            .collect();
        let variables = if concerned.is_empty() { "KAFKA_*".to_owned() } else { concerned.join(", ") };
        let said = self.redact(said);
        Problems(vec![Problem::new(variables, format!("does not fit together: {said}"), "change one of them")])
    }
}
