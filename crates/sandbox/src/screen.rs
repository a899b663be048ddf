//! What the user sees: each service's lines behind its name, in a colour of its own.

use std::io::Write as _;

use anstyle::{AnsiColor, Style};
use serde_json::{Map, Value};

/// Fields that have the same value in every line here, or repeat the name in front of the line.
const HIDDEN: &[&str] = &[
    "account",
    "client_id",
    "cluster_id",
    "group_id",
    "instance",
    "pseq",
    "run",
    "seq",
    "service",
    "settings",
    "topic",
    "ts",
    "version",
];
const COLOURS: [AnsiColor; 6] = [
    AnsiColor::Cyan,
    AnsiColor::Magenta,
    AnsiColor::Blue,
    AnsiColor::Yellow,
    AnsiColor::BrightCyan,
    AnsiColor::BrightMagenta,
];

/// Standard output. Failed writes are ignored: the services and the verdict do not depend on the screen.
#[derive(Default)]
pub(crate) struct Screen {
    /// The services that have a colour, in the order of their first line.
    services: Vec<String>,
}

impl Screen {
    /// Prints a line of the sandbox itself that should catch the eye.
    pub(crate) fn headline(&self, text: &str) {
        let bold = Style::new().bold();
        drop(writeln!(anstream::stdout(), "{bold}{text}{bold:#}"));
    }

    /// Prints text without decoration.
    pub(crate) fn print(&self, text: &str) {
        drop(writeln!(anstream::stdout(), "{text}"));
    }

    /// Prints a log line of a service.
    pub(crate) fn print_line(&mut self, service: &str, text: &str) {
        let index = self.services.iter().position(|known| known == service).unwrap_or_else(|| {
            self.services.push(service.to_owned());
            self.services.len() - 1
        });
        let colour = COLOURS[index % COLOURS.len()].on_default();
        let line = match serde_json::from_str::<Map<String, Value>>(text) {
            // `anstream` removes the colours when standard output is not a terminal.
            Ok(line) => journal::render_text(&line, HIDDEN, true),
            Err(_) => text.escape_debug().to_string(),
        };
        drop(writeln!(anstream::stdout(), "{colour}{service:<11}{colour:#}| {line}"));
    }
}
