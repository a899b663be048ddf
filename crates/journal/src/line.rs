//! One line: an [`Entry`] and its frame, as JSON for programs and as text for people.

use anstyle::{AnsiColor, Style};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::entry::Entry;
use crate::timestamp::Timestamp;

/// Severity of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    /// Details for developers of this software.
    Trace,
    /// Details for finding the cause of a problem.
    Debug,
    /// Normal operation.
    Info,
    /// Something unexpected happened, and nothing was lost.
    Warn,
    /// Something was lost, or a person must act.
    Error,
}

impl Level {
    /// The name in a line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Trace => "TRACE",
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        }
    }

    /// The end of the field before it in JSON, and the field itself: one piece, because it is copied for each line.
    pub(crate) fn json(self) -> &'static [u8] {
        match self {
            Self::Trace => br#"","level":"TRACE""#,
            Self::Debug => br#"","level":"DEBUG""#,
            Self::Info => br#"","level":"INFO""#,
            Self::Warn => br#"","level":"WARN""#,
            Self::Error => br#"","level":"ERROR""#,
        }
    }
}

/// A line that was read back from a log.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Line {
    /// The content of the line.
    #[serde(flatten)]
    pub entry: Entry,
    /// The process that wrote the line: 16 hex digits.
    pub instance: String,
    /// The number of the line among those of its process, from 0 without gaps.
    pub seq: u64,
    /// When the line was written.
    #[serde(default)]
    pub timestamp: Timestamp,
    /// Whether the line accounts for messages, or begins or ends the log of its process.
    #[serde(default)]
    pub account: bool,
}

/// Reads a line of the services. Anything before the first `{` is skipped, such as the prefixes of `docker compose logs` and
/// `kubectl logs --prefix`.
///
/// # Errors
/// `None` if the line was written by something else; `Some` if one of the services wrote it but it is truncated or damaged.
pub fn from_line(text: &str) -> Result<Line, Option<serde_json::Error>> {
    let json = text.find('{').map(|start| text[start..].trim_end()).ok_or(None)?;
    serde_json::from_str(json).map_err(|error| {
        let ours = json.contains("\"instance\":\"") || json.starts_with("{\"timestamp\":\"");
        // A complete JSON object without our fields was written by something else.
        let is_foreign =
            serde_json::from_str::<Map<String, Value>>(json).is_ok_and(|map| !map.contains_key("instance"));
        (ours && !is_foreign).then_some(error)
    })
}

/// Renders a line for people: time of day, level, message, then the fields as `name=value` without those in `hidden`.
#[must_use]
pub fn render_text(line: &Map<String, Value>, hidden: &[&str], colour: bool) -> String {
    let text = |name: &str| line.get(name).and_then(Value::as_str).unwrap_or_default();
    // In RFC 3339 the time of day is always at this place. It stays UTC: the writer's time zone is not known here.
    let time = text("timestamp").get(11..23).unwrap_or_default();
    let style = if colour { style_of(text("level")) } else { Style::new() };
    let dim = if colour { Style::new().dimmed() } else { Style::new() };
    let mut out = format!("{dim}{time}{dim:#} {style}{:>5}{style:#} {}", text("level"), text("message"));
    for (name, value) in line {
        if ["timestamp", "level", "message"].contains(&name.as_str()) || hidden.contains(&name.as_str()) {
            continue;
        }
        out.push_str(&format!(" {dim}{name}={dim:#}"));
        match value {
            Value::String(text) if !text.is_empty() && !text.contains([' ', '"', '=']) && !has_control(text) => {
                out.push_str(text);
            }
            Value::String(text) => out.push_str(&format!("{text:?}")),
            other => out.push_str(&other.to_string()),
        }
    }
    out
}

fn has_control(text: &str) -> bool {
    text.chars().any(char::is_control)
}

fn style_of(level: &str) -> Style {
    match level {
        "ERROR" => AnsiColor::Red.on_default().bold(),
        "WARN" => AnsiColor::Yellow.on_default(),
        "INFO" => AnsiColor::Green.on_default(),
        _ => Style::new().dimmed(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"timestamp":"2026-11-22T10:00:00.123Z","level":"INFO","message":"stop requested","owned":[1,2],"client_id":"c","instance":"0a1b2c3d4e5f6071","seq":3}"#;

    #[test]
    fn prefixes_of_compose_and_kubectl_are_skipped() {
        for prefix in ["", "consumer-1  | ", "[pod/consumer-6d4cf56db6-abcde/consumer] ", "2026-11-22T10:00:00Z "] {
            let line = from_line(&format!("{prefix}{LINE}\r\n")).unwrap();
            assert_eq!((line.entry, line.instance.as_str()), (Entry::Other, "0a1b2c3d4e5f6071"));
            assert_eq!(line.timestamp, Timestamp::from_text("2026-11-22T10:00:00.123Z"));
        }
    }

    #[test]
    fn foreign_lines_are_skipped_and_truncated_lines_are_reported_as_damaged() {
        for foreign in ["", "[2026-11-22] INFO started", "{", "{}", r#"{"timestamp":"x","msg":"other"}"#, "a {b} c"] {
            assert!(matches!(from_line(foreign), Err(None)), "{foreign}");
        }
        assert!(matches!(from_line(&LINE[..LINE.len() - 5]), Err(Some(_))));
        assert!(matches!(from_line(&LINE[..40]), Err(Some(_))));
        // A field is missing.
        assert!(matches!(from_line(r#"{"message":"message received","instance":"0a1b2c3d"}"#), Err(Some(_))));
    }

    #[test]
    fn text_stays_on_one_line_whatever_a_field_contains() {
        let line: Map<String, Value> = serde_json::from_str(
            r#"{"timestamp":"2026-11-22T10:00:00.123Z","level":"WARN","message":"m","n":1,"s":"a b","e":"\u001b\n","x":"y"}"#,
        )
        .unwrap();
        assert_eq!(render_text(&line, &["x"], false), r#"10:00:00.123  WARN m n=1 s="a b" e="\u{1b}\n""#);
    }
}
