//! The writer of all lines of a service. Each line is one `write`, whose success is reported to the caller.

use std::fmt;
use std::io::{self, IsTerminal as _, Write};

use serde::Serialize;
use serde_json::{Map, Serializer, Value};

use crate::entry::Entry;
use crate::line::{Level, render_text};
use crate::timestamp::Clock;
use parking_lot::Mutex;

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

/// The fields of the frame that each line has around its content. Events cannot use these names.
const FRAME: [&str; 7] = ["timestamp", "level", "message", "client_id", "instance", "account", "seq"];

/// Writes numbered lines, each with the client id and the instance of the process.
///
/// The first line has the number (`seq`) 0, and each later line has the next number. The number is assigned under the lock that also
/// guards the output, so the order of the numbers is the order of the lines. A reader can therefore tell a missing line from a line
/// that was never written.
pub struct Journal {
    format: Format,
    client_id: String,
    instance: String,
    /// What follows the content of a line in JSON, up to its number: the same two as fields, and `account` in the second one.
    tails: [String; 2],
    output: Mutex<Output>,
}

/// A longer line gives its memory back.
const LINE_KEPT_BYTES: usize = 64 * 1024;

struct Output {
    out: Box<dyn Write + Send>,
    clock: Clock,
    /// The line that is being written. Its memory is used again for each line.
    line: Vec<u8>,
    next_seq: u64,
    /// Whether the last write failed, so that part of a line may stand at the end of the output.
    is_mid_line: bool,
    /// Whether the last line was written.
    is_closed: bool,
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal")
            .field("format", &self.format)
            .field("instance", &self.instance)
            .finish_non_exhaustive()
    }
}

/// What a line says, without the frame.
struct Statement<'a, T> {
    level: Level,
    /// The field of that name, unless the content has it. It has nothing to escape.
    message: Option<&'a str>,
    /// An object with at least one field.
    content: &'a T,
    /// Whether the line accounts for messages.
    is_account: bool,
    is_last: bool,
}

#[derive(Serialize)]
struct Event<'a> {
    message: &'a str,
    #[serde(flatten)]
    fields: &'a Map<String, Value>,
}

impl<'a, T> Statement<'a, T> {
    fn about_message(level: Level, message: &'a str, content: &'a T) -> Self {
        Self { level, message: Some(message), content, is_account: true, is_last: false }
    }
}

impl Journal {
    /// A journal that writes each line to `out` at once.
    #[must_use]
    pub fn new(format: Format, client_id: &str, instance: &str, out: Box<dyn Write + Send>) -> Self {
        let output = Output {
            out,
            clock: Clock::default(),
            line: Vec::new(),
            next_seq: 0,
            is_mid_line: false,
            is_closed: false,
        };
        let (client_id, instance) = (client_id.to_owned(), instance.to_owned());
        let [client, process] = [&client_id, &instance].map(|text| Value::from(text.as_str()));
        let tails = ["", "\"account\":true,"]
            .map(|account| format!(",\"client_id\":{client},\"instance\":{process},{account}\"seq\":"));
        Self { format, client_id, instance, tails, output: Mutex::new(output) }
    }

    /// Writes a line that accounts for messages. It is never filtered and never buffered. [`Entry::Stopped`] is the last line: later
    /// calls fail, so that a loop that outlives its deadline cannot add to an account that was closed.
    ///
    /// # Errors
    /// The line was not, or not completely, written. The messages in it must then not be treated as processed.
    pub fn record(&self, level: Level, entry: &Entry) -> io::Result<()> {
        // Most lines are about single messages. Their names are written without a search for characters to escape.
        match entry {
            Entry::Delivered(content) => self.write(&Statement::about_message(level, "message delivered", content)),
            Entry::Received(content) => self.write(&Statement::about_message(level, "message received", content)),
            _ => {
                let is_last = matches!(entry, Entry::Stopped(_));
                self.write(&Statement { level, message: None, content: entry, is_account: true, is_last })
            }
        }
    }

    /// Writes any other line. A field that has the name of a field of the frame is written with a trailing underscore.
    ///
    /// # Errors
    /// The line was not, or not completely, written.
    pub fn event(&self, level: Level, message: &str, fields: Map<String, Value>) -> io::Result<()> {
        let rename = |name: String| if FRAME.contains(&name.as_str()) { format!("{name}_") } else { name };
        let fields = fields.into_iter().map(|(name, value)| (rename(name), value)).collect();
        let content = &Event { message, fields: &fields };
        self.write(&Statement { level, message: None, content, is_account: false, is_last: false })
    }

