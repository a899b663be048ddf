//! The environment variables of a process, collected once: empty values dropped, secrets read from files.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::Read as _;

use serde::de::DeserializeOwned;

use crate::variables::names;
use crate::variables::problem::Problem;
use crate::variables::variable::{RUST_LOG, VARIABLES};

/// A file longer than this is not a secret; the path is wrong or names a device.
const SECRET_MAX_BYTES: u64 = 64 * 1024;

/// The environment variables of a process, collected once.
///
/// `Debug` prints the names only. Tests create one with [`Environment::from_pairs`] and never touch the environment of
/// their own process.
pub struct Environment {
    values: BTreeMap<String, String>,
    /// The files that values were read from, by the name of the variable without `_FILE`.
    files: BTreeMap<String, String>,
    problems: Vec<Problem>,
}

impl std::fmt::Debug for Environment {
    /// Prints names only, because a value can be a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

impl Environment {
    /// Collects the variables of this process, and reads the files that `*_FILE` variables name.
    ///
    /// A problem, such as a file that cannot be read, is kept; the settings that are read from this environment report it.
    #[must_use]
    pub fn of_process() -> Self {
        Self::from_pairs(std::env::vars_os())
    }

    /// Collects the given variables, and reads the files that `*_FILE` variables name. The last value of a name wins.
    ///
    /// A variable with an empty value counts as unset: Docker Compose produces one from `${X:-}`, and Kubernetes from an
    /// empty key of a `ConfigMap`.
    pub fn from_pairs<N: Into<OsString>, V: Into<OsString>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut environment = Self { values: BTreeMap::new(), files: BTreeMap::new(), problems: Vec::new() };
        for (name, value) in pairs {
            // All our names are ASCII, so a name that is not valid UTF-8 is not a setting.
            let Ok(name) = name.into().into_string() else { continue };
            match value.into().into_string() {
                Ok(value) if value.is_empty() => {}
                Ok(value) => {
                    environment.values.insert(name, value);
                }
                Err(_) if names::is_ours(&name) => {
                    environment.problems.push(Problem::new(name, "is not valid UTF-8", "set it to UTF-8 text"));
                }
                Err(_) => {}
            }
        }
        environment.read_secret_files();
        environment
    }

    /// Replaces each `<NAME>_FILE` of a secret or a pass-through property by `<NAME>` with the content of the file.
    fn read_secret_files(&mut self) {
        let files: Vec<(String, String)> = self
            .values
            .keys()
            .filter_map(|name| Some((name.clone(), names::target_of_file(name)?.to_owned())))
            .collect();
        for (name, target) in files {
            let path = self.values.remove(&name).unwrap_or_default();
            if self.values.contains_key(&target) {
                let problem = format!("is set together with {target}");
                self.problems.push(Problem::new(&name, problem, "set only one of the two"));
                continue;
            }
            match read_secret(&path) {
                Ok(secret) => {
                    self.files.insert(target.clone(), path);
                    self.values.insert(target, secret);
                }
                Err(reason) => self.problems.push(Problem::new(
                    &name,
                    format!("names a file that cannot be used: {reason}"),
                    "set it to the path of a readable file that contains the secret and nothing else",
                )),
            }
        }
    }

    /// The file that the value of `variable` was read from.
    pub(crate) fn file_of(&self, variable: &str) -> Option<&str> {
        self.files.get(variable).map(String::as_str)
    }

    /// The problems that were found while the variables were collected.
    pub(crate) fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Whether collecting found a problem with `variable` or with the file that its value comes from. Such a variable is
    /// not reported as missing on top.
    pub(crate) fn is_broken(&self, variable: &str) -> bool {
        self.problems
            .iter()
            .any(|problem| problem.variable == variable || problem.variable.strip_suffix("_FILE") == Some(variable))
    }

