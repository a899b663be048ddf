//! A real program as a child process, and the lines that it writes.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use audit::{Account, Options, Report};
use journal::{Entry, Line, from_line};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Longer than anything that a test waits for takes on a busy machine with two cores.
const DEADLINE: Duration = Duration::from_secs(60);

/// Returns the path of a binary of this workspace. Cargo builds it first, so that tests never run an outdated one.
pub fn binary(name: &str) -> PathBuf {
    static BUILT: OnceLock<Mutex<BTreeMap<String, PathBuf>>> = OnceLock::new();
    let mut built = BUILT.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    let build = || {
        let features = if cfg!(feature = "otel") { "producer-svc/otel consumer-svc/otel" } else { "" };
        escargot::CargoBuild::new()
            .features(features)
            .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml"))
            // Building all packages keeps the dependencies' features the same as in the build of the tests.
            .arg("--workspace")
            .arg("--locked")
            .bin(name)
            .run()
            .expect("cargo builds the binary")
            .path()
            .to_owned()
    };
    built.entry(name.to_owned()).or_insert_with(build).clone()
}

/// Starts a producer with the settings `variables` and `more`.
pub fn producer(variables: &[(String, String)], more: &[(&str, &str)]) -> Process {
    Process::start(binary("producer-svc"), &[], &joined(variables, more))
}

/// Starts a replica of `group` with the settings `variables` and `more`.
pub fn consumer(variables: &[(String, String)], group: &str, more: &[(&str, &str)]) -> Process {
    let mut all = joined(variables, &[("KAFKA_GROUP_ID", group)]);
    all.extend(joined(&[], more));
    Process::start(binary("consumer-svc"), &[], &all)
}

fn joined(variables: &[(String, String)], more: &[(&str, &str)]) -> Vec<(String, String)> {
    let more = more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    variables.iter().cloned().chain(more).collect()
}