    fn write<T: Serialize>(&self, statement: &Statement<'_, T>) -> io::Result<()> {
        // A thread that panicked while holding the lock has left the output as a failed write would have.
        let mut output = self.output.lock();
        if output.is_closed {
            return Err(io::Error::other("the log is closed"));
        }
        let mut line = std::mem::take(&mut output.line);
        line.clear();
        if output.is_mid_line {
            // Ends the partial line, so that it does not damage this one.
            line.push(b'\n');
        }
        match self.format {
            Format::Json => self.write_json(statement, &mut output, &mut line)?,
            Format::Text { colour } => self.write_text(statement, colour, &mut output, &mut line)?,
        }
        line.push(b'\n');
        let written = output.write_line(&line, statement.is_last);
        if line.capacity() <= LINE_KEPT_BYTES {
            output.line = line;
        }
        written
    }

    /// Appends the line as a JSON object: the fields of the content, in the frame that all lines have.
    fn write_json<T: Serialize>(
        &self,
        statement: &Statement<'_, T>,
        output: &mut Output,
        line: &mut Vec<u8>,
    ) -> io::Result<()> {
        line.extend_from_slice(b"{\"timestamp\":\"");
        output.clock.write(line);
        line.extend_from_slice(statement.level.json());
        if let Some(message) = statement.message {
            line.extend_from_slice(b",\"message\":\"");
            line.extend_from_slice(message.as_bytes());
            line.push(b'"');
        }
        // The fields of the content join the frame's: a comma replaces the brace before them, and the brace behind them is removed.
        let start = line.len();
        statement.content.serialize(&mut Serializer::new(&mut *line))?;
        line[start] = b',';
        line.pop();
        line.extend_from_slice(self.tails[usize::from(statement.is_account)].as_bytes());
        output.next_seq.serialize(&mut Serializer::new(&mut *line))?;
        line.push(b'}');
        Ok(())
    }

    /// Appends the line as text for people.
    fn write_text<T: Serialize>(
        &self,
        statement: &Statement<'_, T>,
        colour: bool,
        output: &mut Output,
        line: &mut Vec<u8>,
    ) -> io::Result<()> {
        let mut timestamp = Vec::new();
        output.clock.write(&mut timestamp);
        let mut fields = Map::new();
        fields.insert("timestamp".to_owned(), String::from_utf8_lossy(&timestamp).into());
        fields.insert("level".to_owned(), statement.level.name().into());
        fields.extend(statement.message.map(|message| ("message".to_owned(), message.into())));
        if let Value::Object(content) = serde_json::to_value(statement.content)? {
            fields.extend(content);
        }
        fields.insert("client_id".to_owned(), self.client_id.as_str().into());
        fields.insert("instance".to_owned(), self.instance.as_str().into());
        line.extend_from_slice(render_text(&fields, &[], colour).as_bytes());
        Ok(())
    }
}

impl Output {
    /// Writes a line that bears the next number. If that fails, the number is used up: the line is missing, and its number says so.
    fn write_line(&mut self, line: &[u8], is_last: bool) -> io::Result<()> {
        self.next_seq += 1;
        // Cleared only after a success, so that a panic in between has the same effect as an error.
        self.is_mid_line = true;
        self.is_closed = is_last;
        self.out.write_all(line)?;
        self.out.flush()?;
        self.is_mid_line = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::entry::{Delivered, NextOffset, Received, Stopped};
    use crate::line::from_line;

    /// An output that keeps what is written, and can be made to fail after some bytes.
    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<(Vec<u8>, Option<usize>)>>);

