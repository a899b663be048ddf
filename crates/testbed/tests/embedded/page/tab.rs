//! A tab of the page, as a browser would have it open: the frames that it gets, and the commands that it sends.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Map, Value, json};
use testbed::{Process, binary};
use tungstenite::client::IntoClientRequest as _;
use tungstenite::{Message, WebSocket};

const DEADLINE: Duration = Duration::from_secs(60);

/// A running sandbox and the link to its page.
pub(crate) struct Sandbox {
    pub(crate) process: Process,
    pub(crate) address: String,
    pub(crate) token: String,
}

impl Sandbox {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, &[])
    }

    /// With environment variables.
    pub(crate) fn start_with(arguments: &[&str], variables: &[(String, String)]) -> Self {
        let process = Process::start(binary("sandbox"), arguments, variables);
        process.wait_for_text("/#token=");
        let text = process.text();
        let (_, link) = text.split_once("http://").expect("a link is printed");
        let (address, token) = link.split_whitespace().next().unwrap().split_once("/#token=").unwrap();
        Self { address: address.to_owned(), token: token.to_owned(), process }
    }

    pub(crate) fn tab(&self) -> Tab {
        let mut tab = Tab::connect(&self.address, &self.address, &format!("http://{}", self.address)).unwrap();
        tab.send(&json!({ "token": self.token }));
        tab.wait_until("the snapshot", |state| state.contains_key("topic"));
        tab
    }

    /// Interrupts the sandbox. Returns its exit code and how long it took to end.
    pub(crate) fn finish(&mut self) -> (Option<i32>, Duration) {
        let start = Instant::now();
        self.process.signal(Signal::INT);
        let code = self.process.wait().code();
        (code, start.elapsed())
    }
}

pub(crate) struct Tab {
    socket: WebSocket<TcpStream>,
    /// The sections of all frames so far.
    pub(crate) state: Map<String, Value>,
    /// The texts of all events so far.
    pub(crate) events: Vec<String>,
    answers: Vec<Value>,
    calls: u64,
}

impl Tab {
    pub(crate) fn connect(address: &str, host: &str, origin: &str) -> Result<Self, String> {
        let stream = TcpStream::connect(address).expect("the sandbox listens");
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut request = format!("ws://{address}/events").into_client_request().unwrap();
        request.headers_mut().insert("host", host.parse().unwrap());
        if !origin.is_empty() {
            request.headers_mut().insert("origin", origin.parse().unwrap());
        }
        let (socket, _) = tungstenite::client(request, stream).map_err(|error| error.to_string())?;
        Ok(Self { socket, state: Map::new(), events: Vec::new(), answers: Vec::new(), calls: 0 })
    }

    pub(crate) fn send(&mut self, message: &Value) {
        self.socket.send(Message::text(message.to_string())).expect("the socket is open");
    }

    /// Reads the next message. Returns whether the socket is still open.
    pub(crate) fn read(&mut self) -> bool {
        let Ok(message) = self.socket.read() else { return false };
        let Message::Text(text) = message else { return !message.is_close() };
        let Value::Object(frame) = serde_json::from_str(&text).expect("a message is JSON") else { panic!("{text}") };
        if frame["type"] == "answer" {
            self.answers.push(frame.into());
            return true;
        }
        if let Some(Value::Array(events)) = frame.get("events") {
            self.events.extend(events.iter().map(|event| event["text"].as_str().unwrap().to_owned()));
        }
        self.state.extend(frame);
        true
    }

    pub(crate) fn wait_until(&mut self, what: &str, holds: impl Fn(&Map<String, Value>) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !holds(&self.state) {
            assert!(Instant::now() < deadline, "timed out waiting for {what}: {:#?} {:#?}", self.state, self.events);
            assert!(self.read(), "the socket was closed while waiting for {what}");
        }
    }

    /// Sends a command. Returns whether it was carried out, and what the sandbox says about it.
    pub(crate) fn call(&mut self, mut command: Value) -> (bool, String) {
        self.calls += 1;
        command["id"] = self.calls.into();
        self.send(&command);
        loop {
            if let Some(answer) = self.answers.iter().find(|answer| answer["id"] == self.calls) {
                return (answer["is_done"] == true, answer["text"].as_str().unwrap().to_owned());
            }
            assert!(self.read(), "the socket was closed while waiting for an answer");
        }
    }

    /// Sends a command that must be carried out.
    pub(crate) fn done(&mut self, command: Value) -> String {
        let (is_done, text) = self.call(command.clone());
        assert!(is_done, "{command}: {text}");
        text
    }

    /// Sends something that is no command. Returns the refusal.
    pub(crate) fn refused(&mut self, message: &Value) -> String {
        self.send(message);
        while self.answers.last().is_none_or(|answer| !answer["id"].is_null()) {
            assert!(self.read(), "the socket was closed while waiting for a refusal");
        }
        self.answers.pop().unwrap()["text"].as_str().unwrap().to_owned()
    }

    pub(crate) fn wait_for_group(&mut self, group: &str) {
        self.wait_until("the group to form", |state| owners(state, group).iter().all(|owner| owner.is_string()));
    }

    pub(crate) fn wait_for_replica(&mut self, name: &str, wanted: &str) {
        self.wait_until(&format!("{name} to be {wanted}"), |state| replica(state, name)["state"] == wanted);
    }
}

/// The owner of each partition.
pub(crate) fn owners(state: &Map<String, Value>, group: &str) -> Vec<Value> {
    let groups = state["groups"].as_array().unwrap();
    let group = groups.iter().find(|known| known["name"] == group);
    group.map_or(vec![Value::Null], |group| group["owners"].as_array().unwrap().clone())
}

pub(crate) fn replica(state: &Map<String, Value>, name: &str) -> Value {
    let replicas = state["replicas"].as_array().unwrap();
    replicas.iter().find(|replica| replica["name"] == name).cloned().unwrap_or_default()
}

/// A count of a group in the account.
pub(crate) fn count(state: &Map<String, Value>, group: &str, name: &str) -> u64 {
    let groups = state["account"]["groups"].as_array().unwrap();
    groups.iter().find(|known| known["name"] == group).and_then(|group| group[name].as_u64()).unwrap_or(0)
}
