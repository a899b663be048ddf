//! Second stage: converts the raw text of each variable to a typed value, and collects every problem on the way.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::librdkafka::features::Features;
use crate::variables::environment::Environment;
use crate::variables::problem::Problem;
use crate::variables::variable::Variable;

/// Checks values and collects problems.
///
/// The text of a problem never repeats the value, because a secret can be in the wrong variable. A method that finds a
/// problem still returns some valid value so that the check can continue; no caller sees that value, because settings
/// with a problem are never returned.
pub(crate) struct Checker<'e> {
    pub(crate) environment: &'e Environment,
    pub(crate) features: Features,
    pub(crate) problems: Vec<Problem>,
}

impl<'e> Checker<'e> {
    /// A checker that starts with the problems found while `environment` was collected.
    pub(crate) fn new(environment: &'e Environment, features: Features) -> Self {
        Self { environment, features, problems: environment.problems().to_vec() }
    }

    /// The raw values of the known variables that start with `prefix`.
    pub(crate) fn fields<T: DeserializeOwned + Default>(&mut self, prefix: &str) -> T {
        self.environment.fields(prefix).unwrap_or_else(|problem| {
            self.problems.push(problem);
            T::default()
        })
    }

    pub(crate) fn problem(&mut self, variable: &Variable, problem: impl Into<String>, hint: impl Into<String>) {
        self.problems.push(Problem::new(variable.name, problem, hint));
    }

    /// Reports that the variable called `name` needs OpenSSL, and that the linked librdkafka was built without it.
    pub(crate) fn needs_tls(&mut self, name: &str, what: &str) {
        let problem = format!("{what}, but this binary was built without TLS");
        self.problems.push(Problem::new(name, problem, "use a binary that was built with `--features tls`"));
    }

    /// Whether a problem with `variable` is known already.
    pub(crate) fn is_broken(&self, variable: &Variable) -> bool {
        self.environment.is_broken(variable.name)
            || self.problems.iter().any(|problem| problem.variable == variable.name)
    }

    /// The value of a variable that must be set; an empty text after reporting a problem.
    pub(crate) fn required(&mut self, variable: &Variable, raw: Option<String>) -> String {
        let value = raw.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        value.unwrap_or_else(|| {
            if !self.is_broken(variable) {
                let hint = format!("meaning: {}; values: {}", variable.meaning, variable.values);
                self.problem(variable, "is required but not set", hint);
            }
            String::new()
        })
    }

    /// The choice with this name in any case, or with the variable's default name if the variable is unset.
    pub(crate) fn choice<T: Copy>(&mut self, variable: &Variable, raw: Option<&str>, choices: &[(&str, T)]) -> T {
        let value = raw.unwrap_or(variable.default).trim();
        let found = choices.iter().find(|(name, _)| name.eq_ignore_ascii_case(value));
        if found.is_none() {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            let hint = format!("set it to one of {}", names.join(", "));
            self.problem(variable, "has a value that is not supported", hint);
        }
        found.unwrap_or(&choices[0]).1
    }

    pub(crate) fn integer(&mut self, variable: &Variable, raw: Option<&str>, range: RangeInclusive<u64>) -> u64 {
        let value = raw.unwrap_or(variable.default).trim();
        match value.parse() {
            Ok(number) if range.contains(&number) => number,
            _ => {
                let hint = match *range.end() {
                    u64::MAX => format!("set it to a whole number from {} up", range.start()),
                    end => format!("set it to a whole number from {} to {end}", range.start()),
                };
                self.problem(variable, "is not a whole number in the permitted range", hint);
                *range.start()
            }
        }
    }

    pub(crate) fn millis(&mut self, variable: &Variable, raw: Option<&str>, range: RangeInclusive<u64>) -> Duration {
        Duration::from_millis(self.integer(variable, raw, range))
    }

    pub(crate) fn address(&mut self, variable: &Variable, raw: Option<&str>) -> Option<SocketAddr> {
        let address = raw?.trim().parse();
        if address.is_err() {
            let hint = "set it to an address such as 0.0.0.0:8080 or 127.0.0.1:8080";
            self.problem(variable, "is not an IP address with a port", hint);
        }
        address.ok()
    }

    /// The path of a file, after a check that the file can be opened for reading.
    pub(crate) fn file(&mut self, variable: &Variable, raw: Option<String>) -> Option<String> {
        let path = raw?.trim().to_owned();
        if let Err(error) = std::fs::File::open(&path) {
            let problem = format!("names a file that cannot be read: {error}");
            self.problem(variable, problem, "set it to the path of a readable file");
        }
        Some(path)
    }
}