/// Returns the audit's report on the lines of all these processes.
pub fn report<'a>(processes: impl IntoIterator<Item = &'a Process>) -> Report {
    let mut account = Account::new(Options::complete());
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

/// A running program, which is killed when this value is dropped.
///
/// The sandbox has a wrapper of its own for the processes of its services. That one is asynchronous, because the sandbox waits for
/// many services, signals and timers at once; this one keeps all output and blocks until a condition holds, as a test wants it.
#[derive(Debug)]
pub struct Process {
    child: Child,
    output: Arc<Output>,
    readers: Vec<std::thread::JoinHandle<()>>,
}

impl Process {
    /// Starts `program` with only `variables` in its environment, and with an empty standard input.
    pub fn start(program: PathBuf, arguments: &[&str], variables: &[(String, String)]) -> Self {
        Self::start_with(program, arguments, variables, Stdio::piped())
    }

    /// Like [`Process::start`], but standard output goes to `stdout`.
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

    /// Everything that the process has written so far to standard output and standard error.
    pub fn text(&self) -> String {
        self.locked().clone()
    }

    /// The lines that account for messages, so far.
    pub fn lines(&self) -> Vec<Line> {
        self.locked().lines().filter_map(|line| from_line(line).ok()).collect()
    }

    /// The log lines whose message is `message`, with all their fields.
    pub fn with_message(&self, message: &str) -> Vec<Value> {
        let text = self.locked();
        // Parsing every line on each call would take longer than the service takes to write them under load.
        let lines = text.lines().filter(|line| line.contains(message));
        let values = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
        values.filter(|value| value["message"] == message).collect()
    }

    /// The numbers of the messages that have a `message received` line each, in order.
    pub fn received(&self) -> Vec<u64> {
        let lines = self.lines();
        lines
            .iter()
            .filter_map(|line| if let Entry::Received(message) = &line.entry { Some(message.num) } else { None })
            .collect()
    }

    /// How many messages the replica has accounted for, in lines of their own or in summaries.
    pub fn received_count(&self) -> u64 {
        let count = |line: &Line| match &line.entry {
            Entry::Received(_) => 1,
            Entry::BadMessage(message) if !message.sample => 1,
            Entry::ReceivedSummary(summary) => summary.count,
            _ => 0,
        };
        self.lines().iter().map(count).sum()
    }

    /// How many messages the producer has reported as delivered.
    pub fn delivered_count(&self) -> u64 {
        let count = |line: &Line| match &line.entry {
            Entry::Delivered(_) => 1,
            Entry::DeliveredSummary(summary) => summary.count,
            _ => 0,
        };
        self.lines().iter().map(count).sum()
    }

    /// The partitions that the replica owns, according to its last assignment or revocation; `None` before the first one.
    pub fn owned(&self) -> Option<Vec<i64>> {
        let text = self.locked();
        let lines = text.lines().rev().filter(|line| line.contains("owned"));
        let mut values = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let last = values.find(|value| value["owned"].is_array())?;
        last["owned"].as_array().map(|owned| owned.iter().filter_map(Value::as_i64).collect())
    }

    /// Waits until `holds` returns true; `what` names the condition if it does not within the deadline.
    pub fn wait_until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !holds(self) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "timed out waiting for {what}; output of the process:\n{}", self.text());
            let wait = left.min(Duration::from_millis(100));
            drop(self.output.grown.wait_timeout(self.locked(), wait));
        }
    }

    /// Waits for a log line with this message.
    pub fn wait_for(&self, message: &str) {
        self.wait_until(message, |process| !process.with_message(message).is_empty());
    }

    /// Waits for this text anywhere in the output.
    pub fn wait_for_text(&self, text: &str) {
        self.wait_until(text, |process| process.text().contains(text));
    }

    /// Returns whether `holds` stays true for `duration`, to show that something does not happen.
    pub fn stays(&self, duration: Duration, holds: impl Fn(&Self) -> bool) -> bool {
        let end = Instant::now() + duration;
        while Instant::now() < end {
            if !holds(self) {
                return false;
            }
            drop(self.output.grown.wait_timeout(self.locked(), Duration::from_millis(100)));
        }
        holds(self)
    }

    /// Sends a request to the service's HTTP listener, and returns the status and the body. `HTTP_ADDR` must be `127.0.0.1:0`.
    pub fn ask(&self, path: &str) -> (u16, String) {
        let url = format!("http://{}{path}", self.http_address());
        let response = minreq::get(url).with_timeout(DEADLINE.as_secs()).send().expect("the service answers");
        let answer = response.as_str().expect("the answer is text").trim_end().to_owned();
        (response.status_code, answer)
    }

    /// The address of the HTTP listener, from the log.
    pub fn http_address(&self) -> String {
        self.wait_for("health endpoints opened");
        let lines = self.with_message("health endpoints opened");
        lines[0]["address"].as_str().expect("the line has an address").to_owned()
    }

    /// Sends a signal to the process.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("the process exists");
    }

    /// Waits until the process has ended and all its output was read.
    pub fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + DEADLINE;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it is a child of this process") {
                break status;
            }
            assert!(
                Instant::now() < deadline,
                "timed out waiting for the process to end; its output:\n{}",
                self.text()
            );
            drop(self.output.grown.wait_timeout(self.locked(), Duration::from_millis(10)));
        };
        for reader in self.readers.drain(..) {
            reader.join().expect("the reader does not panic");
        }
        status
    }

    /// Sends SIGTERM and waits for the end. Returns the exit code and how long it took.
    pub fn stop(&mut self) -> (Option<i32>, Duration) {
        let start = Instant::now();
        self.signal(Signal::TERM);
        let status = self.wait();
        (status.code(), start.elapsed())
    }

    /// Sends SIGKILL and waits for the end.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.wait();
    }

    /// The arguments of the process, as every user of this machine can see them.
    pub fn command_line(&self) -> String {
        std::fs::read_to_string(format!("/proc/{}/cmdline", self.child.id())).expect("the process exists")
    }

    /// The processor time that the process has used, in the kernel as well, to a hundredth of a second.
    pub fn processor_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("the process exists");
        // The second field is the name of the program in parentheses, which may contain spaces.
        let (_, fields) = stat.rsplit_once(')').expect("it has a name");
        let ticks = fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<f64>().expect("a number"));
        Duration::from_secs_f64(ticks.sum::<f64>() / rustix::param::clock_ticks_per_second() as f64)
    }

    /// The resident memory of the process in bytes.
    pub fn resident_bytes(&self) -> u64 {
        let statm = std::fs::read_to_string(format!("/proc/{}/statm", self.child.id())).expect("the process exists");
        let pages: u64 = statm
            .split(' ')
            .nth(1)
            .and_then(|pages| pages.parse().ok())
            .expect("the second field is a number of pages");
        pages * rustix::param::page_size() as u64
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // This fails if the process has already ended.
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
