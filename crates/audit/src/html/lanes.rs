//! The timeline: a lane for each process and for each partition.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::axis::Axis;
use super::names::Names;
use crate::timeline::{ProcessReport, SessionReport, Time, TimelineReport};

/// How many processes, and how many partitions of each topic, have a lane.
const LANES_MAX: usize = 60;
/// How many bars and marks are drawn in one lane.
const MARKS_MAX: usize = 300;

/// The lanes of the processes: when each started, how it ended, and each change of its partitions.
pub(super) fn processes(timeline: &TimelineReport, axis: &Axis, names: &Names) -> Markup {
    html! {
        div.lanes {
            @for process in timeline.processes.iter().take(LANES_MAX) {
                div.lane {
                    div.who title=(process.instance) { (names.short(&process.instance)) }
                    div.track {
                        (life(process, axis, names))
                        (marks(timeline, process, axis))
                    }
                }
            }
            (ticks(axis))
        }
        (not_drawn(timeline.processes.len(), "processes"))
    }
}

fn life(process: &ProcessReport, axis: &Axis, names: &Names) -> Markup {
    let (from, to) = (axis.percent(process.first), axis.percent(process.last));
    let is_producer = process.run.is_some();
    let what = if is_producer { "producer" } else { "replica" };
    let end = match &process.stopped {
        Some(stop) => format!("stopped at {} with exit code {}: {}", clock(stop.time), stop.exit_code, stop.reason),
        None => format!("no line `service stopped`; last line at {}", clock(process.last)),
    };
    let title = format!("{what} {}, first line at {}, {end}", process.instance, clock(process.first));
    let (class, mark) = match &process.stopped {
        Some(stop) if stop.exit_code == 0 => ("end", "■"),
        Some(_) => ("end bad", "■!"),
        None => ("end bad", "✕"),
    };
    html! {
        div.(format!("bar life {}", if is_producer { "p".to_owned() } else { names.colour(&process.instance) }))
            style=(place(from, to)) title=(title) {}
        @if process.started.is_some() { span.start style=(format!("left:{from:.2}%")) title=(title) { "▶" } }
        span.(class) style=(format!("left:{to:.2}%")) title=(title) { (mark) }
    }
}

fn marks(timeline: &TimelineReport, process: &ProcessReport, axis: &Axis) -> Markup {
    let of_process = |instance: &str, time| instance == process.instance && axis.contains(time);
    let rebalances = timeline.rebalances.iter().filter(|rebalance| of_process(&rebalance.instance, rebalance.time));
    let resets = timeline.resets.iter().filter(|reset| of_process(&reset.instance, reset.time));
    html! {
        @for rebalance in rebalances.take(MARKS_MAX) {
            @let (class, sign) = match rebalance.change {
                "assigned" => ("mark", "+"),
                "revoked" => ("mark", "−"),
                _ => ("mark bad", "!"),
            };
            span.(class) style=(format!("left:{:.2}%", axis.percent(rebalance.time)))
                title=(format!("{}: {} partitions {}", clock(rebalance.time), rebalance.partitions, rebalance.change)) { (sign) }
        }
        @for reset in resets.take(MARKS_MAX) {
            span.mark.reset style=(format!("left:{:.2}%", axis.percent(reset.time)))
                title=(format!("{}: position of {}[{}] reset to {}", clock(reset.time), reset.topic, reset.partition, reset.to)) { "↷" }
        }
    }
}

/// The lanes of the partitions: which replica owned each of them.
pub(super) fn partitions(timeline: &TimelineReport, axis: &Axis, names: &Names) -> Markup {
    let mut topics: BTreeMap<(&str, &str), BTreeMap<i32, Vec<&SessionReport>>> = BTreeMap::new();
    for session in &timeline.sessions {
        let topic = topics.entry((&session.group_id, &session.topic)).or_default();
        topic.entry(session.partition).or_default().push(session);
    }
    html! {
        @for ((group, topic), partitions) in &topics {
            h3 { "Partitions of " code { (topic) } ", read by group " code { (group) } }
            div.lanes {
                @for (partition, sessions) in partitions.iter().take(LANES_MAX) {
                    div.lane {
                        div.who { (partition) }
                        div.track {
                            @for session in sessions.iter().take(MARKS_MAX) { (owner(session, axis, names)) }
                            @for reset in timeline.resets.iter().filter(|reset| {
                                (reset.group_id.as_str(), reset.topic.as_str(), reset.partition) == (*group, *topic, *partition)
                                    && axis.contains(reset.time)
                            }).take(MARKS_MAX) {
                                span.mark.reset style=(format!("left:{:.2}%", axis.percent(reset.time)))
                                    title=(format!("{}: position reset to {}", clock(reset.time), reset.to)) { "↷" }
                            }
                        }
                    }
                }
                (ticks(axis))
            }
            (not_drawn(partitions.len(), "partitions"))
        }
        @if topics.is_empty() {
            p.none { "No line of the evidence says which replica owned which partition." }
        }
    }
}

fn owner(session: &SessionReport, axis: &Axis, names: &Names) -> Markup {
    let begin = session.begin_offset.map_or("an unknown offset".to_owned(), |offset| format!("offset {offset}"));
    let end = session.end_offset.map_or(String::new(), |offset| format!(", next offset {offset}"));
    let title = format!(
        "{} from {} at {begin} ({}) to {} ({}){end}",
        session.instance,
        clock(session.begin),
        session.begin_reason,
        clock(session.end),
        session.end_reason
    );
    let cut = if matches!(session.end_reason, "not logged" | "lost") { " cut" } else { "" };
    html! {
        div.(format!("bar own {}{cut}", names.colour(&session.instance)))
            style=(place(axis.percent(session.begin), axis.percent(session.end))) title=(title) {
            (names.short(&session.instance))
        }
    }
}

/// The labels of the time axis.
pub(super) fn ticks(axis: &Axis) -> Markup {
    html! {
        div.lane.axis aria-hidden="true" {
            div.who {}
            div.track { @for (place, label) in axis.ticks() { span.tick style=(format!("left:{place:.2}%")) { (label) } } }
        }
    }
}

fn not_drawn(count: usize, what: &str) -> Markup {
    html! { @if count > LANES_MAX { p.none { "Only the first " (LANES_MAX) " of " (count) " " (what) " are drawn." } } }
}

fn place(from: f64, to: f64) -> String {
    format!("left:{from:.2}%;width:{:.2}%", (to - from).max(0.0))
}

pub(super) fn clock(time: Time) -> String {
    time.format("%H:%M:%S%.3f")
}
