//! What is wrong with a setting, in words that name the variable and the way out, never the value of a secret.

use std::fmt;

/// One thing that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Full name of the environment variable.
    pub variable: String,
    /// What is wrong.
    pub problem: String,
    /// What would be right.
    pub hint: String,
}

impl Problem {
    /// A problem with `variable`: what is wrong, and what would be right.
    pub fn new(variable: impl Into<String>, problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { variable: variable.into(), problem: problem.into(), hint: hint.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}; {}", self.variable, self.problem, self.hint)
    }
}

/// Everything that is wrong with the settings: one line each when displayed.
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
