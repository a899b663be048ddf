//! Second stage: typed values out of raw text, with every problem written down.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::environment::Environment;
use crate::problem::Problem;
use crate::variable::Variable;

/// Collects problems while values are read. A problem never repeats the value: a secret may stand where
/// it should not. A value with a problem is replaced by its default, which nobody sees: settings with a problem are never
/// returned.
pub(crate) struct Check<'e> {
    environment: &'e Environment,
    pub(crate) problems: Vec<Problem>,
}

impl<'e> Check<'e> {
    pub(crate) fn new(environment: &'e Environment) -> Self {
        Self { environment, problems: environment.problems().to_vec() }
    }

    pub(crate) fn problem(&mut self, variable: &Variable, problem: impl Into<String>, hint: impl Into<String>) {
        self.problems.push(Problem::new(variable.name, problem, hint));
    }

    /// Whether `variable` already has a problem.
    pub(crate) fn is_broken(&self, variable: &Variable) -> bool {
        self.environment.is_broken(variable.name)
            || self.problems.iter().any(|problem| problem.variable == variable.name)
    }

    pub(crate) fn required(&mut self, variable: &Variable, raw: Option<String>) -> String {
        let value = raw.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        value.unwrap_or_else(|| {
            if !self.is_broken(variable) {
                self.problem(variable, "is not set", format!("give the {}: {}", variable.meaning, variable.values));
            }
            String::new()
        })
    }

    pub(crate) fn choice<T: Copy>(&mut self, variable: &Variable, raw: Option<&str>, choices: &[(&str, T)]) -> T {
        let value = raw.unwrap_or(variable.default).trim();
        let found = choices.iter().find(|(name, _)| name.eq_ignore_ascii_case(value));
        if found.is_none() {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            self.problem(variable, "is none of its values", format!("give one of {}", names.join(", ")));
        }
        found.unwrap_or(&choices[0]).1
    }

    pub(crate) fn integer(&mut self, variable: &Variable, raw: Option<&str>, range: RangeInclusive<u64>) -> u64 {
        let value = raw.unwrap_or(variable.default).trim();
        match value.parse() {
            Ok(number) if range.contains(&number) => number,
            _ => {
                let hint = match *range.end() {
                    u64::MAX => format!("give a whole number from {}", range.start()),
                    end => format!("give a whole number from {} to {end}", range.start()),
                };
                self.problem(variable, "is out of range or not a whole number", hint);
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
            self.problem(variable, "is no address with a port", "give one such as 0.0.0.0:8080 or 127.0.0.1:8080");
        }
        address.ok()
    }

    /// A path of a file that can be opened for reading.
    pub(crate) fn file(&mut self, variable: &Variable, raw: Option<String>) -> Option<String> {
        let path = raw?.trim().to_owned();
        if let Err(error) = std::fs::File::open(&path) {
            self.problem(variable, format!("names a file that can't be read: {error}"), "name a readable file");
        }
        Some(path)
    }
}
