//! What the commands do.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{ClientConfig, Offset};
use rustix::process::{Pid, test_kill_process};
use serde_json::{Value, json};
use testbed::{BrokerProcess, Process};

use super::tab::{Sandbox, Tab, count, owners, replica};

fn pid(replica: &Value) -> Pid {
    Pid::from_raw(i32::try_from(replica["pid"].as_i64().unwrap()).unwrap()).unwrap()
}

fn acknowledged(tab: &Tab) -> u64 {
    tab.state["producer"]["acknowledged"].as_u64().unwrap()
}

fn wait_for_more_messages(tab: &mut Tab, group: &str) {
    let before = count(&tab.state, group, "received");
    tab.wait_until("more messages", |state| count(state, group, "received") > before + 5);
}

#[test]
fn replicas_are_added_stopped_and_killed_and_the_terminal_says_so() {
    let mut sandbox = Sandbox::start(&["--rate", "20"]);
    let mut tab = sandbox.tab();
    tab.wait_for_group("sandbox");
    tab.done(json!({ "command": "add", "group": "sandbox" }));
    tab.wait_until("a share for each", |state| {
        owners(state, "sandbox").iter().map(ToString::to_string).collect::<BTreeSet<_>>().len() == 3
    });
    tab.done(json!({ "command": "stop", "replica": "consumer-3" }));
    tab.wait_for_replica("consumer-3", "stopped");
    let killed = pid(&replica(&tab.state, "consumer-1"));
    tab.done(json!({ "command": "kill", "replica": "consumer-1" }));
    tab.wait_for_replica("consumer-1", "killed");
    assert!(test_kill_process(killed).is_err(), "the process is there");
    tab.wait_until("consumer-2 to take over", |state| {
        owners(state, "sandbox").iter().all(|owner| owner == "consumer-2")
    });
    for (refused, command) in [
        ("no running replica", json!({ "command": "kill", "replica": "consumer-1" })),
        ("no running replica", json!({ "command": "freeze", "replica": "producer" })),
        ("no group", json!({ "command": "add", "group": "other" })),
    ] {
        let (is_done, text) = tab.call(command);
        assert!(!is_done && text.contains(refused), "{text}");
    }
    assert!(tab.refused(&json!({ "command": "explode", "id": 9 })).contains("not a command"));
    let (code, _) = sandbox.finish();
    assert_eq!(code, Some(0), "{}", sandbox.process.text());
    for line in ["consumer-3 was added", "consumer-3 is asked to stop (SIGTERM)", "consumer-1 is killed (SIGKILL)"] {
        assert!(sandbox.process.text().contains(line), "{line} is missing: {}", sandbox.process.text());
    }
}

#[test]
fn a_replica_that_was_frozen_until_the_others_took_over_repeats_what_is_permitted() {
    let mut sandbox = Sandbox::start(&["--rate", "20"]);
    let mut tab = sandbox.tab();
    tab.wait_for_group("sandbox");
    wait_for_more_messages(&mut tab, "sandbox");
    tab.done(json!({ "command": "freeze", "replica": "consumer-1" }));
    let status = format!("/proc/{}/stat", pid(&replica(&tab.state, "consumer-1")).as_raw_nonzero());
    // The kernel stops a process that is just running a moment later.
    let deadline = Instant::now() + Duration::from_secs(10);
    while !std::fs::read_to_string(&status).unwrap().contains(") T ") {
        assert!(Instant::now() < deadline, "the process is not stopped");
        std::thread::park_timeout(Duration::from_millis(10));
    }
    tab.wait_for_replica("consumer-1", "frozen");
    assert!(!tab.call(json!({ "command": "freeze", "replica": "consumer-1" })).0, "it is frozen already");
    tab.wait_until("consumer-2 to take over", |state| {
        owners(state, "sandbox").iter().all(|owner| owner == "consumer-2")
    });
    wait_for_more_messages(&mut tab, "sandbox");
    tab.done(json!({ "command": "thaw", "replica": "consumer-1" }));
    tab.wait_until("consumer-1 to return", |state| owners(state, "sandbox").iter().any(|owner| owner == "consumer-1"));
    wait_for_more_messages(&mut tab, "sandbox");
    let (code, _) = sandbox.finish();
    assert_eq!(code, Some(0), "{}", sandbox.process.text());
}

