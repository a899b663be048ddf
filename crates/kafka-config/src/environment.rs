//! The environment as one map: collected once, empty values dropped, `*_FILE` secrets read.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::File;
use std::io::Read as _;

use serde::de::DeserializeOwned;

use crate::passthrough;
use crate::problem::Problem;
use crate::variable::{RUST_LOG, VARIABLES};

/// A secret longer than this is taken for a mistake (a wrong path, a device).
const SECRET_MAX_BYTES: u64 = 64 * 1024;
const PREFIXES: [&str; 3] = ["KAFKA_", "PRODUCER_", "CONSUMER_"];

/// The environment variables of a process.
///
/// Tests make one with [`Environment::from_pairs`] and never touch their own process' environment.
pub struct Environment {
    values: BTreeMap<String, String>,
    problems: Vec<Problem>,
}

impl std::fmt::Debug for Environment {
    /// Names only: values may be secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

impl Environment {
    /// The variables of this process.
    #[must_use]
    pub fn of_process() -> Self {
        Self::from_pairs(std::env::vars_os())
    }

    /// The given variables. Values that are empty count as not set: that is what compose's `${X:-}` and an empty key
    /// of a `ConfigMap` give.
    pub fn from_pairs<N: Into<OsString>, V: Into<OsString>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut environment = Self { values: BTreeMap::new(), problems: Vec::new() };
        for (name, value) in pairs {
            // A name that is not UTF-8 is none of ours.
            let Ok(name) = name.into().into_string() else { continue };
            match value.into().into_string() {
                Ok(value) if value.is_empty() => {}
                Ok(value) => {
                    environment.values.insert(name, value);
                }
                Err(_) if has_our_prefix(&name) || is_known(&name) => {
                    environment.problems.push(Problem::new(name, "is not valid UTF-8", "give it as UTF-8 text"));
                }
                Err(_) => {}
            }
        }
        environment.read_secret_files();
        environment
    }

    /// `<NAME>_FILE` gives the value of `<NAME>`, for every secret and every pass-through property.
    fn read_secret_files(&mut self) {
        let by_file: Vec<(String, String)> = self
            .values
            .keys()
            .filter_map(|name| Some((name.clone(), name.strip_suffix("_FILE")?.to_owned())))
            .filter(|(name, target)| {
                VARIABLES.iter().any(|variable| variable.secret && variable.name == *target)
                    || passthrough::may_come_from_file(name)
            })
            .collect();
        for (name, target) in by_file {
            let path = self.values.remove(&name).unwrap_or_default();
            if self.values.contains_key(&target) {
                self.problems.push(Problem::new(&name, format!("is set beside {target}"), "set one of the two"));
                continue;
            }
            match read_secret(&path) {
                Ok(secret) => {
                    self.values.insert(target, secret);
                }
                Err(why) => self.problems.push(Problem::new(
                    &name,
                    format!("names a file that can't be used: {why}"),
                    "name a readable file that holds the secret and nothing else",
                )),
            }
        }
    }

    /// Problems found while collecting.
    pub(crate) fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Whether a problem about `variable`, or the file it comes from, was found while collecting. Such a variable is
    /// not also reported as missing.
    pub(crate) fn is_broken(&self, variable: &str) -> bool {
        self.problems
            .iter()
            .any(|problem| problem.variable == variable || problem.variable.strip_suffix("_FILE") == Some(variable))
    }

    /// First stage: the known variables with `prefix`, as fields named like the rest of the name in lower case.
    ///
    /// `envy` sees known names only. It would strip a repeated prefix (`KAFKA_KAFKA_TOPIC`) and stumble over names
    /// that differ only in case; and every field of `T` is an optional string, so that it has nothing to refuse.
    pub(crate) fn fields<T: DeserializeOwned>(&self, prefix: &str) -> Result<T, Problem> {
        let known = VARIABLES
            .iter()
            .filter(|variable| variable.name.starts_with(prefix))
            .filter_map(|variable| Some((variable.name.to_owned(), self.values.get(variable.name)?.clone())));
        envy::prefixed(prefix)
            .from_iter(known)
            .map_err(|_| Problem::new(format!("{prefix}*"), "could not be read", "this is a defect, please report it"))
    }

    /// `RUST_LOG`, or its default. Checked by who has the parser for it.
    #[must_use]
    pub fn log_filter(&self) -> &str {
        self.values.get(RUST_LOG.name).map_or(RUST_LOG.default, String::as_str)
    }

    /// All variables, for the families with open names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Each variable with a prefix of ours that no service reads, and the nearest known name. Names that
    /// Kubernetes injects for a Service called `kafka`, `producer` or `consumer` are left out.
    #[must_use]
    pub fn unknown(&self) -> Vec<(String, Option<&'static str>)> {
        let known: BTreeSet<&str> = VARIABLES.iter().map(|variable| variable.name).collect();
        self.values
            .iter()
            .filter(|(name, value)| {
                has_our_prefix(name)
                    && !known.contains(name.as_str())
                    && !passthrough::is_passthrough(name)
                    && !is_service_link(name, value)
            })
            .map(|(name, _)| (name.clone(), nearest(name)))
            .collect()
    }
}

