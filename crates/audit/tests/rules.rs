//! The rules of the account, one by one, and that the order of lines does not matter.

use audit::{Account, Report, Verdict, each_line};
use message::RunId;

const G: &str = r#""group_id":"g","topic":"t""#;

struct Evidence {
    run: RunId,
    lines: Vec<String>,
}

impl Evidence {
    /// One producer and two replicas that have started.
    fn new() -> Self {
        let run = RunId::new();
        let mut it = Self { run, lines: Vec::new() };
        it.line(
            "p",
            &format!(
                r#""message":"service starting","service":"producer-svc","version":"1","topic":"t","run":"{run}""#
            ),
        );
        for replica in ["a", "b"] {
            it.line(replica, &format!(r#""message":"service starting","service":"consumer-svc","version":"1",{G}"#));
        }
        it
    }

    /// What follows is of this run.
    fn of(mut self, run: RunId) -> Self {
        self.run = run;
        self
    }

    fn line(&mut self, instance: &str, content: &str) {
        self.lines.push(format!(r#"{{{content},"instance":"{instance}"}}"#));
    }

    fn range(&self, offset: [i64; 2], pseq: [u64; 2]) -> String {
        format!(r#"{{"partition":0,"offset":{offset:?},"run":"{}","pseq":{pseq:?}}}"#, self.run)
    }

    fn acknowledged(mut self, offset: [i64; 2], pseq: [u64; 2]) -> Self {
        let (run, range) = (self.run, self.range(offset, pseq));
        self.line("p", &format!(r#""message":"messages delivered","count":0,"rate_per_sec":0,"latency_ms":{{"p50":0,"p99":0,"max":0}},"outstanding":0,"topic":"t","run":"{run}","ranges":[{range}]"#));
        self
    }

    fn not_delivered(mut self, outcome: &str, pseq: [u64; 2]) -> Self {
        let (run, count) = (self.run, pseq[1] - pseq[0] + 1);
        self.line("p", &format!(r#""message":"messages not delivered","outcome":"{outcome}","count":{count},"num":[],"topic":"t","partition":0,"pseq":[{pseq:?}],"run":"{run}","error":"e""#));
        self
    }

    fn closed(mut self, acknowledged: u64, rejected: u64, unknown: u64, last: u64) -> Self {
        let (run, accepted) = (self.run, acknowledged + rejected + unknown);
        self.line("p", &format!(r#""message":"run closed","run":"{run}","topic":"t","accepted":{accepted},"acknowledged":{acknowledged},"rejected":{rejected},"unknown":{unknown},"partitions":[{{"partition":0,"last_pseq":{last}}}]"#));
        self
    }

    fn received_range(mut self, by: &str, range: &str) -> Self {
        self.line(by, &format!(r#""message":"messages received","count":0,"rate_per_sec":0,"latency_ms":{{"p50":0,"p99":0,"max":0}},{G},"ranges":[{range}]"#));
        self
    }

    fn received(self, by: &str, offset: [i64; 2], pseq: [u64; 2]) -> Self {
        let range = self.range(offset, pseq);
        self.received_range(by, &range)
    }

    /// The report, after making sure that the order of the lines does not change it.
    fn report(&self) -> Report {
        let read = |lines: &[String]| {
            let mut account = Account::default();
            let mut counts = audit::Lines::default();
            each_line(lines.join("\n").as_bytes(), &mut counts, |line| account.add(line)).expect("text can be read");
            assert_eq!(counts.read, lines.len() as u64, "{lines:#?}");
            account.report()
        };
        let forward = read(&self.lines);
        let backward = read(&self.lines.iter().rev().cloned().collect::<Vec<_>>());
        for max_repeats in [0, 1, u64::MAX] {
            assert_eq!(forward.verdict(max_repeats), backward.verdict(max_repeats), "{forward}\n{backward}");
        }
        assert_eq!(forward.groups[0].repeated(), backward.groups[0].repeated());
        assert_eq!(forward.groups[0].produced_twice(), backward.groups[0].produced_twice());
        forward
    }
}

#[test]
fn everything_received_once_is_proven() {
    let evidence = Evidence::new().acknowledged([0, 99], [1, 100]).closed(100, 0, 0, 100);
    let report = evidence.received("a", [0, 49], [1, 50]).received("b", [50, 99], [51, 100]).report();
    assert_eq!(report.verdict(0), Verdict::Proven, "{report}");
}

#[test]
fn a_gap_below_a_received_offset_is_missing_and_above_it_in_flight() {
    let evidence = Evidence::new().acknowledged([0, 99], [1, 100]).closed(100, 0, 0, 100);
    let report = evidence.received("a", [0, 49], [1, 50]).received("a", [60, 89], [61, 90]).report();
    assert_eq!(report.verdict(0), Verdict::Violated);
    assert_eq!((report.groups[0].missing(), report.groups[0].in_flight), (10, 10));

    let evidence = Evidence::new().acknowledged([0, 99], [1, 100]).closed(100, 0, 0, 100);
    let report = evidence.received("a", [0, 89], [1, 90]).report();
    assert_eq!(report.verdict(0), Verdict::Insufficient, "{report}");
}

#[test]
fn repeats_count_each_time_and_are_measured_by_the_limit() {
    let evidence = Evidence::new().acknowledged([0, 9], [1, 10]).closed(10, 0, 0, 10);
    let report = evidence.received("a", [0, 9], [1, 10]).received("b", [5, 7], [6, 8]).report();
    assert_eq!(report.groups[0].repeated(), 3);
    assert_eq!((report.verdict(2), report.verdict(3)), (Verdict::Violated, Verdict::Proven), "{report}");
}

#[test]
fn one_message_at_two_offsets_was_produced_twice() {
    let evidence = Evidence::new().acknowledged([0, 9], [1, 10]).closed(10, 0, 0, 10);
    let report = evidence.received("a", [0, 9], [1, 10]).received("a", [10, 10], [4, 4]).report();
    assert_eq!((report.groups[0].produced_twice(), report.groups[0].repeated()), (1, 0));
    assert_eq!(report.verdict(u64::MAX), Verdict::Violated);
}

#[test]
fn a_rejected_number_that_was_received_is_a_phantom_and_an_unknown_one_is_not() {
    let evidence = || {
        Evidence::new()
            .acknowledged([0, 7], [1, 8])
            .not_delivered("rejected", [9, 9])
            .not_delivered("unknown", [10, 10])
    };
    let report = evidence().closed(8, 1, 1, 10).received("a", [0, 7], [1, 8]).report();
    assert_eq!(report.verdict(0), Verdict::Proven, "neither is owed: {report}");
    let report = evidence().closed(8, 1, 1, 10).received("a", [0, 7], [1, 8]).received("a", [8, 8], [10, 10]).report();
    assert_eq!((report.verdict(0), report.groups[0].unknown), (Verdict::Proven, 1), "{report}");
    let report = evidence().closed(8, 1, 1, 10).received("a", [0, 7], [1, 8]).received("a", [8, 8], [9, 9]).report();
    assert_eq!((report.verdict(0), report.groups[0].phantom()), (Verdict::Violated, 1), "{report}");
}

#[test]
fn beyond_the_end_of_a_closed_run_is_a_phantom_and_of_a_killed_run_unknown() {
    let evidence = || Evidence::new().acknowledged([0, 9], [1, 10]);
    let report = evidence().closed(10, 0, 0, 10).received("a", [0, 10], [1, 11]).report();
    assert_eq!((report.verdict(0), report.groups[0].phantom()), (Verdict::Violated, 1), "{report}");
    let report = evidence().received("a", [0, 10], [1, 11]).report();
    assert_eq!((report.verdict(0), report.groups[0].unknown), (Verdict::Proven, 1), "{report}");
}

#[test]
fn a_foreign_message_is_judged_by_its_offset_only() {
    let foreign = r#"{"partition":0,"offset":[10,10]}"#;
    let evidence = || Evidence::new().acknowledged([0, 9], [1, 10]).closed(10, 0, 0, 10).received("a", [0, 9], [1, 10]);
    let report = evidence().received_range("a", foreign).report();
    assert_eq!((report.verdict(0), report.groups[0].foreign), (Verdict::Proven, 1), "{report}");
    let report = evidence().received_range("a", foreign).received_range("b", foreign).report();
    assert_eq!((report.verdict(0), report.groups[0].repeated()), (Verdict::Violated, 1));
}

#[test]
fn books_that_do_not_fit_are_no_proof() {
    let received = |evidence: Evidence| evidence.received("a", [0, 9], [1, 10]).report();
    let short = received(Evidence::new().acknowledged([0, 8], [1, 9]).closed(10, 0, 0, 10));
    assert_eq!(short.verdict(0), Verdict::Insufficient, "{short}");
    let mut unknown_instance = Evidence::new().acknowledged([0, 9], [1, 10]).closed(10, 0, 0, 10);
    unknown_instance = unknown_instance.received("c", [0, 9], [1, 10]);
    assert_eq!(unknown_instance.report().verdict(0), Verdict::Insufficient);
}

#[test]
fn what_the_broker_forgot_before_it_was_read_is_no_violation_and_no_proof() {
    let evidence =
        Evidence::new().acknowledged([0, 99], [1, 100]).closed(100, 0, 0, 100).received("a", [40, 99], [41, 100]);
    let mut account = Account::default();
    each_line(evidence.lines.join("\n").as_bytes(), &mut audit::Lines::default(), |line| account.add(line)).unwrap();
    assert_eq!(account.report().verdict(0), Verdict::Violated);
    account.forgotten("t", 0, 0, 39);
    assert_eq!(account.report().verdict(0), Verdict::Insufficient);
}

#[test]
fn acknowledged_messages_whose_offsets_went_to_others_are_missing() {
    // The broker lost what stood at 4 to 9, and gave the offsets to the next run.
    let (one, other) = (RunId::new(), RunId::new());
    let evidence =
        Evidence::new().of(one).acknowledged([0, 9], [1, 10]).closed(10, 0, 0, 10).received("a", [0, 3], [1, 4]);
    let evidence = evidence.of(other).acknowledged([4, 9], [1, 6]).closed(6, 0, 0, 6).received("a", [4, 9], [1, 6]);
    let report = evidence.report();
    let group = &report.groups[0];
    assert_eq!((report.verdict(u64::MAX), group.missing(), group.repeated()), (Verdict::Violated, 6, 0), "{report}");
    let named: Vec<_> = report.offenders().filter_map(|offender| offender.key).collect();
    assert_eq!(named, (5..=10).map(|pseq| (one, pseq)).collect::<Vec<_>>());

    // A topic made anew, with the group's offset of the old one at its end.
    let (one, other) = (RunId::new(), RunId::new());
    let evidence =
        Evidence::new().of(one).acknowledged([0, 9], [1, 10]).closed(10, 0, 0, 10).received("a", [0, 9], [1, 10]);
    let report = evidence.of(other).acknowledged([0, 9], [1, 10]).closed(10, 0, 0, 10).report();
    assert_eq!((report.verdict(u64::MAX), report.groups[0].missing()), (Verdict::Violated, 10), "{report}");

    // A foreign message in place of ours.
    let evidence = Evidence::new().acknowledged([0, 9], [1, 10]).closed(10, 0, 0, 10).received("a", [0, 8], [1, 9]);
    let report = evidence.received_range("a", r#"{"partition":0,"offset":[9,9]}"#).report();
    assert_eq!((report.verdict(u64::MAX), report.groups[0].missing()), (Verdict::Violated, 1), "{report}");
}

#[test]
fn offsets_that_stand_for_two_messages_which_both_came_are_no_repeats_and_no_proof() {
    let (one, other) = (RunId::new(), RunId::new());
    let evidence =
        Evidence::new().of(one).acknowledged([0, 9], [1, 10]).closed(10, 0, 0, 10).received("a", [0, 9], [1, 10]);
    let evidence = evidence.of(other).acknowledged([4, 9], [1, 6]).closed(6, 0, 0, 6).received("b", [4, 9], [1, 6]);
    let report = evidence.report();
    let group = &report.groups[0];
    assert_eq!((report.verdict(0), group.missing(), group.repeated()), (Verdict::Insufficient, 0, 0), "{report}");
}
