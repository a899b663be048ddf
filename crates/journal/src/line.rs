//! One line: its frame around an [`Entry`], as JSON for machines and as text for people.

use anstyle::{AnsiColor, Style};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::entry::Entry;

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    /// For who writes this software.
    Trace,
    /// For who looks for a cause.
    Debug,
    /// All is well.
    Info,
    /// Unexpected, nothing lost.
    Warn,
    /// Something is lost, or a person must act.
    Error,
}

/// A line that was read back.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Line {
    /// What it says.
    #[serde(flatten)]
    pub entry: Entry,
    /// Which process wrote it: 8 hex digits.
    pub instance: String,
}

/// Reads a line of ours, also behind a prefix that holds no `{`, as `docker compose logs` and `kubectl logs --prefix`
/// put before it.
///
/// # Errors
/// `None`: not a line of ours. `Some`: one that should be, but is cut or damaged.
pub fn from_line(text: &str) -> Result<Line, Option<serde_json::Error>> {
    let json = text.find('{').map(|start| text[start..].trim_end()).ok_or(None)?;
    serde_json::from_str(json).map_err(|error| {
        let ours = json.contains("\"instance\":\"") || json.starts_with("{\"timestamp\":\"");
        // A whole JSON object that isn't ours is somebody else's line.
        let whole = serde_json::from_str::<Map<String, Value>>(json).is_ok_and(|map| !map.contains_key("instance"));
        (ours && !whole).then_some(error)
    })
}

/// A line for people: time of day, level, message, then the fields as `name=value` without those in `hidden`.
#[must_use]
pub fn render_text(line: &Map<String, Value>, hidden: &[&str], colour: bool) -> String {
    let text = |name: &str| line.get(name).and_then(Value::as_str).unwrap_or_default();
    // RFC 3339, whose time of day always has this place; a local time would need the zone of who wrote it.
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

    const LINE: &str = r#"{"timestamp":"2026-11-22T10:00:00.123Z","level":"INFO","message":"partitions assigned","owned":[1,2],"client_id":"c","instance":"0a1b2c3d"}"#;

    #[test]
    fn lines_are_found_behind_the_prefixes_of_compose_and_kubectl() {
        for prefix in ["", "consumer-1  | ", "[pod/consumer-6d4cf56db6-abcde/consumer] ", "2026-11-22T10:00:00Z "] {
            let line = from_line(&format!("{prefix}{LINE}\r\n")).unwrap();
            assert_eq!((line.entry, line.instance.as_str()), (Entry::Other, "0a1b2c3d"));
        }
    }

    #[test]
    fn foreign_lines_are_not_ours_and_cut_lines_are_damaged() {
        for foreign in ["", "[2026-11-22] INFO started", "{", "{}", r#"{"timestamp":"x","msg":"other"}"#, "a {b} c"] {
            assert!(matches!(from_line(foreign), Err(None)), "{foreign}");
        }
        assert!(matches!(from_line(&LINE[..LINE.len() - 5]), Err(Some(_))));
        assert!(matches!(from_line(&LINE[..40]), Err(Some(_))));
        // A line of ours with a field missing.
        assert!(matches!(from_line(r#"{"message":"message received","instance":"0a1b2c3d"}"#), Err(Some(_))));
    }

    #[test]
    fn text_is_one_line_whatever_a_field_holds() {
        let line: Map<String, Value> = serde_json::from_str(
            r#"{"timestamp":"2026-11-22T10:00:00.123Z","level":"WARN","message":"m","n":1,"s":"a b","e":"\u001b\n","x":"y"}"#,
        )
        .unwrap();
        assert_eq!(render_text(&line, &["x"], false), r#"10:00:00.123  WARN m n=1 s="a b" e="\u{1b}\n""#);
    }
}
