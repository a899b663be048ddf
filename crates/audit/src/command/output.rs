//! Writes the report to standard output.

use std::io::Write as _;

use anyhow::{Context as _, Result};
use audit::{Document, Mentions, Report, Timeline};

use super::arguments::{Arguments, Format};

/// Writes the report in the form that the arguments ask for, and returns the exit code. JSON is written on a single line if `one_line`.
///
/// # Errors
/// The report can't be written.
pub(super) fn write(
    arguments: &Arguments,
    report: &Report,
    mentions: &Mentions,
    timeline: Option<&Timeline>,
    one_line: bool,
) -> Result<u8> {
    let verdict = report.verdict(arguments.max_repeats);
    let document = || {
        let timeline = timeline.map_or_else(|| Timeline::default().report(), Timeline::report);
        Document::new(report, mentions, timeline, arguments.conditions())
    };
    let text = match arguments.format {
        Format::Text => format!("{report}\nverdict: {verdict}"),
        Format::Json if one_line => document().to_json_line()?,
        Format::Json => document().to_json()?,
        Format::Html => document().to_html(),
    };
    writeln!(std::io::stdout(), "{text}").context("could not write the report")?;
    Ok(verdict.exit_code())
}
