//! A real program as a child process, and the lines it writes.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use audit::{Account, Report};
use journal::{Entry, Line, from_line};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Longer than anything here takes on a busy machine with two cores.
const DEADLINE: Duration = Duration::from_secs(60);

/// A binary of this workspace, built now if need be: never what happens to lie around.
pub fn binary(name: &str) -> PathBuf {
    static BUILT: OnceLock<Mutex<BTreeMap<String, PathBuf>>> = OnceLock::new();
    let mut built = BUILT.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    let build = || {
        let features = if cfg!(feature = "otel") { "producer-svc/otel consumer-svc/otel" } else { "" };
        escargot::CargoBuild::new()
            .features(features)
            .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml"))
            // All packages, so that dependencies keep the features that the tests were built with.
            .arg("--workspace")
            .arg("--locked")
            .bin(name)
            .run()
            .expect("the binary builds")
            .path()
            .to_owned()
    };
    built.entry(name.to_owned()).or_insert_with(build).clone()
}

/// Starts a producer.
pub fn producer(variables: &[(String, String)], more: &[(&str, &str)]) -> Process {
    Process::start(binary("producer-svc"), &[], &joined(variables, more))
}

/// Starts a replica of `group`.
pub fn consumer(variables: &[(String, String)], group: &str, more: &[(&str, &str)]) -> Process {
    let mut all = joined(variables, &[("KAFKA_GROUP_ID", group)]);
    all.extend(joined(&[], more));
    Process::start(binary("consumer-svc"), &[], &all)
}

fn joined(variables: &[(String, String)], more: &[(&str, &str)]) -> Vec<(String, String)> {
    let more = more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    variables.iter().cloned().chain(more).collect()
}

/// What the lines of all these processes prove together.
pub fn report<'a>(processes: impl IntoIterator<Item = &'a Process>) -> Report {
    let mut account = Account::complete();
    for process in processes {
        process.lines().iter().for_each(|line| account.add(line));
    }
    account.report()
}

#[derive(Debug, Default)]
struct Output {
    text: Mutex<String>,
    grown: Condvar,
}

/// A running program. Killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// Kept open, as the sandbox does.
    output: Arc<Output>,
    readers: Vec<std::thread::JoinHandle<()>>,
}

impl Process {
    /// Starts `program` with nothing but `variables` in its environment.
    pub fn start(program: PathBuf, arguments: &[&str], variables: &[(String, String)]) -> Self {
        Self::start_with(program, arguments, variables, Stdio::piped())
    }

    /// As [`Process::start`], with its standard output somewhere else.
    pub fn start_with(program: PathBuf, arguments: &[&str], variables: &[(String, String)], stdout: Stdio) -> Self {
        let mut child = Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let output = Arc::new(Output::default());
        let mut readers = Vec::new();
        readers.extend(child.stdout.take().map(|stdout| follow(stdout, &output)));
        readers.extend(child.stderr.take().map(|stderr| follow(stderr, &output)));
        Self { child, output, readers }
    }

    fn locked(&self) -> MutexGuard<'_, String> {
        self.output.text.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything it has written so far, standard error included.
    pub fn text(&self) -> String {
        self.locked().clone()
    }

    /// Its lines so far.
    pub fn lines(&self) -> Vec<Line> {
        self.locked().lines().filter_map(|line| from_line(line).ok()).collect()
    }

    /// Its lines with this message, with all their fields.
    pub fn with_message(&self, message: &str) -> Vec<Value> {
        let text = self.locked();
        // Most lines are of messages; under load, reading them all each time takes longer than writing them.
        let lines = text.lines().filter(|line| line.contains(message));
        let values = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
        values.filter(|value| value["message"] == message).collect()
    }

    /// Numbers of the messages that it received one by one, in order.
    pub fn received(&self) -> Vec<u64> {
        let lines = self.lines();
        lines
            .iter()
            .filter_map(|line| if let Entry::Received(it) = &line.entry { Some(it.num) } else { None })
            .collect()
    }

