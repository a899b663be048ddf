//! Reasons why the evidence is not sufficient.

use std::fmt;

/// A reason why the evidence is not sufficient, for people. Its [`Display`](fmt::Display) is a sentence without an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    pub(crate) subject: Subject,
    text: String,
}

/// What a doubt is about, as far as more lines can remove it while an audit follows growing logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subject {
    /// Lines of this process are missing.
    MissingLines { instance: String },
    /// Messages are in flight to this group.
    InFlight { group: String },
    /// Anything else.
    Other,
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The doubts of a report.
#[derive(Debug, Default)]
pub(crate) struct Doubts(pub(crate) Vec<Doubt>);

impl Doubts {
    pub(crate) fn push(&mut self, text: String) {
        self.push_about(Subject::Other, text);
    }

    pub(crate) fn push_about(&mut self, subject: Subject, text: String) {
        self.0.push(Doubt { subject, text });
    }
}
