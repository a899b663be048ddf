//! The model is fed the lines that services write.

use std::time::{Duration, Instant};

use journal::from_line;

use super::*;

struct Feed {
    model: Model,
    now: Instant,
    seq: u64,
}

impl Feed {
    fn new() -> Self {
        let broker = Broker { is_up: true, is_own: true, address: "127.0.0.1:1".to_owned() };
        let mut model = Model::new("demo", 2, broker, Producer::new(1, 1.0));
        let now = Instant::now();
        for (name, pid) in [("a", 2), ("b", 3)] {
            model.add_replica(Replica::new(name, "g", pid, Reset::Earliest), now);
        }
        Self { model, now, seq: 0 }
    }

    fn line(&mut self, service: &str, content: &str) {
        self.seq += 1;
        let text = format!(r#"{{"instance":"{service}","seq":{},"topic":"demo","group_id":"g",{content}}}"#, self.seq);
        self.model.add_line(service, &from_line(&text).unwrap(), self.now);
    }

    fn assigned(&mut self, service: &str, partitions: &[i32]) {
        self.line(
            service,
            &format!(r#""message":"partitions assigned","partitions":{partitions:?},"owned":{partitions:?}"#),
        );
    }

    fn lost(&mut self, service: &str, partitions: &[i32]) {
        self.line(service, &format!(r#""message":"partitions lost","partitions":{partitions:?},"owned":[]"#));
    }

    fn received(&mut self, service: &str, partition: i32, offset: i64) {
        let message = format!(
            r#""message":"message received","num":{offset},"ts":"t","partition":{partition},"offset":{offset}"#
        );
        self.line(service, &message);
    }

    fn committed(&mut self, partition: i32, committed: i64) {
        let state = PartitionState { group: "g".to_owned(), partition, oldest: 0, end: 0, committed: Some(committed) };
        self.model.add_state(&state);
    }

    /// Permitted repeats that came, and those that nothing permits.
    fn repeats(&self) -> (u64, u64) {
        let group = self.model.group("g").unwrap();
        (group.permitted, group.not_permitted)
    }
}

#[test]
fn a_kill_permits_the_repeats_of_what_was_not_committed_and_no_others() {
    let mut feed = Feed::new();
    feed.assigned("a", &[0]);
    feed.assigned("b", &[1]);
    for offset in 0..5 {
        feed.received("a", 0, offset);
        feed.received("b", 1, offset);
    }
    feed.committed(0, 3);
    feed.model.end_replica("a", ReplicaState::Killed, feed.now);
    feed.assigned("b", &[0]);
    feed.received("b", 0, 3);
    feed.received("b", 0, 4);
    assert_eq!(feed.repeats(), (2, 0));
    feed.received("b", 0, 2);
    feed.received("b", 1, 4);
    assert_eq!(feed.repeats(), (2, 2), "offset 2 was committed, and partition 1 was not lost");
}

#[test]
fn a_partition_that_was_given_up_may_repeat_only_what_the_broker_did_not_let_its_owner_commit() {
    let mut feed = Feed::new();
    feed.assigned("a", &[0]);
    (0..3).for_each(|offset| feed.received("a", 0, offset));
    feed.committed(0, 2);
    feed.line("a", r#""message":"partitions revoked","partitions":[0],"owned":[]"#);
    feed.assigned("b", &[0]);
    feed.received("b", 0, 2);
    assert_eq!(feed.repeats(), (1, 0));
    feed.received("b", 0, 1);
    assert_eq!(feed.repeats(), (1, 1), "offset 1 was committed");
}

#[test]
fn a_replica_that_the_group_drops_without_a_cause_permits_nothing() {
    let mut feed = Feed::new();
    feed.assigned("a", &[0]);
    feed.received("a", 0, 0);
    feed.assigned("b", &[0]);
    feed.received("b", 0, 0);
    assert_eq!(feed.repeats(), (0, 1));
}

#[test]
fn a_frozen_replica_whose_partitions_were_taken_over_may_repeat_and_be_repeated() {
    let mut feed = Feed::new();
    feed.assigned("a", &[0]);
    feed.received("a", 0, 0);
    assert!(feed.model.set_frozen("a", true, feed.now));
    feed.assigned("b", &[0]);
    feed.received("b", 0, 0);
    feed.received("b", 0, 1);
    assert!(feed.model.set_frozen("a", false, feed.now));
    feed.received("a", 0, 1);
    feed.received("a", 0, 2);
    feed.lost("a", &[0]);
    feed.received("b", 0, 2);
    assert_eq!(feed.repeats(), (3, 0));
    assert_eq!(feed.model.group("g").unwrap().owner(0), Some("b"));
    feed.now += AFTERMATH;
    feed.received("a", 0, 2);
    assert_eq!(feed.repeats(), (3, 1), "the freeze is long over");
}

#[test]
fn an_outage_permits_the_repeats_of_the_partitions_that_are_lost_by_it() {
    let mut feed = Feed::new();
    feed.assigned("a", &[0]);
    feed.assigned("b", &[1]);
    feed.model.set_broker(false, feed.now);
    feed.received("a", 0, 0);
    feed.received("b", 1, 0);
    feed.model.set_broker(true, feed.now);
    feed.lost("a", &[0]);
    feed.assigned("b", &[0]);
    feed.received("b", 0, 0);
    assert_eq!(feed.repeats(), (1, 0));
    feed.received("b", 1, 0);
    assert_eq!(feed.repeats(), (1, 1), "partition 1 was not lost");
}

#[test]
fn a_replica_is_behind_when_it_has_not_received_what_is_five_seconds_old() {
    let mut feed = Feed::new();
    feed.assigned("a", &[0, 1]);
    feed.model.topic.extend(0, 1);
    let start = feed.now;
    for second in 0..5 {
        feed.model.tick(start + Duration::from_secs(second));
        assert!(!feed.model.replica("a").unwrap().is_behind, "{second}");
    }
    feed.model.tick(start + Duration::from_secs(5));
    assert!(feed.model.replica("a").unwrap().is_behind);
    feed.received("a", 0, 0);
    feed.model.tick(start + Duration::from_secs(6));
    assert!(!feed.model.replica("a").unwrap().is_behind);
}

#[test]
fn a_delta_has_only_what_has_changed_and_a_snapshot_has_everything() {
    let mut feed = Feed::new();
    let mut frames = Frames::default();
    let sections = feed.model.sections();
    assert!(frames.delta(&mut feed.model, sections).is_some());
    let sections = feed.model.sections();
    assert_eq!(frames.delta(&mut feed.model, sections), None);
    feed.received("a", 0, 0);
    let sections = feed.model.sections();
    let delta: serde_json::Value = serde_json::from_str(&frames.delta(&mut feed.model, sections).unwrap()).unwrap();
    let names: Vec<&str> = delta.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["groups", "replicas", "topic", "traffic", "type"]);
    let snapshot: serde_json::Value =
        serde_json::from_str(&frames.snapshot(&feed.model, feed.model.sections())).unwrap();
    assert_eq!(snapshot["replicas"][0]["received"], 1);
    assert_eq!(snapshot["producer"]["state"], "running");
}

#[test]
fn the_size_of_a_frame_does_not_depend_on_the_number_of_messages() {
    let mut feed = Feed::new();
    feed.assigned("a", &[0, 1]);
    for offset in 0..5_000 {
        feed.received("a", 0, offset);
    }
    let sections = feed.model.sections();
    let length = Frames::default().delta(&mut feed.model, sections).unwrap().len();
    assert!(length < 5_000, "{length} bytes");
}