    /// How many messages it accounted for, one by one or in summaries.
    pub fn received_count(&self) -> u64 {
        let count = |line: &Line| match &line.entry {
            Entry::Received(_) => 1,
            Entry::BadMessage(it) if !it.sample => 1,
            Entry::ReceivedSummary(it) => it.count,
            _ => 0,
        };
        self.lines().iter().map(count).sum()
    }

    /// How many messages it has told to be delivered.
    pub fn delivered_count(&self) -> u64 {
        let count = |line: &Line| match &line.entry {
            Entry::Delivered(_) => 1,
            Entry::DeliveredSummary(it) => it.count,
            _ => 0,
        };
        self.lines().iter().map(count).sum()
    }

    /// The partitions it owns, as its last assignment or revocation says; `None` before the first.
    pub fn owned(&self) -> Option<Vec<i64>> {
        let text = self.locked();
        let lines = text.lines().rev().filter(|line| line.contains("owned"));
        let mut values = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let last = values.find(|value| value["owned"].is_array())?;
        last["owned"].as_array().map(|owned| owned.iter().filter_map(Value::as_i64).collect())
    }

    /// Waits until `holds`.
    pub fn wait_until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !holds(self) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited in vain for {what}; its output:\n{}", self.text());
            let wait = left.min(Duration::from_millis(100));
            drop(self.output.grown.wait_timeout(self.locked(), wait));
        }
    }

    /// Waits for a line with this message.
    pub fn wait_for(&self, message: &str) {
        self.wait_until(message, |it| !it.with_message(message).is_empty());
    }

    /// Waits for this text anywhere in its output.
    pub fn wait_for_text(&self, text: &str) {
        self.wait_until(text, |it| it.text().contains(text));
    }

    /// Whether `holds` stays true for so long. For what must not happen.
    pub fn stays(&self, so_long: Duration, holds: impl Fn(&Self) -> bool) -> bool {
        let end = Instant::now() + so_long;
        while Instant::now() < end {
            if !holds(self) {
                return false;
            }
            drop(self.output.grown.wait_timeout(self.locked(), Duration::from_millis(100)));
        }
        holds(self)
    }

    /// Asks its HTTP listener, which `HTTP_ADDR` has to put at a free port; the status and the answer.
    pub fn ask(&self, path: &str) -> (u16, String) {
        let url = format!("http://{}{path}", self.http_address());
        let response = minreq::get(url).with_timeout(DEADLINE.as_secs()).send().expect("an answer");
        let answer = response.as_str().expect("text").trim_end().to_owned();
        (response.status_code, answer)
    }

    /// Where it listens, as its log says.
    pub fn http_address(&self) -> String {
        self.wait_for("health endpoints opened");
        let lines = self.with_message("health endpoints opened");
        lines[0]["address"].as_str().expect("an address").to_owned()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("the process is there");
    }

    /// Waits for its end, and for the last of its output.
    pub fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + DEADLINE;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                break status;
            }
            assert!(Instant::now() < deadline, "it does not end; its output:\n{}", self.text());
            drop(self.output.grown.wait_timeout(self.locked(), Duration::from_millis(10)));
        };
        for reader in self.readers.drain(..) {
            reader.join().expect("reading its output does not panic");
        }
        status
    }

    /// Asks it to stop with SIGTERM; its exit code, and how long it took.
    pub fn stop(&mut self) -> (Option<i32>, Duration) {
        let start = Instant::now();
        self.signal(Signal::TERM);
        let status = self.wait();
        (status.code(), start.elapsed())
    }

    /// Ends it with SIGKILL.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.wait();
    }

    /// Its resident memory in bytes.
    pub fn resident_bytes(&self) -> u64 {
        let statm = std::fs::read_to_string(format!("/proc/{}/statm", self.child.id())).expect("the process is there");
        let pages: u64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number of pages");
        pages * rustix::param::page_size() as u64
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn follow(pipe: impl Read + Send + 'static, output: &Arc<Output>) -> std::thread::JoinHandle<()> {
    let output = Arc::clone(output);
    std::thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while pipe.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            output.text.lock().unwrap_or_else(PoisonError::into_inner).push_str(&String::from_utf8_lossy(&line));
            output.grown.notify_all();
            line.clear();
        }
        output.grown.notify_all();
    })
}