fn has_our_prefix(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn is_known(name: &str) -> bool {
    let target = name.strip_suffix("_FILE").unwrap_or(name);
    VARIABLES.iter().any(|variable| variable.name == target)
}

/// Whether Kubernetes made this variable for a Service
/// (<https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables>).
fn is_service_link(name: &str, value: &str) -> bool {
    let port_of = |rest: &str| {
        let mut parts = rest.split('_');
        parts.next().is_some_and(|port| port.parse::<u16>().is_ok())
            && parts.next().is_some_and(|protocol| ["TCP", "UDP", "SCTP"].contains(&protocol))
    };
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
        || (name.ends_with("_PORT") && value.contains("://"))
        || name.split_once("_PORT_").is_some_and(|(_, rest)| port_of(rest))
}

fn nearest(name: &str) -> Option<&'static str> {
    let upper = name.to_ascii_uppercase();
    VARIABLES
        .iter()
        .map(|variable| (strsim::damerau_levenshtein(&upper, variable.name), variable.name))
        .min()
        // More than a third of the letters changed is another word, not a slip.
        .and_then(|(distance, nearest)| (distance * 3 <= nearest.len()).then_some(nearest))
}

/// Reads a secret: the whole file without one trailing line end.
fn read_secret(path: &str) -> Result<String, String> {
    let mut secret = String::new();
    File::open(path).and_then(|file| file.take(SECRET_MAX_BYTES + 1).read_to_string(&mut secret)).map_err(|error| {
        match error.kind() {
            std::io::ErrorKind::InvalidData => "not valid UTF-8".to_owned(),
            _ => error.to_string(),
        }
    })?;
    if secret.len() as u64 > SECRET_MAX_BYTES {
        return Err(format!("longer than {SECRET_MAX_BYTES} bytes"));
    }
    let secret = secret.strip_suffix('\n').map_or(secret.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    if secret.is_empty() { Err("empty".to_owned()) } else { Ok(secret.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warned(name: &str, value: &str) -> Vec<(String, Option<&'static str>)> {
        Environment::from_pairs([(name, value)]).unknown()
    }

    #[test]
    fn a_misspelt_variable_is_warned_of_with_the_nearest_name() {
        assert_eq!(
            warned("KAFKA_BOOTSTRAP_SERVER", "x"),
            [("KAFKA_BOOTSTRAP_SERVER".into(), Some("KAFKA_BOOTSTRAP_SERVERS"))]
        );
        assert_eq!(warned("PRODUCER_RATE", "1")[0].0, "PRODUCER_RATE");
        assert_eq!(warned("kafka_topic", "t"), [("kafka_topic".into(), Some("KAFKA_TOPIC"))]);
        assert_eq!(warned("KAFKA_KAFKA_TOPIC", "t")[0].0, "KAFKA_KAFKA_TOPIC");
    }

    #[test]
    fn what_kubernetes_injects_for_a_service_is_not_warned_of() {
        for (name, value) in [
            ("KAFKA_PORT", "tcp://10.0.0.1:9092"),
            ("KAFKA_SERVICE_HOST", "10.0.0.1"),
            ("KAFKA_SERVICE_PORT", "9092"),
            ("KAFKA_SERVICE_PORT_TCP_CLIENTS", "9092"),
            ("KAFKA_PORT_9092_TCP", "tcp://10.0.0.1:9092"),
            ("KAFKA_PORT_9092_TCP_PROTO", "tcp"),
            ("KAFKA_PORT_9092_TCP_PORT", "9092"),
            ("KAFKA_PORT_9092_TCP_ADDR", "10.0.0.1"),
            ("KAFKA_BOOTSTRAP_SERVICE_HOST", "10.0.0.1"),
            ("PRODUCER_PORT_8080_TCP", "tcp://10.0.0.2:8080"),
        ] {
            assert_eq!(warned(name, value), [], "{name}");
        }
        assert_eq!(warned("KAFKA_PORT", "9092").len(), 1, "a port alone was set by a person");
    }

    #[test]
    fn variables_of_others_are_left_alone() {
        assert_eq!(warned("PATH", "/bin"), []);
        assert_eq!(warned("KAFKA_PROP_QUEUED_MIN_MESSAGES", "1"), []);
    }

    #[cfg(unix)]
    #[test]
    fn a_value_that_is_not_utf8_is_a_problem_of_ours_only_with_our_name() {
        use std::os::unix::ffi::OsStringExt as _;
        let bad = || OsString::from_vec(vec![0xff]);
        assert_eq!(Environment::from_pairs([("OTHER", bad())]).problems(), []);
        assert!(Environment::from_pairs([("KAFKA_TOPIC", bad())]).is_broken("KAFKA_TOPIC"));
    }
}
