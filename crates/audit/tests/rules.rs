//! The rules of the account, one by one. Every report is computed from the lines in both orders.

#[path = "rules/evidence.rs"]
mod evidence;

use audit::{Account, Class, Options, Verdict, each_line};
use message::RunId;

use crate::evidence::Evidence;

#[test]
fn everything_received_once_is_proven() {
    let evidence = Evidence::new().acknowledged([0, 99], [1, 100]).closed(100, 0, 0, 100);
    let report = evidence.received("a", [0, 49], [1, 50]).received("b", [50, 99], [51, 100]).report();
    assert_eq!(report.verdict(0), Verdict::Proven, "{report}");
}

#[test]
fn messages_below_the_last_received_offset_are_missing_and_those_above_are_in_flight() {
    let evidence = Evidence::new().acknowledged([0, 99], [1, 100]).closed(100, 0, 0, 100);
    let report = evidence.received("a", [0, 49], [1, 50]).received("a", [60, 89], [61, 90]).report();
    assert_eq!(report.verdict(0), Verdict::Violated);
    assert_eq!((report.groups[0].count(Class::Missing), report.groups[0].in_flight), (10, 10));

    let evidence = Evidence::new().acknowledged([0, 99], [1, 100]).closed(100, 0, 0, 100);
    let report = evidence.received("a", [0, 89], [1, 90]).report();
    assert_eq!(report.verdict(0), Verdict::Insufficient, "{report}");
}

#[test]
fn each_repeat_counts_against_the_limit() {
    let evidence = Evidence::new().acknowledged([0, 9], [1, 10]).closed(10, 0, 0, 10);
    let report = evidence.received("a", [0, 9], [1, 10]).received("b", [5, 7], [6, 8]).report();
    assert_eq!(report.groups[0].count(Class::Repeated), 3);
    assert_eq!((report.verdict(2), report.verdict(3)), (Verdict::Violated, Verdict::Proven), "{report}");
}

#[test]
fn a_message_at_two_offsets_was_produced_twice() {
    let evidence = Evidence::new().acknowledged([0, 9], [1, 10]).closed(10, 0, 0, 10);
    let report = evidence.received("a", [0, 9], [1, 10]).received("a", [10, 10], [4, 4]).report();
    assert_eq!((report.groups[0].count(Class::ProducedTwice), report.groups[0].count(Class::Repeated)), (1, 0));
    assert_eq!(report.verdict(u64::MAX), Verdict::Violated);
}

#[test]
fn a_received_message_is_a_phantom_if_it_was_rejected_but_not_if_its_outcome_was_unknown() {
    let evidence = || {
        Evidence::new()
            .acknowledged([0, 7], [1, 8])
            .not_delivered("rejected", [9, 9])
            .not_delivered("unknown", [10, 10])
    };
    let report = evidence().closed(8, 1, 1, 10).received("a", [0, 7], [1, 8]).report();
    assert_eq!(report.verdict(0), Verdict::Proven, "neither message has to arrive: {report}");
    let report = evidence().closed(8, 1, 1, 10).received("a", [0, 7], [1, 8]).received("a", [8, 8], [10, 10]).report();
    assert_eq!((report.verdict(0), report.groups[0].unknown), (Verdict::Proven, 1), "{report}");
    let report = evidence().closed(8, 1, 1, 10).received("a", [0, 7], [1, 8]).received("a", [8, 8], [9, 9]).report();
    assert_eq!((report.verdict(0), report.groups[0].count(Class::Phantom)), (Verdict::Violated, 1), "{report}");
}

#[test]
fn a_message_beyond_the_end_of_a_run_is_a_phantom_if_the_run_was_closed_and_unknown_if_it_was_killed() {
    let evidence = || Evidence::new().acknowledged([0, 9], [1, 10]);
    let report = evidence().closed(10, 0, 0, 10).received("a", [0, 10], [1, 11]).report();
    assert_eq!((report.verdict(0), report.groups[0].count(Class::Phantom)), (Verdict::Violated, 1), "{report}");
    let report = evidence().received("a", [0, 10], [1, 11]).report();
    assert_eq!((report.verdict(0), report.groups[0].unknown), (Verdict::Proven, 1), "{report}");
    let report = evidence().closed_in_part(10, 10).received("a", [0, 10], [1, 11]).report();
    assert_eq!((report.verdict(0), report.groups[0].unknown), (Verdict::Proven, 1), "as if it was killed: {report}");
}

