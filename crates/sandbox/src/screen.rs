//! What a person sees: each service's lines behind its name, in a colour of its own.

use std::io::Write as _;

use anstyle::{AnsiColor, Style};
use serde_json::{Map, Value};

/// Fields that are the same in every line here, or say what the name before the line says.
const HIDDEN: &[&str] =
    &["client_id", "group_id", "instance", "pseq", "run", "service", "settings", "topic", "ts", "version"];
const COLOURS: [AnsiColor; 6] = [
    AnsiColor::Cyan,
    AnsiColor::Magenta,
    AnsiColor::Blue,
    AnsiColor::Yellow,
    AnsiColor::BrightCyan,
    AnsiColor::BrightMagenta,
];

/// Standard output. A screen that is gone stops nothing: the services and the verdict go on.
#[derive(Default)]
pub(crate) struct Screen {
    names: Vec<String>,
}

impl Screen {
    /// A line of the sandbox itself.
    pub(crate) fn say(&self, text: &str) {
        let bold = Style::new().bold();
        drop(writeln!(anstream::stdout(), "{bold}{text}{bold:#}"));
    }

    /// Text without decoration.
    pub(crate) fn print(&self, text: &str) {
        drop(writeln!(anstream::stdout(), "{text}"));
    }

    /// A line of a service.
    pub(crate) fn show(&mut self, name: &str, text: &str) {
        let index = self.names.iter().position(|known| known == name).unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        });
        let colour = COLOURS[index % COLOURS.len()].on_default();
        let line = match serde_json::from_str::<Map<String, Value>>(text) {
            // Colours are taken out again where standard output is no terminal.
            Ok(line) => journal::render_text(&line, HIDDEN, true),
            Err(_) => text.escape_debug().to_string(),
        };
        drop(writeln!(anstream::stdout(), "{colour}{name:<11}{colour:#}| {line}"));
    }
}
