//! The timeline: sessions, processes, and lines that come in any order or twice.

use audit::{Lines, Time, Timeline, TimelineReport, each_line};

/// Lines of one replica, each with its own number and second.
fn replica(instance: &str, lines: &[(i64, &str)]) -> Vec<String> {
    let line = |(seq, (second, content)): (usize, &(i64, &str))| {
        format!(
            r#"{{"timestamp":"2026-11-22T10:00:{second:02}.000Z","level":"INFO",{content},"instance":"{instance}","account":true,"seq":{seq}}}"#
        )
    };
    lines.iter().enumerate().map(line).collect()
}

const START: &str = r#""message":"service starting","service":"consumer-svc","version":"1","topic":"t","group_id":"g""#;
const STOP: &str = r#""message":"service stopped","exit_code":0,"reason":"signal","count":0"#;
const ASSIGNED: &str = r#""message":"partitions assigned","topic":"t","group_id":"g","partitions":[0,1],"owned":[0,1],"begin":{"committed":[[0,7]],"earliest":[[1,0]]}"#;
const REVOKED: &str =
    r#""message":"partitions revoked","topic":"t","group_id":"g","partitions":[1],"owned":[0],"positions":[[1,5]]"#;
const RECEIVED: &str = r#""message":"message received","num":0,"ts":"x","topic":"t","partition":0,"offset":7,"latency_ms":2.0,"group_id":"g""#;
const RESET: &str =
    r#""message":"position reset","topic":"t","group_id":"g","partition":0,"from":8,"to":20,"log_start":20"#;

fn timeline(lines: impl IntoIterator<Item = String>) -> TimelineReport {
    let mut timeline = Timeline::default();
    for line in lines {
        let mut read = Lines::default();
        each_line(line.as_bytes(), &mut read, |line| timeline.add(line)).expect("memory can be read");
        assert_eq!(read.read, 1, "{line}");
    }
    timeline.report()
}

fn second(time: Time) -> i64 {
    (time.0 / 1000) % 60
}

#[test]
fn sessions_begin_with_an_assignment_and_end_with_a_revocation_the_stop_or_the_last_line() {
    let mut lines = replica("a", &[(0, START), (1, ASSIGNED), (3, REVOKED), (4, RECEIVED), (9, STOP)]);
    lines.extend(replica("b", &[(0, START), (4, ASSIGNED), (5, RECEIVED), (6, RESET)]));
    let report = timeline(lines.clone());
    let sessions: Vec<_> = report
        .sessions
        .iter()
        .map(|session| {
            let times = (second(session.begin), second(session.end));
            (session.instance.as_str(), session.partition, times, session.begin_reason, session.end_reason)
        })
        .collect();
    let expected = [
        ("a", 0, (1, 9), "committed", "stopped"),
        ("b", 0, (4, 6), "committed", "not logged"),
        ("a", 1, (1, 3), "earliest", "revoked"),
        ("b", 1, (4, 6), "earliest", "not logged"),
    ];
    assert_eq!(sessions, expected);
    assert_eq!((report.sessions[0].begin_offset, report.sessions[2].end_offset), (Some(7), Some(5)));
    assert_eq!(report.rebalances.len(), 3);
    assert_eq!((report.resets.len(), report.resets[0].to), (1, 20));
    assert_eq!(report.processes.iter().filter(|process| process.stopped.is_some()).count(), 1);

    lines.extend(lines.clone());
    lines.reverse();
    assert_eq!(timeline(lines), report, "in reverse order, and each line twice");
}

#[test]
fn a_clock_that_is_set_back_and_lines_without_a_time_are_counted() {
    let mut lines = replica("a", &[(0, START), (30, RECEIVED), (2, STOP)]);
    lines.push(replica("b", &[(0, START)]).remove(0).replace("2026-11-22T10:00:00.000Z", "yesterday"));
    let report = timeline(lines);
    assert_eq!((report.clock_steps_back, report.lines_without_time), (1, 1));
    assert_eq!(report.processes.len(), 1);
}

#[test]
fn more_processes_sessions_and_groups_than_can_be_shown_are_counted_and_do_not_fill_the_memory() {
    let mut timeline = Timeline::default();
    let mut take = |text: &str| {
        each_line(text.as_bytes(), &mut Lines::default(), |line| timeline.add(line)).expect("memory can be read");
    };
    for number in 0..60_000 {
        take(
            &replica(&format!("{:016x}", number % 6_000), &[(1, ASSIGNED)])[0]
                .replace("\"seq\":0", &format!("\"seq\":{}", number / 6_000)),
        );
    }
    for number in 0..100 {
        take(&replica(&format!("g{number}"), &[(1, &RECEIVED.replace("\"g\"", &format!("\"g{number}\"")))])[0]);
    }
    let report = timeline.report();
    assert_eq!(report.processes.len(), 5_000);
    assert!(report.sessions.len() <= 50_000);
    assert_eq!(report.latencies.len(), 32);
    assert!(report.lines_not_shown > 10_000);
}