#[test]
fn a_foreign_message_is_identified_by_its_offset() {
    let foreign = r#"{"partition":0,"offset":[10,10]}"#;
    let evidence = || Evidence::new().acknowledged([0, 9], [1, 10]).closed(10, 0, 0, 10).received("a", [0, 9], [1, 10]);
    let report = evidence().received_range("a", foreign).report();
    assert_eq!((report.verdict(0), report.groups[0].foreign), (Verdict::Proven, 1), "{report}");
    let report = evidence().received_range("a", foreign).received_range("b", foreign).report();
    assert_eq!((report.verdict(0), report.groups[0].count(Class::Repeated)), (Verdict::Violated, 1));
}

#[test]
fn counts_that_disagree_and_missing_lines_prove_nothing() {
    let one_acknowledgement_short = Evidence::new().acknowledged([0, 8], [1, 9]).closed(10, 0, 0, 10);
    let report = one_acknowledgement_short.received("a", [0, 9], [1, 10]).report();
    assert_eq!(report.verdict(0), Verdict::Insufficient, "{report}");
    let evidence = || Evidence::new().acknowledged([0, 9], [1, 10]).closed(10, 0, 0, 10).received("a", [0, 9], [1, 10]);
    assert_eq!(evidence().report().verdict(0), Verdict::Proven);
    for (instance, seq) in [("p", 0), ("p", 1), ("a", 0), ("a", 1)] {
        let report = evidence().without_line(instance, seq).report();
        assert_eq!(report.verdict(0), Verdict::Insufficient, "{report}");
        assert!(report.to_string().contains("are missing"), "{report}");
    }
}

#[test]
fn a_message_that_only_a_missing_line_could_show_is_a_doubt_and_no_violation() {
    let evidence = || {
        let evidence = Evidence::new().acknowledged([0, 99], [1, 100]).closed(100, 0, 0, 100);
        evidence.received("a", [0, 49], [1, 50]).received("a", [50, 59], [51, 60]).received("a", [60, 99], [61, 100])
    };
    let report = evidence().stopped("a", 100).without_line("a", 3).report();
    assert_eq!((report.verdict(0), report.groups[0].count(Class::Missing)), (Verdict::Insufficient, 0), "{report}");
    assert_eq!(report.groups[0].not_shown, 10);
    // A repeat rests on lines that are there.
    let report = evidence().received("b", [5, 5], [6, 6]).without_line("a", 3).report();
    assert_eq!((report.verdict(0), report.groups[0].count(Class::Repeated)), (Verdict::Violated, 1), "{report}");
}

#[test]
fn a_message_that_a_session_passed_over_is_missing_whatever_else_may_not_be_here() {
    let evidence = Evidence::new().acknowledged([0, 99], [1, 100]).closed(100, 0, 0, 100);
    let evidence = evidence.received("a", [0, 49], [1, 50]).received("a", [60, 99], [61, 100]);
    let report = evidence.report_of_partial_evidence();
    assert_eq!((report.verdict(0), report.groups[0].count(Class::Missing)), (Verdict::Violated, 10), "{report}");
    // Also the last messages of a session that has ended.
    let evidence = Evidence::new().acknowledged([0, 9], [1, 10]).closed(10, 0, 0, 10).received("a", [0, 7], [1, 8]);
    let report = evidence.ended("a", 10).report_of_partial_evidence();
    assert_eq!((report.verdict(0), report.groups[0].count(Class::Missing)), (Verdict::Violated, 2), "{report}");
}