    /// First stage: the known variables that start with `prefix`, as a struct whose fields are named like the rest of the
    /// variable's name in lower case.
    ///
    /// Only known names are passed to `envy`, because it would strip a repeated prefix (`KAFKA_KAFKA_TOPIC`) and fail on
    /// two names that differ only in case. Every field of `T` must be an `Option<String>`, so that `envy`, whose errors
    /// repeat values, has no value to reject.
    pub(crate) fn fields<T: DeserializeOwned>(&self, prefix: &str) -> Result<T, Problem> {
        let known = VARIABLES
            .iter()
            .filter(|variable| variable.name.starts_with(prefix))
            .filter_map(|variable| Some((variable.name.to_owned(), self.values.get(variable.name)?.clone())));
        envy::prefixed(prefix)
            .from_iter(known)
            .map_err(|_| Problem::new(format!("{prefix}*"), "could not be read", "this is a bug, please report it"))
    }

    /// The value of `RUST_LOG`, or its default. Not validated here: the caller parses it.
    #[must_use]
    pub fn log_filter(&self) -> &str {
        self.values.get(RUST_LOG.name).map_or(RUST_LOG.default, String::as_str)
    }

    /// Each `KAFKA_PROP_*` variable with the property that it sets and its value, in the order of the variables' names.
    pub(crate) fn properties(&self) -> impl Iterator<Item = (&str, String, &str)> {
        self.values.iter().filter_map(|(name, value)| Some((name.as_str(), names::property_of(name)?, value.as_str())))
    }

    /// Each variable that has one of the prefixes `KAFKA_`, `PRODUCER_` and `CONSUMER_` but that no service reads, and
    /// the known name that it may be a misspelling of.
    ///
    /// Variables that Kubernetes injects for a Service called `kafka`, `producer` or `consumer` are left out.
    #[must_use]
    pub fn unknown(&self) -> Vec<(String, Option<&'static str>)> {
        self.values
            .iter()
            .filter(|(name, value)| names::is_unknown(name, value))
            .map(|(name, _)| (name.clone(), names::nearest(name)))
            .collect()
    }
}

/// Reads a secret: the content of the file without one trailing line end.
pub(crate) fn read_secret(path: &str) -> Result<String, String> {
    let mut secret = String::new();
    File::open(path).and_then(|file| file.take(SECRET_MAX_BYTES + 1).read_to_string(&mut secret)).map_err(|error| {
        match error.kind() {
            std::io::ErrorKind::InvalidData => "its content is not valid UTF-8".to_owned(),
            _ => error.to_string(),
        }
    })?;
    if secret.len() as u64 > SECRET_MAX_BYTES {
        return Err(format!("it is longer than {SECRET_MAX_BYTES} bytes"));
    }
    let secret = secret.strip_suffix('\n').map_or(secret.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    match secret {
        "" => Err("it is empty".to_owned()),
        _ if secret.contains('\0') => Err("it contains a NUL character".to_owned()),
        _ => Ok(secret.to_owned()),
    }
}

/// Reads a secret again, whose file may have another content by now. `None` for what is not a regular file, such as a named pipe: it is
/// read only once, when the service starts, because reading it again might block.
pub(crate) fn read_secret_again(path: &str) -> Result<Option<String>, String> {
    if std::fs::metadata(path).map_err(|error| error.to_string())?.is_file() {
        read_secret(path).map(Some)
    } else {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reading a pipe blocks until somebody writes to it.
    #[test]
    fn a_pipe_is_not_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        assert_eq!(read_secret_again(path.to_str().unwrap()), Ok(None));
    }

    #[test]
    fn an_unknown_variable_is_listed_with_the_nearest_known_name() {
        let environment =
            Environment::from_pairs([("KAFKA_BOOTSTRAP_SERVER", "x"), ("KAFKA_TOPIC", "t"), ("HOME", "/")]);
        assert_eq!(environment.unknown(), [("KAFKA_BOOTSTRAP_SERVER".into(), Some("KAFKA_BOOTSTRAP_SERVERS"))]);
    }

    #[cfg(unix)]
    #[test]
    fn a_value_that_is_not_utf8_is_a_problem_only_for_our_own_variables() {
        use std::os::unix::ffi::OsStringExt as _;
        let invalid = || OsString::from_vec(vec![0xff]);
        assert_eq!(Environment::from_pairs([("OTHER", invalid())]).problems(), []);
        for name in ["KAFKA_TOPIC", "LOG_FORMAT", "KAFKA_TYPO"] {
            assert!(Environment::from_pairs([(name, invalid())]).is_broken(name), "{name}");
        }
    }
}
