//! The tables: books, offenders, latencies, processes.

use maud::{Markup, html};

use super::lanes::clock;
use super::names::Names;
use super::text::{millis, number, plural};
use crate::document::{Count, Document, GroupRow, OffenderReport};
use crate::effect::Effect;
use crate::report::Verdict;
use crate::timeline::TimelineReport;

/// What each run sent and what each group received.
pub(super) fn books(document: &Document, names: &Names) -> Markup {
    html! {
        section {
            h2 { "The books" }
            div.books {
                @for run in &document.runs {
                    div.book {
                        h3 { "Run " @for instance in &run.instances { b title=(instance) { (names.short(instance)) } " " } }
                        p.id { (run.run) }
                        dl.counts {
                            (count("sent", run.sent, "", if run.is_closed { "" } else { "at least: the run was not closed" }))
                            (count("acknowledged", run.acknowledged, "", ""))
                            (count("rejected", run.rejected, "", "not on the broker"))
                            (count("unknown", run.unknown, "", "possibly on the broker"))
                        }
                    }
                }
                @for group in &document.groups { (group_book(document, group, names)) }
            }
        }
    }
}

fn group_book(document: &Document, group: &GroupRow, names: &Names) -> Markup {
    let mut replicas: Vec<_> = group.replicas.iter().collect();
    // C2 before C10.
    replicas.sort_by_key(|replica| (names.short(&replica.instance).len(), names.short(&replica.instance)));
    html! {
        div.book {
            h3 { "Group " code { (group.group_id) } }
            dl.counts {
                @for one in &group.counts {
                    (count(&one.name.replace('_', " "), one.value, class_of(one, document.conditions.max_repeats), one.meaning))
                }
            }
            @if !group.replicas.is_empty() {
                div.scroll {
                    table {
                        thead { tr { th { "replica" } th.n { "received" } th.n { "repeated" } th.n { "bad" } } }
                        tbody {
                            @for replica in replicas {
                                tr {
                                    td { b { (names.short(&replica.instance)) } " " span.id { (replica.instance) } }
                                    td.n { (number(replica.received)) }
                                    td.n { (number(replica.repeated)) }
                                    td.n { (number(replica.bad)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// How a count is shown: a sign is added to the colour.
fn class_of(count: &Count, max_repeats: u64) -> &'static str {
    if count.is_violation(max_repeats) {
        "bad"
    } else if count.effect == Effect::NoProof && count.value > 0 {
        "doubt"
    } else {
        ""
    }
}

fn count(name: &str, value: u64, class: &str, meaning: &str) -> Markup {
    let zero = if value == 0 { " zero" } else { "" };
    html! {
        div.(format!("count {class}{zero}")) {
            dt { (name) }
            dd {
                span.value { @match class { "bad" => "✗ ", "doubt" => "? ", _ => "" } (number(value)) }
                @if !meaning.is_empty() { span.meaning { (meaning) } }
            }
        }
    }
}

/// Each named offender with the lines that mention it.
pub(super) fn offenders(document: &Document, names: &Names) -> Markup {
    let is_violated = document.verdict == Verdict::Violated;
    html! {
        @if !document.offenders.is_empty() { section.offending[is_violated] {
            h2 { @if is_violated { "Messages that break a guarantee" } @else { "Repeats, within the limit" } }
            p.note { "The first of each class, each with the lines of the evidence that mention it. "
                "A line is found by its instance and its number (" code { "seq" } ")." }
            div.scroll {
                table.offenders {
                    thead { tr { th { "class" } th { "message" } th { "lines" } } }
                    tbody { @for offender in &document.offenders { (row(offender, names)) } }
                }
            }
        } }
    }
}

fn row(offender: &OffenderReport, names: &Names) -> Markup {
    html! {
        tr {
            td {
                span.tag { (offender.class.replace('_', " ")) }
                @if let Some(group) = &offender.group { span.id { "group " (group) } }
            }
            td {
                b { (offender.topic) "[" (offender.partition) "]" @if let Some(offset) = offender.offset { "@" (offset) } }
                @if let Some(num) = offender.num { " num " (num) }
                @if let (Some(run), Some(pseq)) = (&offender.run, offender.pseq) {
                    span.id { "run " (run) " pseq " (pseq) }
                }
            }
            td {
                @for line in &offender.lines {
                    div.source {
                        span.time { @if let Some(time) = line.time { (clock(time)) } @else { "no time" } }
                        " " b { (names.short(&line.instance)) } " " (line.message) " "
                        span.id { (line.instance) " seq " (line.seq) }
                    }
                }
                @if offender.lines.is_empty() { span.none { "no line mentions it" } }
            }
        }
    }
}

/// Latencies: percentiles of single lines, and the highest values of summaries.
pub(super) fn latencies(timeline: &TimelineReport) -> Markup {
    html! {
        @if !timeline.latencies.is_empty() {
            section {
                h2 { "Latencies" }
                div.scroll {
                    table {
                        thead { tr {
                            th { "of" } th.n { "messages" } th.n { "p50" } th.n { "p90" } th.n { "p99" } th.n { "p99.9" } th.n { "max" }
                        } }
                        tbody {
                            @for of in &timeline.latencies {
                                @let what = match &of.group_id {
                                    Some(group) => format!("received by group {group}"),
                                    None => "acknowledged".to_owned(),
                                };
                                @if let Some(single) = of.single {
                                    tr {
                                        td { (what) span.meaning { "exact, of lines about one message each" } }
                                        td.n { (number(single.messages)) }
                                        @for value in [single.p50, single.p90, single.p99, single.p999, single.max] {
                                            td.n { (millis(value)) }
                                        }
                                    }
                                }
                                @if let Some(highest) = of.summaries {
                                    tr {
                                        td { (what) span.meaning { "the highest value of " (plural(highest.lines, "summary line", "summary lines")) } }
                                        td.n { (number(highest.messages)) }
                                        td.n { "≤ " (millis(highest.highest_p50)) }
                                        td.n { "–" }
                                        td.n { "≤ " (millis(highest.highest_p99)) }
                                        td.n { "–" }
                                        td.n { (millis(highest.highest_max)) }
                                    }
                                }
                            }
                        }
                    }
                }
                p.note { "Of an acknowledged message: from handing it to librdkafka to its delivery report. Of a received one: from the "
                    "creation of its record to its processing, by two clocks. Percentiles of several summaries can't be combined; the "
                    "highest one is an upper bound." }
            }
        }
    }
}

/// Every process as a table, for screen readers: the drawing has most of this only in its positions and tooltips.
pub(super) fn processes(timeline: &TimelineReport, names: &Names) -> Markup {
    html! {
        section {
            details {
                summary { "All " (plural(timeline.processes.len() as u64, "process", "processes")) " as a table" }
                div.scroll {
                    table {
                        thead { tr { th { "" } th { "instance" } th { "topic" } th { "group or run" } th { "first line" } th { "last line" } th { "end" } } }
                        tbody {
                            @for process in &timeline.processes {
                                tr {
                                    td { b { (names.short(&process.instance)) } }
                                    td.id { (process.instance) }
                                    td { (process.topic.as_deref().unwrap_or("–")) }
                                    td {
                                        @if let Some(group) = &process.group_id { (group) }
                                        @if let Some(run) = process.run { span.id { (run) } }
                                    }
                                    td.time { (clock(process.first)) }
                                    td.time { (clock(process.last)) }
                                    td {
                                        @match &process.stopped {
                                            Some(stop) => { "stopped, exit code " (stop.exit_code) ": " (stop.reason) }
                                            None => { "✕ no line " code { "service stopped" } }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