#[test]
fn a_stop_thaws_what_is_frozen_and_ends_within_five_seconds() {
    let mut sandbox = Sandbox::start(&["--rate", "10"]);
    let mut tab = sandbox.tab();
    tab.wait_for_group("sandbox");
    wait_for_more_messages(&mut tab, "sandbox");
    tab.done(json!({ "command": "freeze", "replica": "consumer-2" }));
    tab.wait_until("consumer-1 to take over", |state| {
        owners(state, "sandbox").iter().all(|owner| owner == "consumer-1")
    });
    let (code, elapsed) = sandbox.finish();
    assert_eq!(code, Some(0), "{}", sandbox.process.text());
    assert!(elapsed < Duration::from_secs(5), "{elapsed:?}: {}", sandbox.process.text());
}

#[test]
fn a_replica_that_was_just_frozen_stops_cleanly_too() {
    let mut sandbox = Sandbox::start(&["--rate", "10"]);
    let mut tab = sandbox.tab();
    tab.wait_for_group("sandbox");
    wait_for_more_messages(&mut tab, "sandbox");
    tab.done(json!({ "command": "freeze", "replica": "consumer-2" }));
    let (code, elapsed) = sandbox.finish();
    assert_eq!(code, Some(0), "{}", sandbox.process.text());
    assert!(elapsed < Duration::from_secs(5), "{elapsed:?}: {}", sandbox.process.text());
}

#[test]
fn an_outage_of_the_broker_permits_the_repeats_that_it_causes() {
    let mut sandbox = Sandbox::start(&["--rate", "20"]);
    let mut tab = sandbox.tab();
    tab.wait_for_group("sandbox");
    // A service that starts later must not keep the broker's connections open.
    tab.done(json!({ "command": "new-group" }));
    tab.wait_for_group("group-2");
    wait_for_more_messages(&mut tab, "group-2");
    tab.done(json!({ "command": "broker-down" }));
    tab.wait_until("the groups to notice", |state| {
        ["sandbox", "group-2"].iter().all(|group| owners(state, group).iter().all(Value::is_null))
    });
    let before = acknowledged(&tab);
    tab.done(json!({ "command": "broker-up" }));
    tab.wait_for_group("sandbox");
    tab.wait_for_group("group-2");
    tab.wait_until("messages again", |state| state["producer"]["acknowledged"].as_u64().unwrap() > before + 20);
    wait_for_more_messages(&mut tab, "sandbox");
    assert!(tab.events.iter().any(|event| event.contains("forms anew")), "{:?}", tab.events);
    let (code, _) = sandbox.finish();
    assert_eq!(code, Some(0), "{}", sandbox.process.text());
}

#[test]
fn the_producer_changes_its_rate_pauses_and_resumes_in_one_run() {
    let mut sandbox = Sandbox::start(&["--rate", "1"]);
    let mut tab = sandbox.tab();
    tab.wait_for_group("sandbox");
    tab.done(json!({ "command": "rate", "per_sec": 500 }));
    tab.wait_until("many messages", |state| state["producer"]["acknowledged"].as_u64().unwrap() > 1000);
    tab.done(json!({ "command": "pause" }));
    let sent = |process: &Process| process.text().matches("message delivered").count();
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let before = sent(&sandbox.process);
        if sandbox.process.stays(Duration::from_secs(2), |process| sent(process) == before) {
            break;
        }
        assert!(Instant::now() < deadline, "the producer does not pause");
    }
    let paused_at = acknowledged(&tab);
    tab.done(json!({ "command": "resume" }));
    tab.wait_until("more messages", |state| state["producer"]["acknowledged"].as_u64().unwrap() > paused_at + 100);
    for wrong in [0.0, -1.0, 20_001.0] {
        assert!(!tab.call(json!({ "command": "rate", "per_sec": wrong })).0, "{wrong}");
    }
    let (code, _) = sandbox.finish();
    assert_eq!(code, Some(0), "{}", sandbox.process.text());
    assert_eq!(sandbox.process.text().matches("run closed").count(), 1);
}