#[test]
fn messages_between_two_sessions_are_skipped_if_the_evidence_is_complete_and_a_doubt_otherwise() {
    let evidence = Evidence::without_sessions().acknowledged([0, 99], [1, 100]).closed(100, 0, 0, 100);
    let evidence = evidence.begun("a", "earliest", 0).received("a", [0, 49], [1, 50]);
    let evidence = |start| evidence.clone().begun("b", start, 60).received("b", [60, 99], [61, 100]).stopped("b", 40);
    // Either `a`, which has no last line, or a third replica may have received the ten messages in between.
    for evidence in [evidence("committed"), evidence("latest").ended("a", 50).stopped("a", 50)] {
        let report = evidence.report_of_partial_evidence();
        assert_eq!((report.verdict(0), report.groups[0].not_shown), (Verdict::Insufficient, 10), "{report}");
        assert!(report.to_string().contains("ended at 50, and replica b began at 60"), "{report}");
        assert!(report.to_string().contains("--complete"), "{report}");
        let report = evidence.report();
        assert_eq!((report.verdict(0), report.groups[0].count(Class::Skipped)), (Verdict::Violated, 10), "{report}");
    }
    // The log began at 60 by then.
    let report = evidence("earliest").report();
    assert_eq!((report.verdict(0), report.groups[0].count(Class::Expired)), (Verdict::Violated, 10), "{report}");
    assert_eq!(evidence("earliest").report_of_partial_evidence().verdict(0), Verdict::Insufficient);
}

#[test]
fn messages_that_the_broker_deleted_in_the_middle_of_a_session_have_expired() {
    let evidence = Evidence::new().acknowledged([0, 99], [1, 100]).closed(100, 0, 0, 100);
    let evidence = evidence.received("a", [0, 49], [1, 50]).reset("a", 50, 60, 60).received("a", [60, 99], [61, 100]);
    let report = evidence.report();
    assert_eq!((report.verdict(0), report.groups[0].count(Class::Expired)), (Verdict::Violated, 10), "{report}");
    assert_eq!(report.groups[0].count(Class::Missing), 0, "{report}");
    // Another replica may have received them before, and may have been killed before it committed their offsets.
    assert_eq!(evidence.report_of_partial_evidence().verdict(0), Verdict::Insufficient);
}

#[test]
fn what_lies_before_the_first_session_depends_on_why_it_begins_there() {
    let evidence = Evidence::without_sessions().acknowledged([0, 99], [1, 100]).closed(100, 0, 0, 100);
    let report = |start, options| {
        evidence.clone().begun("a", start, 40).received("a", [40, 99], [41, 100]).stopped("a", 60).report_of(&options)
    };
    let latest = report("latest", Options::default());
    assert_eq!((latest.verdict(0), latest.groups[0].not_owed), (Verdict::Proven, 40), "{latest}");
    let earliest = report("earliest", Options::default());
    assert_eq!((earliest.verdict(0), earliest.groups[0].expired_before), (Verdict::Proven, 40), "{earliest}");
    let committed = report("committed", Options::complete());
    assert_eq!((committed.verdict(0), committed.groups[0].not_shown), (Verdict::Insufficient, 40), "{committed}");
    assert!(committed.to_string().contains("pass --from-here"), "{committed}");
    let from_here = report("committed", Options { is_from_here: true, ..Options::default() });
    assert_eq!((from_here.verdict(0), from_here.groups[0].not_judged), (Verdict::Proven, 40), "{from_here}");
}

