//! Problems with settings. A problem names the variable and the remedy, never the value, which could be a secret.

use std::fmt;

/// One problem with the settings.
///
/// `Display` prints `VARIABLE problem; hint` in one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Full name of the environment variable. Several names, or a pattern such as `KAFKA_*`, where a combination of
    /// variables is wrong.
    pub variable: String,
    /// What is wrong, a verb phrase that follows the name: `is not set`.
    pub problem: String,
    /// How to solve it, a clause in lower case without a full stop.
    pub hint: String,
}

impl Problem {
    /// A problem with `variable`: what is wrong and how to solve it. Neither text may contain the value.
    pub fn new(variable: impl Into<String>, problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { variable: variable.into(), problem: problem.into(), hint: hint.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}; {}", self.variable, self.problem, self.hint)
    }
}

/// All problems with the settings of a service.
///
/// `Display` prints a heading with their number, then each problem in a line of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        write!(f, "{count} problem{} with the settings:", if count == 1 { "" } else { "s" })?;
        self.0.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl std::error::Error for Problems {}