#[test]
fn auto_offset_reset_has_no_effect_in_a_group_with_offsets_and_decides_in_a_new_one() {
    let mut sandbox = Sandbox::start(&["--rate", "20", "--consumers", "1"]);
    let mut tab = sandbox.tab();
    tab.wait_until("a commit", |state| {
        state["groups"][0]["committed"].as_array().unwrap().iter().any(Value::is_number)
    });
    let text = tab.done(json!({ "command": "add", "group": "sandbox", "reset": "latest" }));
    assert!(text.contains("has no effect"), "{text}");
    tab.done(json!({ "command": "new-group", "reset": "latest" }));
    tab.wait_for_group("group-2");
    wait_for_more_messages(&mut tab, "group-2");
    assert!(count(&tab.state, "group-2", "not_owed") > 0, "{:#?}", tab.state["account"]);
    let (code, _) = sandbox.finish();
    assert_eq!(code, Some(0), "{}", sandbox.process.text());
}

#[test]
fn ten_tabs_see_the_same_and_each_can_command() {
    let mut sandbox = Sandbox::start(&["--rate", "10", "--consumers", "1"]);
    let mut tabs: Vec<Tab> = (0..10).map(|_| sandbox.tab()).collect();
    for (rate, tab) in (1..).zip(&mut tabs) {
        tab.done(json!({ "command": "rate", "per_sec": rate }));
    }
    for tab in &mut tabs {
        tab.wait_until("the last rate", |state| state["producer"]["rate"] == 10.0);
        tab.wait_for_group("sandbox");
    }
    // A tab that does not read holds up nobody.
    let mut reader = tabs.pop().unwrap();
    wait_for_more_messages(&mut reader, "sandbox");
    drop(tabs);
    wait_for_more_messages(&mut reader, "sandbox");
    let (code, _) = sandbox.finish();
    assert_eq!(code, Some(0), "{}", sandbox.process.text());
    while reader.read() {}
    assert_eq!(reader.state["account"]["state"], "proven", "the last frame has the verdict");
}

#[test]
fn a_hostile_payload_arrives_as_text() {
    const HOSTILE: &str = r#"<img src=x onerror="document.title='taken'"></script><script>alert(1)</script>"#;
    let mut sandbox = Sandbox::start(&["--consumers", "1"]);
    let mut tab = sandbox.tab();
    tab.wait_for_group("sandbox");
    let address = tab.state["broker"]["address"].as_str().unwrap().to_owned();
    let producer: BaseProducer = ClientConfig::new().set("bootstrap.servers", &address).create().unwrap();
    producer.send(BaseRecord::<[u8], [u8]>::to("demo").payload(HOSTILE.as_bytes())).unwrap();
    producer.flush(Duration::from_secs(10)).unwrap();
    while !tab.events.iter().any(|event| event.contains(HOSTILE)) {
        assert!(tab.read());
    }
    // A message of another producer is no offence, but nothing acknowledges it either.
    let (code, _) = sandbox.finish();
    assert_eq!(code, Some(0), "{}", sandbox.process.text());
}

#[test]
fn a_story_begins_anew_plays_on_the_page_and_leaves_it_open() {
    let mut sandbox = Sandbox::start(&["--rate", "10", "--consumers", "1"]);
    let mut tab = sandbox.tab();
    tab.wait_for_group("sandbox");
    tab.done(json!({ "command": "story", "name": "share" }));
    tab.wait_until("the proof", |state| state["story"]["proof"].is_string());
    assert_eq!(tab.state["account"]["state"], "proven");
    assert!(!tab.call(json!({ "command": "add", "group": "sandbox" })).0, "it is over");
    tab.done(json!({ "command": "restart" }));
    tab.wait_until("the free sandbox", |state| state["story"].is_null() && state["account"]["is_final"] == false);
    tab.wait_for_group("sandbox");
    wait_for_more_messages(&mut tab, "sandbox");
    let (code, _) = sandbox.finish();
    assert_eq!(code, Some(0), "{}", sandbox.process.text());
}