#[test]
fn a_group_that_was_owed_nothing_proves_nothing_unless_another_group_was_owed_something() {
    let evidence = Evidence::without_sessions().acknowledged([0, 9], [1, 10]).closed(10, 0, 0, 10);
    let mut evidence = evidence.begun("a", "latest", 10).stopped("a", 0).stopped("b", 0);
    let report = evidence.report();
    assert_eq!((report.verdict(0), report.groups[0].not_owed), (Verdict::Insufficient, 10), "{report}");
    let other = r#""group_id":"h","topic":"t""#;
    evidence.line("c", &format!(r#""message":"service starting","service":"consumer-svc","version":"1",{other}"#));
    let begin = r#""partitions":[0],"owned":[0],"begin":{"earliest":[[0,0]]}"#;
    evidence.line("c", &format!(r#""message":"partitions assigned",{other},{begin}"#));
    let (range, latency) = (evidence.range([0, 9], [1, 10]), r#"{"p50":0,"p99":0,"max":0}"#);
    evidence.line("c", &format!(r#""message":"messages received","count":10,"rate_per_sec":0,"latency_ms":{latency},{other},"ranges":[{range}]"#));
    let report = evidence.report();
    assert_eq!(report.verdict(0), Verdict::Proven, "{report}");
    let only = |group: &str| Options { group: Some(group.to_owned()), ..Options::complete() };
    assert_eq!(evidence.report_of(&only("g")).verdict(0), Verdict::Insufficient);
    assert_eq!(evidence.report_of(&only("h")).verdict(0), Verdict::Proven);
}

#[test]
fn evidence_that_begins_in_the_middle_is_judged_from_there() {
    let evidence = Evidence::new().acknowledged([0, 49], [1, 50]).acknowledged([50, 99], [51, 100]);
    let evidence = evidence.closed(100, 0, 0, 100).stopped("p", 100);
    let evidence = evidence.received("a", [0, 59], [1, 60]).received("a", [60, 99], [61, 100]).ended("a", 100);
    let cut = |evidence: Evidence, instance, lines: usize| {
        (0..lines).fold(evidence, |evidence, seq| evidence.without_line(instance, seq))
    };
    let from_here = Options { is_from_here: true, ..Options::default() };
    let whole = evidence.stopped("a", 100).stopped("b", 0);
    assert_eq!(whole.report_of(&from_here).verdict(0), Verdict::Proven);
    for cut in [cut(whole.clone(), "p", 2), cut(whole.clone(), "a", 3), cut(cut(whole.clone(), "p", 2), "a", 3)] {
        assert_eq!(cut.report_of_partial_evidence().verdict(0), Verdict::Insufficient);
        let report = cut.report_of(&from_here);
        assert_eq!(report.verdict(0), Verdict::Proven, "{report}");
        // The line that is now missing lies behind the beginning.
        let report = cut.without_line("a", 3).report_of(&from_here);
        assert_eq!(report.verdict(0), Verdict::Insufficient, "{report}");
    }
}

#[test]
fn a_replica_that_does_not_say_where_it_began_proves_nothing() {
    let evidence = Evidence::without_sessions().acknowledged([0, 9], [1, 10]).closed(10, 0, 0, 10);
    let report = evidence.received("a", [0, 9], [1, 10]).report();
    assert_eq!(report.verdict(0), Verdict::Insufficient, "{report}");
    assert!(report.to_string().contains("says where it began"), "{report}");
}

#[test]
fn a_number_that_comes_again_with_another_content_is_a_doubt() {
    let evidence = Evidence::new().acknowledged([0, 9], [1, 10]).closed(10, 0, 0, 10).received("a", [0, 9], [1, 10]);
    let forged = evidence.lines.last().expect("the line of `a`").replace("[0, 9]", "[20, 29]");
    let mut account = Account::new(Options::complete());
    let mut read = |text: &str| {
        each_line(text.as_bytes(), &mut audit::Lines::default(), |line| account.add(line)).expect("memory can be read");
        account.report().verdict(0)
    };
    assert_eq!(read(&evidence.lines.join("\n")), Verdict::Proven);
    assert_eq!(read(&forged), Verdict::Insufficient);
}

#[test]
fn nothing_acknowledged_is_nothing_proven() {
    let report = Evidence::new().closed(0, 0, 0, 0).report();
    assert_eq!(report.verdict(0), Verdict::Insufficient, "{report}");
}

#[test]
fn a_group_is_judged_on_the_topics_that_it_reads() {
    let mut evidence =
        Evidence::new().acknowledged([0, 9], [1, 10]).closed(10, 0, 0, 10).received("a", [0, 9], [1, 10]);
    let (run, other) = (RunId::new(), r#""topic":"other""#);
    let range = format!(r#""ranges":[{{"partition":0,"offset":[0,4],"run":"{run}","pseq":[1,5]}}]"#);
    let latency = r#""rate_per_sec":0,"latency_ms":{"p50":0,"p99":0,"max":0}"#;
    evidence.line(
        "q",
        &format!(r#""message":"service starting","service":"producer-svc","version":"1",{other},"run":"{run}""#),
    );
    evidence.line(
        "q",
        &format!(r#""message":"messages delivered","count":5,{latency},"outstanding":0,{other},"run":"{run}",{range}"#),
    );
    let report = evidence.report();
    assert_eq!((report.verdict(0), report.groups[0].in_flight), (Verdict::Insufficient, 0), "{report}");
    assert!(report.to_string().contains("no group here reads that topic"), "{report}");
    evidence.line(
        "c",
        &format!(r#""message":"service starting","service":"consumer-svc","version":"1",{other},"group_id":"h""#),
    );
    let begin = r#""partitions":[0],"owned":[0],"begin":{"earliest":[[0,0]]}"#;
    evidence.line("c", &format!(r#""message":"partitions assigned",{other},"group_id":"h",{begin}"#));
    evidence.line("c", &format!(r#""message":"messages received","count":5,{latency},{other},"group_id":"h",{range}"#));
    let report = evidence.report();
    assert_eq!(report.verdict(0), Verdict::Proven, "{report}");
    let only = |topic: &str| Options { topic: Some(topic.to_owned()), ..Options::complete() };
    let report = evidence.without_line("c", 0).report_of(&only("t"));
    assert_eq!((report.verdict(0), report.groups.len(), report.runs.len()), (Verdict::Proven, 1, 1), "{report}");
}

#[test]
fn lines_of_two_clusters_are_a_doubt() {
    let mut evidence =
        Evidence::new().acknowledged([0, 9], [1, 10]).closed(10, 0, 0, 10).received("a", [0, 9], [1, 10]);
    let found = |cluster| format!(r#""message":"topic found","topic":"t","partitions":1,"cluster_id":"{cluster}""#);
    evidence.line("p", &found("one"));
    evidence.line("a", &found("one"));
    assert_eq!(evidence.report().verdict(0), Verdict::Proven);
    evidence.line("b", &found("two"));
    assert_eq!(evidence.report().verdict(0), Verdict::Insufficient);
}

#[test]
fn equal_offsets_of_two_clusters_are_no_violation() {
    // The same topic on two clusters, and a group on each. One of the messages of the second cluster is a foreign one there.
    let (first, second) = (RunId::new(), RunId::new());
    let evidence =
        Evidence::new().of_run(first).acknowledged([0, 9], [1, 10]).closed(10, 0, 0, 10).received("a", [0, 9], [1, 10]);
    let evidence = evidence.of_run(second).acknowledged([0, 19], [1, 20]).closed(20, 0, 0, 20);
    let mut evidence = evidence.received_range("b", r#"{"partition":0,"offset":[0,8]}"#).ended("a", 30);
    let found = |cluster| format!(r#""message":"topic found","topic":"t","partitions":1,"cluster_id":"{cluster}""#);
    assert_eq!(evidence.report().verdict(u64::MAX), Verdict::Violated, "on one cluster");
    evidence.line("a", &found("one"));
    evidence.line("b", &found("two"));
    let report = evidence.report();
    assert_eq!(report.verdict(0), Verdict::Insufficient, "{report}");
    assert!(report.offenders().next().is_none(), "{report}");
}

#[test]
fn a_line_that_cannot_be_used_counts_like_a_missing_one() {
    let evidence = || {
        let evidence = Evidence::new().acknowledged([0, 9], [1, 10]).closed(10, 0, 0, 10);
        evidence.received("a", [0, 4], [1, 5]).received("a", [5, 5], [6, 6]).received("a", [6, 9], [7, 10])
    };
    assert_eq!(evidence().report().verdict(0), Verdict::Proven);
    // A newer version, or a damaged name.
    let mut evidence = evidence();
    let line = evidence.lines.iter_mut().find(|line| line.contains("[5, 5]")).expect("the line");
    *line = line.replace(r#""message":"messages received""#, r#""account":true,"message":"messages received anew""#);
    let report = evidence.report();
    assert_eq!((report.verdict(0), report.groups[0].count(Class::Missing)), (Verdict::Insufficient, 0), "{report}");
}

#[test]
fn the_last_lines_of_an_unknown_process_leave_it_open_who_received_what_lies_between_two_sessions() {
    let evidence = Evidence::without_sessions().acknowledged([0, 99], [1, 100]).closed(100, 0, 0, 100);
    let evidence = evidence.begun("a", "earliest", 0).received("a", [0, 49], [1, 50]).ended("a", 50);
    let evidence = evidence.begun("b", "committed", 60).received("b", [60, 99], [61, 100]).ended("b", 100);
    assert_eq!(evidence.report().verdict(0), Verdict::Violated);
    let mut evidence = evidence.clone().begun("c", "committed", 50).received("c", [50, 59], [51, 60]).stopped("c", 10);
    evidence.lines.retain(|line| !line.contains(r#""instance":"c""#) || line.contains("service stopped"));
    let report = evidence.report();
    assert_eq!((report.verdict(0), report.groups[0].not_shown), (Verdict::Insufficient, 10), "{report}");
}

#[test]
fn an_accounting_line_with_an_unknown_message_is_a_doubt() {
    let evidence = || Evidence::new().acknowledged([0, 9], [1, 10]).closed(10, 0, 0, 10).received("a", [0, 9], [1, 10]);
    let mut event = evidence();
    event.line("a", r#""message":"something else""#);
    assert_eq!(event.report().verdict(0), Verdict::Proven);
    let mut newer = evidence();
    newer.line("a", r#""message":"something else","account":true"#);
    assert_eq!(newer.report().verdict(0), Verdict::Insufficient);
}

#[test]
fn messages_that_the_broker_deleted_before_they_were_read_are_neither_a_violation_nor_a_proof() {
    let evidence =
        Evidence::new().acknowledged([0, 99], [1, 100]).closed(100, 0, 0, 100).received("a", [40, 99], [41, 100]);
    let mut account = Account::new(Options::complete());
    each_line(evidence.lines.join("\n").as_bytes(), &mut audit::Lines::default(), |line| account.add(line)).unwrap();
    assert_eq!(account.report().verdict(0), Verdict::Violated);
    account.mark_deleted("t", 0, 0, 39);
    assert_eq!(account.report().verdict(0), Verdict::Insufficient);
}

#[test]
fn acknowledged_messages_whose_offset_now_belongs_to_another_message_are_missing() {
    // The broker lost the messages at offsets 4 to 9 and gave their offsets to messages of the next run.
    let (first, second) = (RunId::new(), RunId::new());
    let evidence =
        Evidence::new().of_run(first).acknowledged([0, 9], [1, 10]).closed(10, 0, 0, 10).received("a", [0, 3], [1, 4]);
    let evidence =
        evidence.of_run(second).acknowledged([4, 9], [1, 6]).closed(6, 0, 0, 6).received("a", [4, 9], [1, 6]);
    let report = evidence.report();
    let group = &report.groups[0];
    assert_eq!(
        (report.verdict(u64::MAX), group.count(Class::Missing), group.count(Class::Repeated)),
        (Verdict::Violated, 6, 0),
        "{report}"
    );
    // The log of another replica could show them.
    let partial = evidence.report_of_partial_evidence();
    assert_eq!((partial.verdict(u64::MAX), partial.groups[0].not_shown), (Verdict::Insufficient, 6), "{partial}");
    let keys: Vec<_> = report.offenders().filter_map(|offender| offender.key).collect();
    assert_eq!(keys, (5..=10).map(|pseq| (first, pseq)).collect::<Vec<_>>());

    // The topic was deleted and created again, and the offset that the group had committed is the end of the new topic.
    let (first, second) = (RunId::new(), RunId::new());
    let evidence =
        Evidence::new().of_run(first).acknowledged([0, 9], [1, 10]).closed(10, 0, 0, 10).received("a", [0, 9], [1, 10]);
    let report = evidence.of_run(second).acknowledged([0, 9], [1, 10]).closed(10, 0, 0, 10).report();
    assert_eq!((report.verdict(u64::MAX), report.groups[0].count(Class::Missing)), (Verdict::Violated, 10), "{report}");

    // A foreign message has the offset of a lost message of the run.
    let evidence = Evidence::new().acknowledged([0, 9], [1, 10]).closed(10, 0, 0, 10).received("a", [0, 8], [1, 9]);
    let report = evidence.received_range("a", r#"{"partition":0,"offset":[9,9]}"#).report();
    assert_eq!((report.verdict(u64::MAX), report.groups[0].count(Class::Missing)), (Verdict::Violated, 1), "{report}");
}

#[test]
fn two_received_messages_with_the_same_offset_are_neither_a_repeat_nor_a_proof() {
    let (first, second) = (RunId::new(), RunId::new());
    let evidence =
        Evidence::new().of_run(first).acknowledged([0, 9], [1, 10]).closed(10, 0, 0, 10).received("a", [0, 9], [1, 10]);
    let evidence =
        evidence.of_run(second).acknowledged([4, 9], [1, 6]).closed(6, 0, 0, 6).received("b", [4, 9], [1, 6]);
    let report = evidence.report();
    let group = &report.groups[0];
    assert_eq!(
        (report.verdict(0), group.count(Class::Missing), group.count(Class::Repeated)),
        (Verdict::Insufficient, 0, 0),
        "{report}"
    );
}
