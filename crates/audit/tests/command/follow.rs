//! `--follow`.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::command;
use crate::lines::{producer, proven, replica};

const DEADLINE: Duration = Duration::from_secs(20);

/// A running `audit --follow`, and the lines that it writes.
struct Following {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Following {
    fn start(arguments: &[&str]) -> Self {
        let mut child = command(&[&["--follow"], arguments].concat()).spawn().expect("audit starts");
        let output = child.stdout.take().expect("a pipe");
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            BufReader::new(output).lines().map_while(Result::ok).try_for_each(|line| sender.send(line)).ok();
        });
        Self { child, lines, seen: Vec::new() }
    }

    fn wait_for(&mut self, what: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + DEADLINE;
        loop {
            let line = self
                .lines
                .recv_timeout(until.saturating_duration_since(Instant::now()))
                .unwrap_or_else(|_| panic!("no such state in {:#?}", self.seen));
            self.seen.push(line.clone());
            let state: Value = serde_json::from_str(&line).expect("JSON");
            if what(&state) {
                return state;
            }
        }
    }

    fn interrupt(mut self) -> (Option<i32>, Vec<String>) {
        let status = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().expect("kill");
        assert!(status.success());
        let until = Instant::now() + DEADLINE;
        let mut rest = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            rest.push(line);
        }
        (self.child.wait().expect("audit ends").code(), rest)
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.child.kill().ok();
    }
}

fn append(path: &Path, lines: &[String]) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).expect("a file");
    file.write_all(lines.concat().as_bytes()).expect("a file can be written");
}

#[test]
fn growing_files_are_read_across_rotation_and_truncation_and_an_interrupt_brings_the_verdict() {
    let directory = tempfile::tempdir().expect("a directory");
    let [sent, got] = ["p.log", "c.log"].map(|name| directory.path().join(name));
    let (producer, replica) = (producer(20), replica("g", 0..20));
    append(&sent, &producer[..5]);
    append(&got, &replica[..4]);
    let mut following = Following::start(&["--format", "json", sent.to_str().unwrap(), got.to_str().unwrap()]);
    following.wait_for(|state| state["lines_read"] == 9);
    append(&sent, &producer[5..10]);
    let (half, rest) = producer[10].split_at(50);
    append(&sent, &[half.to_owned()]);
    following.wait_for(|state| state["lines_read"] == 14);
    append(&sent, &[rest.to_owned()]);
    // Renamed, and written on under its new name before the new file is there.
    let rotated = directory.path().join("p.log.1");
    std::fs::rename(&sent, &rotated).expect("a rename");
    append(&rotated, &producer[11..13]);
    append(&sent, &producer[13..]);
    following.wait_for(|state| state["lines_read"] == producer.len() + 4);
    // Copied elsewhere and truncated.
    File::create(&got).expect("a file");
    following.wait_for_idle();
    append(&got, &replica[4..]);
    let state = following.wait_for(|state| state["lines_read"] == producer.len() + replica.len());
    assert_eq!((&state["so_far"], &state["lines_damaged"]), (&"proven".into(), &0.into()));
    let (code, rest) = following.interrupt();
    let report: Value = serde_json::from_str(rest.last().expect("a report")).expect("JSON");
    assert_eq!((code, &report["verdict"], &report["schema_version"]), (Some(0), &"proven".into(), &1.into()));
}

impl Following {
    /// Waits until a truncated file was looked at: longer than the files are polled.
    fn wait_for_idle(&mut self) {
        if let Ok(line) = self.lines.recv_timeout(Duration::from_secs(2)) {
            self.seen.push(line);
        }
    }
}

#[test]
fn the_end_of_a_pipe_brings_the_verdict() {
    let (code, text, _) = crate::audit(&["--follow"], proven().as_bytes());
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("verdict: PROVEN"), "{text}");
    let (code, html, error) = crate::audit(&["--follow", "--format", "html"], proven().as_bytes());
    assert!(code == Some(0) && html.starts_with("<!DOCTYPE html>") && error.contains("so_far"), "{error}");
}

#[test]
fn an_offender_is_named_from_its_lines_and_a_gap_is_pending_for_ten_seconds() {
    let mut following = Following::start(&["--complete"]);
    let mut pipe = following.child.stdin.take().expect("a pipe");
    let input = producer(5).concat() + &replica("g", [0, 1, 1, 3, 4]).concat();
    let begun = Instant::now();
    pipe.write_all(input.as_bytes()).expect("audit reads");
    let state = following.wait_for(|state| state["offenders"].as_array().is_some_and(|named| named.len() == 2));
    let named = |class: &str| state["offenders"].as_array().unwrap().iter().find(|one| one["class"] == class).unwrap();
    assert_eq!((&named("missing")["num"], &named("repeated")["num"]), (&2.into(), &1.into()));
    assert_eq!(named("repeated")["lines"].as_array().map(Vec::len), Some(3));
    assert_eq!(state["pending"][0], "group g: 1 missing");
    drop(pipe);
    let until = Instant::now() + DEADLINE;
    let mut last = String::new();
    while let Ok(line) = following.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
        last = line;
    }
    assert!(last.contains("verdict: VIOLATED"), "{last}");
    assert_eq!(following.child.wait().expect("audit ends").code(), Some(1));
    assert!(begun.elapsed() < Duration::from_secs(10), "the end of the pipe does not wait for what is pending");
}

#[test]
fn what_is_pending_becomes_a_doubt_or_a_violation_unless_the_lines_arrive() {
    let (sent, got) = (producer(5), replica("g", [0, 1, 3, 4]));
    let mut following = Following::start(&["--complete"]);
    let mut pipe = following.child.stdin.take().expect("a pipe");
    pipe.write_all((sent.concat() + &got.concat()).as_bytes()).expect("audit reads");
    let pending = following.wait_for(|state| state["pending"][0] == "group g: 1 missing");
    assert_eq!(pending["so_far"], "proven");
    following.wait_for(|state| state["so_far"] == "violated");
    assert!(following.interrupt().0 == Some(1));
}
