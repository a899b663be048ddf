//! The sandbox as a person uses it: started, watched, something killed, ended.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use testbed::{Process, binary};

fn sandbox(arguments: &[&str]) -> Process {
    Process::start(binary("sandbox"), arguments, &[])
}

/// Process ids of the services, as the sandbox shows them.
fn pids(text: &str) -> Vec<Pid> {
    let shown = text.lines().filter_map(|line| line.split_once("kill -9 "));
    shown.filter_map(|(_, pid)| Pid::from_raw(pid.trim().parse().ok()?)).collect()
}

#[test]
fn it_sends_a_count_shows_who_received_what_and_proves_it() {
    let mut sandbox = sandbox(&["--count", "20", "--rate", "10"]);
    assert_eq!(sandbox.wait().code(), Some(0), "{}", sandbox.text());
    let text = sandbox.text();
    for name in ["producer   |", "consumer-1 |", "consumer-2 |"] {
        assert!(text.contains(name), "{text}");
    }
    assert!(text.contains("received 20  different 20"), "{text}");
    assert!(text.contains("verdict: PROVEN"), "{text}");
    assert!(!text.contains('\u{1b}'), "no colours where there is no terminal");
}

#[test]
fn an_interrupt_stops_everything_in_order() {
    let mut sandbox = sandbox(&["--rate", "50", "--consumers", "3"]);
    sandbox.wait_for_text("message received");
    sandbox.signal(Signal::INT);
    assert_eq!(sandbox.wait().code(), Some(0), "{}", sandbox.text());
    assert!(sandbox.text().contains("verdict: PROVEN"), "{}", sandbox.text());
    assert!(!sandbox.text().contains("ERROR"), "{}", sandbox.text());
}

#[test]
fn a_killed_replica_is_replaced_by_the_others_and_nothing_is_lost() {
    let mut sandbox = sandbox(&["--rate", "50"]);
    sandbox.wait_for_text("message received");
    let replica = pids(&sandbox.text())[1];
    kill_process(replica, Signal::KILL).unwrap();
    sandbox.wait_for_text("owned=[0,1,2,3,4,5,6,7,8,9]");
    sandbox.signal(Signal::INT);
    assert_eq!(sandbox.wait().code(), Some(0), "{}", sandbox.text());
    assert!(sandbox.text().contains("SIGKILL"), "{}", sandbox.text());
}

#[test]
fn without_replicas_nothing_is_proven() {
    let mut sandbox = sandbox(&["--count", "3", "--rate", "10", "--consumers", "0"]);
    assert_eq!(sandbox.wait().code(), Some(3), "{}", sandbox.text());
}

#[test]
fn replicas_that_come_too_late_for_the_embedded_broker_are_no_proof() {
    // One partition holds some 50,000 messages: at this rate they are gone before the group has formed.
    let mut sandbox = sandbox(&["--count", "120000", "--rate", "20000", "--partitions", "1", "--consumers", "1"]);
    assert_eq!(sandbox.wait().code(), Some(3), "{}", tail(&sandbox));
    assert!(sandbox.text().contains("the broker forgot"), "{}", tail(&sandbox));
}

fn tail(process: &Process) -> String {
    let text = process.text();
    let lines: Vec<&str> = text.lines().rev().take(20).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}

#[test]
fn a_killed_sandbox_leaves_no_service_behind() {
    let mut sandbox = sandbox(&["--rate", "10"]);
    sandbox.wait_for_text("message received");
    let services = pids(&sandbox.text());
    assert_eq!(services.len(), 3);
    sandbox.signal(Signal::KILL);
    let started = std::time::Instant::now();
    while services.iter().any(|pid| test_kill_process(*pid).is_ok()) {
        assert!(started.elapsed() < Duration::from_secs(15), "services are still there");
        std::thread::yield_now();
    }
    sandbox.wait();
}

#[test]
fn wrong_usage_is_64() {
    for wrong in [&["--rate", "0"][..], &["--rate", "1000000"], &["--consumers", "x"], &["--no-such-option"]] {
        assert_eq!(sandbox(wrong).wait().code(), Some(64), "{wrong:?}");
    }
}
