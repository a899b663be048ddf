//! The report as one HTML file, which needs neither a network nor scripts.

mod axis;
mod charts;
mod lanes;
mod names;
mod tables;
mod text;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use self::axis::Axis;
use self::names::Names;
use self::text::{number, plural};
use crate::document::Document;
use crate::report::Verdict;

const STYLE: &str = include_str!("html/style.css");

impl Document {
    /// The report as one HTML file. It has nothing in it that a browser would load or execute, and everything from log lines is
    /// escaped.
    #[must_use]
    pub fn to_html(&self) -> String {
        page(self).into_string()
    }
}

fn page(document: &Document) -> Markup {
    let names = Names::new(&document.timeline.processes);
    let axis = Axis::new(&document.timeline);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                // Even if something were not escaped, the browser would neither load nor execute it.
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                title { "Delivery audit: " (document.verdict.name()) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    (banner(document))
                    (tables::books(document, &names))
                    // What decides comes first. Repeats that are permitted decide nothing.
                    @let is_violated = document.verdict == Verdict::Violated;
                    @if is_violated { (tables::offenders(document, &names)) }
                    (not_judged(document))
                    @if let Some(axis) = &axis { (when(document, axis, &names)) }
                    @if !is_violated { (tables::offenders(document, &names)) }
                    (tables::latencies(&document.timeline))
                    @if !document.timeline.processes.is_empty() { (tables::processes(&document.timeline, &names)) }
                    (lines(document))
                }
            }
        }
    }
}

fn banner(document: &Document) -> Markup {
    let (sign, headline) = match document.verdict {
        Verdict::Proven => ("✓", "Proven"),
        Verdict::Violated => ("✗", "Violated"),
        Verdict::Insufficient => ("?", "Insufficient evidence"),
    };
    let acknowledged: u64 = document.runs.iter().map(|run| run.acknowledged).sum();
    let summary = match document.verdict {
        Verdict::Proven => {
            format!(
                "Of {}, every one that the group was owed was received.",
                plural(acknowledged, "acknowledged message", "acknowledged messages")
            )
        }
        Verdict::Violated => format!("{}. They are listed below.", broken(document)),
        Verdict::Insufficient => {
            "No violation was found, but the evidence does not allow a proof. The reasons are listed below.".to_owned()
        }
    };
    let conditions = &document.conditions;
    let complete = if conditions.complete {
        "The evidence was stated to be complete (--complete)."
    } else {
        "The evidence was not stated to be complete, so a message that no line shows as received is a doubt and no violation."
    };
    let repeats = match conditions.max_repeats {
        0 => "No repeats are permitted.".to_owned(),
        most => format!("Each group may have {} (--max-repeats).", plural(most, "repeat", "repeats")),
    };
    html! {
        header.(format!("verdict {}", document.verdict.name())) {
            div.sign aria-hidden="true" { (sign) }
            div {
                p.eyebrow { "Delivery audit" }
                h1 { (headline) }
                p.summary { (summary) }
                p.conditions {
                    (complete) " " (repeats)
                    @if conditions.from_here { " What happened before the evidence begins was not judged (--from-here)." }
                    @if let Some(group) = &conditions.group { " Only group " (group) " was judged (--group)." }
                    @if let Some(topic) = &conditions.topic { " Only topic " (topic) " was judged (--topic)." }
                }
            }
        }
    }
}

/// The counts that make up the violation, in words.
fn broken(document: &Document) -> String {
    let mut broken = Vec::new();
    for group in &document.groups {
        for count in group.counts.iter().filter(|count| count.is_violation(document.conditions.max_repeats)) {
            let name = count.name.replace('_', " ");
            broken.push(format!("group {}: {} {name}", group.group_id, number(count.value)));
        }
    }
    if broken.is_empty() { "A run has messages on the broker at two offsets".to_owned() } else { broken.join("; ") }
}

/// What the evidence did not allow to judge.
fn not_judged(document: &Document) -> Markup {
    html! {
        section {
            h2 { "What the evidence does not allow to judge" }
            @if document.doubts.is_empty() {
                p.none { "Nothing: the lines leave no doubt." }
            } @else {
                ul.doubts { @for doubt in &document.doubts { li { (doubt) } } }
            }
        }
    }
}

fn when(document: &Document, axis: &Axis, names: &Names) -> Markup {
    let timeline = &document.timeline;
    let (from, to) = (axis.from, axis.to);
    html! {
        section {
            h2 { "What happened when" }
            p.note {
                (from.format("%Y-%m-%d %H:%M:%S")) " to "
                (to.format(if from.format("%F") == to.format("%F") { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" }))
                " UTC, by the clocks of the processes. The verdict does not depend on them."
                @if axis.leaves_out { " Lines whose times are far away from all others are not drawn." }
            }
            h3 { "Processes" }
            (lanes::processes(timeline, axis, names))
            (legend())
            (lanes::partitions(timeline, axis, names))
            h3 { "Messages" }
            p.note { "Each bar stands for " (plural(timeline.bucket_seconds, "second", "seconds")) "." }
            (charts::charts(timeline, axis))
        }
    }
}

fn legend() -> Markup {
    let signs = [
        ("▶", "start"),
        ("■", "stop"),
        ("✕", "no stop: killed, still running, or the end of its log is not here"),
        ("+ −", "partitions assigned, revoked"),
        ("!", "partitions lost"),
        ("↷", "position reset"),
    ];
    html! {
        p.legend {
            @for (sign, meaning) in signs { span { b { (sign) } " " (meaning) } " " }
            span { "A dashed edge: the end of a session was not logged." }
        }
    }
}

fn lines(document: &Document) -> Markup {
    let lines = document.lines;
    let timeline = &document.timeline;
    let notes = [
        (timeline.lines_without_time, "without a time that could be read, which are not part of the times above"),
        (timeline.clock_steps_back, "older than the line before them: a clock was set back"),
        (timeline.lines_not_shown, "not shown above, because there are too many processes, sessions or groups"),
    ];
    html! {
        footer {
            p {
                "Lines: " (number(lines.read)) " read, " (number(lines.skipped)) " of other programs skipped, "
                (number(lines.damaged)) " damaged"
                @for (count, what) in notes.into_iter().filter(|(count, _)| *count > 0) { "; " (number(count)) " " (what) }
                "."
            }
            p { "audit " (document.audit_version) ", exit code " (document.verdict.exit_code()) "." }
        }
    }
}
