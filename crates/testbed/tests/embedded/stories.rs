//! The sandbox's stories without a browser: each plays with real processes and proves what it claims.

use rustix::process::Signal;
use testbed::{Process, binary};

fn play(name: &str) -> String {
    let mut story = Process::start(binary("sandbox"), &["story", name, "--no-page"], &[]);
    assert_eq!(story.wait().code(), Some(0), "{}", story.text());
    let text = story.text();
    assert!(text.contains("\nproof: "), "{text}");
    assert!(text.contains("\nverdict: PROVEN"), "{text}");
    text
}

#[test]
fn two_replicas_share_the_messages() {
    play("share");
}

#[test]
fn what_a_group_has_read_is_not_read_again() {
    play("restart");
}

#[test]
fn another_group_reads_everything() {
    play("groups");
}

#[test]
fn auto_offset_reset_matters_only_without_a_committed_offset() {
    play("reset");
}

#[test]
fn partitions_are_shared_by_one_two_three_ten_and_eleven_replicas() {
    play("partitions");
}

#[test]
fn a_kill_repeats_messages_and_loses_none() {
    play("kill");
}

#[test]
fn a_story_that_is_interrupted_proves_nothing() {
    let mut story = Process::start(binary("sandbox"), &["story", "share", "--no-page"], &[]);
    story.wait_for_text("message received");
    story.signal(Signal::INT);
    assert_eq!(story.wait().code(), Some(1), "{}", story.text());
    assert!(story.text().contains("failure: the story was not played to its end"), "{}", story.text());
    assert!(!story.text().contains("\nproof: "), "{}", story.text());
}

#[test]
fn an_unknown_story_is_wrong_usage_and_the_known_ones_are_listed() {
    let mut story = Process::start(binary("sandbox"), &["story", "none"], &[]);
    assert_eq!(story.wait().code(), Some(64), "{}", story.text());
    for name in ["share", "restart", "groups", "reset", "partitions", "kill"] {
        assert!(story.text().contains(name), "{}", story.text());
    }
}