/// The control of the permits: a repeat without a cause is a violation. A member of the group that the sandbox does not know sets the offsets
/// of its partitions back before it leaves.
#[test]
fn repeats_that_no_kill_freeze_or_outage_explains_are_a_violation() {
    let mut sandbox = Sandbox::start(&["--rate", "20", "--consumers", "1"]);
    let mut tab = sandbox.tab();
    tab.wait_for_group("sandbox");
    // The embedded broker refuses the commits of a rebalance, so that what was not committed before it may be repeated.
    tab.wait_until("a commit in each partition", |state| {
        let committed = state["groups"][0]["committed"].as_array().unwrap();
        committed.iter().all(|offset| offset.as_i64().is_some_and(|offset| offset > 0))
    });
    let address = tab.state["broker"]["address"].as_str().unwrap().to_owned();
    let meddler: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &address)
        .set("group.id", "sandbox")
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("enable.auto.commit", "false")
        .create()
        .unwrap();
    meddler.subscribe(&["demo"]).unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while meddler.assignment().unwrap().count() == 0 {
        assert!(Instant::now() < deadline, "the meddler gets no partition");
        drop(meddler.poll(Duration::from_millis(200)));
    }
    let mut offsets = meddler.assignment().unwrap();
    offsets.set_all_offsets(Offset::Offset(0)).unwrap();
    meddler.commit(&offsets, CommitMode::Sync).unwrap();
    meddler.unsubscribe();
    // It leaves the group only while it is polled, also after a rebalance that is under way. Dropping it may wait for ever.
    std::thread::spawn(move || {
        loop {
            drop(meddler.poll(Duration::from_millis(200)));
        }
    });
    tab.wait_until("the violation", |state| state["account"]["state"] == "violated");
    let (code, _) = sandbox.finish();
    assert_eq!(code, Some(1), "{}", sandbox.process.text());
    assert!(sandbox.process.text().contains("verdict: VIOLATED"), "{}", sandbox.process.text());
}

#[test]
fn the_kafka_that_the_environment_names_is_used_and_not_taken_away() {
    let broker = BrokerProcess::start();
    let mut sandbox = Sandbox::start_with(&["--external", "--rate", "20"], &broker.variables());
    let mut tab = sandbox.tab();
    tab.wait_for_group("sandbox");
    wait_for_more_messages(&mut tab, "sandbox");
    let address = &broker.variables()[0].1;
    assert_eq!(tab.state["broker"], json!({ "is_up": true, "is_own": false, "address": address }));
    for refused in [json!({ "command": "broker-down" }), json!({ "command": "story", "name": "share" })] {
        assert!(!tab.call(refused.clone()).0, "{refused}");
    }
    tab.done(json!({ "command": "new-group" }));
    tab.wait_until("another group", |state| state["groups"].as_array().unwrap().len() == 2);
    let name = tab.state["groups"][1]["name"].as_str().unwrap().to_owned();
    assert!(name.starts_with("sandbox-"), "a name that no earlier sandbox has used: {name}");
    tab.wait_for_group(&name);
    wait_for_more_messages(&mut tab, &name);
    let (code, _) = sandbox.finish();
    assert_eq!(code, Some(0), "{}", sandbox.process.text());
}

#[test]
fn a_replica_that_is_frozen_for_long_is_called_late() {
    let mut sandbox = Sandbox::start(&["--rate", "20", "--consumers", "1"]);
    let mut tab = sandbox.tab();
    tab.wait_for_group("sandbox");
    tab.done(json!({ "command": "freeze", "replica": "consumer-1" }));
    tab.wait_until("the warning", |state| replica(state, "consumer-1")["is_behind"] == true);
    tab.done(json!({ "command": "thaw", "replica": "consumer-1" }));
    tab.wait_until("the end of the warning", |state| replica(state, "consumer-1")["is_behind"] == false);
    let (code, elapsed) = sandbox.finish();
    assert_eq!(code, Some(0), "{elapsed:?} {}", sandbox.process.text());
}