    impl Shared {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().0.clone()).unwrap()
        }

        fn fail_after(&self, bytes: usize) {
            self.0.lock().1 = Some(bytes);
        }
    }

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut shared = self.0.lock();
            match shared.1 {
                None => shared.0.extend(bytes),
                Some(0) => {
                    shared.1 = None;
                    return Err(io::Error::other("no space left"));
                }
                Some(left) => {
                    let written = left.min(bytes.len());
                    shared.0.extend(&bytes[..written]);
                    shared.1 = Some(left - written);
                    return Ok(written);
                }
            }
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    const INSTANCE: &str = "0a1b2c3d4e5f6071";

    fn journal(format: Format) -> (Journal, Shared) {
        let out = Shared::default();
        (Journal::new(format, "client", INSTANCE, Box::new(out.clone())), out)
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

    fn event(journal: &Journal, message: &str) -> io::Result<()> {
        journal.event(Level::Info, message, Map::new())
    }

    fn numbers(text: &str) -> Vec<u64> {
        text.lines().filter_map(|line| Some(from_line(line).ok()?.seq)).collect()
    }

    /// The frame and the content as serde writes them into one object.
    #[derive(Serialize)]
    struct Frame<'a, T> {
        timestamp: &'a str,
        level: Level,
        #[serde(flatten)]
        content: &'a T,
        client_id: &'a str,
        instance: &'a str,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        account: bool,
        seq: u64,
    }

    #[test]
    fn a_line_has_the_bytes_of_one_json_object() {
        let (journal, out) = journal(Format::Json);
        let run = message::RunId::new();
        let received = Entry::Received(Received {
            num: 7,
            ts: "\"\\u{1b}".into(),
            topic: "t".into(),
            partition: 3,
            offset: 11,
            latency_ms: Some(0.25),
            group_id: "g".into(),
            run: Some(run),
            pseq: Some(1),
        });
        let delivered = Entry::Delivered(Delivered {
            num: 7,
            ts: "2026-11-22 10:00:00".into(),
            topic: "t".into(),
            partition: 3,
            offset: 11,
            latency_ms: 0.25,
            run,
            pseq: 1,
        });
        let Value::Object(fields) = serde_json::json!({"late": [1, 2], "error": "a\nb"}) else { unreachable!() };
        journal.record(Level::Info, &received).unwrap();
        journal.event(Level::Warn, "partitions \"late\"", fields.clone()).unwrap();
        journal.record(Level::Error, &stopped()).unwrap();
        let (second, second_out) = self::journal(Format::Json);
        second.record(Level::Info, &delivered).unwrap();
        let text = out.text() + &second_out.text();
        let lines: Vec<&str> = text.lines().collect();
        let expected = |index: usize, level, account, content: Value| {
            let timestamp = &lines[index][r#"{"timestamp":""#.len()..][..24];
            // The last line is the first one of the second journal.
            let (client_id, seq) = ("client", index as u64 % 3);
            let frame = Frame { timestamp, level, content: &content, client_id, instance: INSTANCE, account, seq };
            serde_json::to_string(&frame).unwrap()
        };
        let event = Event { message: "partitions \"late\"", fields: &fields };
        let value = |content| serde_json::to_value(content).unwrap();
        assert_eq!(lines[0], expected(0, Level::Info, true, value(&received)));
        assert_eq!(lines[1], expected(1, Level::Warn, false, serde_json::to_value(event).unwrap()));
        let stopped = stopped();
        assert_eq!(lines[2], expected(2, Level::Error, true, value(&stopped)));
        assert_eq!(lines[3], expected(3, Level::Info, true, value(&delivered)));
    }

    #[test]
    fn an_entry_is_read_back_as_it_was_written() {
        let (journal, out) = journal(Format::Json);
        journal.record(Level::Info, &stopped()).unwrap();
        let text = out.text();
        assert_eq!(text.lines().count(), 1);
        let line = from_line(&text).unwrap();
        assert_eq!((line.entry, line.instance.as_str(), line.seq, line.account), (stopped(), INSTANCE, 0, true));
    }

    #[test]
    fn lines_are_numbered_in_their_order_also_when_several_threads_write() {
        let (journal, out) = journal(Format::Json);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..250).for_each(|_| event(&journal, "m").unwrap()));
            }
        });
        assert_eq!(numbers(&out.text()), (0..1000).collect::<Vec<_>>());
    }

    #[test]
    fn a_partial_line_uses_up_its_number_and_does_not_damage_the_next_line() {
        let (journal, out) = journal(Format::Json);
        event(&journal, "first").unwrap();
        out.fail_after(20);
        assert!(event(&journal, "second").is_err());
        event(&journal, "third").unwrap();
        assert_eq!(out.text().lines().count(), 3, "{}", out.text());
        assert_eq!(numbers(&out.text()), [0, 2]);
    }

    #[test]
    fn nothing_is_written_after_the_last_line() {
        let (journal, out) = journal(Format::Json);
        journal.record(Level::Info, &stopped()).unwrap();
        assert!(event(&journal, "late").is_err());
        assert!(journal.record(Level::Info, &stopped()).is_err());
        assert_eq!(numbers(&out.text()), [0]);
    }

    #[test]
    fn an_event_cannot_forge_the_frame() {
        let (journal, out) = journal(Format::Json);
        let fields = serde_json::json!({"instance": "x", "seq": 17, "account": true, "message": "y", "partition": 1});
        let Value::Object(fields) = fields else { unreachable!("an object") };
        journal.event(Level::Info, "m", fields).unwrap();
        let line: Value = serde_json::from_str(&out.text()).unwrap();
        assert_eq!((&line["instance"], &line["seq"], &line["account"]), (&INSTANCE.into(), &0.into(), &Value::Null));
        assert_eq!((&line["instance_"], &line["seq_"], &line["partition"]), (&"x".into(), &17.into(), &1.into()));
        assert_eq!(out.text().matches("\"seq\":").count(), 1);
    }

    #[test]
    fn text_for_people_has_no_numbers() {
        let (journal, out) = journal(Format::Text { colour: false });
        journal.record(Level::Info, &stopped()).unwrap();
        assert!(
            out.text().contains("service stopped") && !out.text().contains("seq") && !out.text().contains("account")
        );
    }

    #[test]
    fn a_failed_write_is_reported() {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let journal = Journal::new(Format::Json, "client", INSTANCE, Box::new(full));
        assert!(journal.record(Level::Info, &stopped()).is_err());
    }
}
