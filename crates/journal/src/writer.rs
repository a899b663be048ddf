//! The writer of all lines of a service. Each line is one `write`, whose success is reported to the caller.

use std::fmt;
use std::io::{self, IsTerminal as _, Write};
use std::sync::{Mutex, PoisonError};

use chrono::{SecondsFormat, Utc};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::entry::Entry;
use crate::line::{Level, render_text};

/// Format of the lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Text for people.
    Text {
        /// Whether to use colours.
        colour: bool,
    },
    /// One JSON object per line.
    Json,
}

impl Format {
    /// Coloured text if standard output is a terminal, JSON otherwise.
    #[must_use]
    pub fn auto() -> Self {
        if io::stdout().is_terminal() { Self::Text { colour: true } } else { Self::Json }
    }
}

/// Writes lines, each with the client id and the instance of the process.
pub struct Journal {
    format: Format,
    client_id: String,
    instance: String,
    out: Mutex<Box<dyn Write + Send>>,
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal")
            .field("format", &self.format)
            .field("instance", &self.instance)
            .finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct Frame<'a, T> {
    timestamp: String,
    level: Level,
    #[serde(flatten)]
    content: &'a T,
    client_id: &'a str,
    instance: &'a str,
}

#[derive(Serialize)]
struct Event<'a> {
    message: &'a str,
    #[serde(flatten)]
    fields: &'a Map<String, Value>,
}

impl Journal {
    /// A journal that writes each line to `out` at once.
    #[must_use]
    pub fn new(format: Format, client_id: &str, instance: &str, out: Box<dyn Write + Send>) -> Self {
        Self { format, client_id: client_id.to_owned(), instance: instance.to_owned(), out: Mutex::new(out) }
    }

    /// Writes a line that accounts for messages. It is never filtered and never buffered.
    ///
    /// # Errors
    /// The line was not, or not completely, written. The messages in it must then not be treated as processed.
    pub fn record(&self, level: Level, entry: &Entry) -> io::Result<()> {
        self.write(level, entry)
    }

    /// Writes any other line.
    ///
    /// # Errors
    /// The line was not, or not completely, written.
    pub fn event(&self, level: Level, message: &str, fields: &Map<String, Value>) -> io::Result<()> {
        self.write(level, &Event { message, fields })
    }

    fn write<T: Serialize>(&self, level: Level, content: &T) -> io::Result<()> {
        let timestamp = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
        let frame = Frame { timestamp, level, content, client_id: &self.client_id, instance: &self.instance };
        let mut bytes = match self.format {
            Format::Json => serde_json::to_vec(&frame)?,
            Format::Text { colour } => match serde_json::to_value(&frame)? {
                Value::Object(line) => render_text(&line, &[], colour).into_bytes(),
                _ => Vec::new(),
            },
        };
        bytes.push(b'\n');
        // If a thread panicked while holding the lock, the worst it left behind is half a line.
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        out.write_all(&bytes)?;
        out.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::entry::{NextOffset, Stopped};
    use crate::line::from_line;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn stopped() -> Entry {
        let not_committed = vec![NextOffset { partition: 7, offset: 12 }];
        Entry::Stopped(Stopped {
            exit_code: 0,
            reason: "done".into(),
            count: Some(3),
            not_delivered: None,
            not_committed,
        })
    }

    #[test]
    fn an_entry_is_read_back_as_it_was_written() {
        let out = Shared::default();
        let journal = Journal::new(Format::Json, "client", "0a1b2c3d", Box::new(out.clone()));
        journal.record(Level::Info, &stopped()).unwrap();
        let text = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 1);
        let line = from_line(&text).unwrap();
        assert_eq!((line.entry, line.instance.as_str()), (stopped(), "0a1b2c3d"));
    }

    #[test]
    fn a_failed_write_is_reported() {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let journal = Journal::new(Format::Json, "client", "0a1b2c3d", Box::new(full));
        assert!(journal.record(Level::Info, &stopped()).is_err());
    }
}
