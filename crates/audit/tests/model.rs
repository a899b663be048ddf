//! The account of intervals against a model with one entry per message, on random histories with random damage.
//!
//! `PROPTEST_CASES` sets the number of histories: `PROPTEST_CASES=1000000 cargo test --release -p audit --test model`.

#[path = "model/history.rs"]
mod history;
#[path = "model/lines.rs"]
mod lines;
#[path = "model/naive.rs"]
mod naive;
#[path = "model/sessions.rs"]
mod sessions;

use std::cell::RefCell;
use std::collections::BTreeSet;

use audit::{Account, Class, Options, Report, Verdict};
use journal::Line;
use proptest::prelude::{ProptestConfig, proptest};
use proptest::test_runner::TestRunner;

use crate::history::{History, history};

fn account(lines: &[Line], options: &Options) -> Report {
    let mut account = Account::new(options.clone());
    lines.iter().for_each(|line| account.add(line));
    account.report()
}

/// 4,000 histories, unless the environment sets another number. Failures are printed with their history and not stored.
fn config() -> ProptestConfig {
    let given = ProptestConfig::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { given.cases } else { 4000 };
    ProptestConfig { cases, failure_persistence: None, ..given }
}

proptest! {
    #![proptest_config(config())]

    /// Verdict, counts and named offenders are those of the model, for any order of the lines.
    #[test]
    fn the_account_agrees_with_a_naive_model(history in history()) {
        let History { lines, options, .. } = &history;
        let report = account(lines, options);
        let model = naive::judge(lines, options);
        for max_repeats in [0, 2, u64::MAX] {
            assert_eq!(report.verdict(max_repeats), model.verdict(max_repeats), "{report}\n{model:#?}");
        }
        assert_eq!(report.groups.len(), model.groups.len());
        for group in &report.groups {
            let expected = &model.groups[&group.group_id];
            let counted = naive::Counts {
                received: group.received,
                distinct: group.distinct,
                missing: group.count(Class::Missing),
                skipped: group.count(Class::Skipped),
                expired: group.count(Class::Expired),
                not_shown: group.not_shown,
                not_owed: group.not_owed,
                expired_before: group.expired_before,
                not_judged: group.not_judged,
                repeated: group.count(Class::Repeated),
                produced_twice: group.count(Class::ProducedTwice),
                phantom: group.count(Class::Phantom),
                in_flight: group.in_flight,
                foreign: group.foreign,
                unknown: group.unknown,
            };
            assert_eq!(&counted, expected, "group {}\n{report}", group.group_id);
        }
        let is_not_received = |class| matches!(class, Class::Missing | Class::Skipped | Class::Expired);
        for offender in report.offenders().filter(|offender| is_not_received(offender.class)) {
            let offset = offender.offset.expect("no offset has two messages, so each missing message has one");
            let place = (offender.topic.clone(), offender.partition, offset);
            assert!(model.not_received.contains(&(place, offender.class)), "{offender}");
        }
    }

    /// Without the damage, a history in which every replica reads everything is proven. So the model is not trivially insufficient.
    #[test]
    fn a_clean_history_is_proven(history in history()) {
        let report = account(&history.clean_lines(), &Options::complete());
        assert_eq!(report.verdict(0), Verdict::Proven, "{report}");
    }

    /// Whatever is lost, doubled or moved of the lines of a clean history, the verdict is never a violation, and it is a proof only if
    /// every line that accounts for messages is there.
    #[test]
    fn damaged_evidence_of_a_clean_history_is_never_a_violation(history in history()) {
        let (lines, is_whole) = history.damaged_clean_lines();
        let report = account(&lines, &Options::default());
        assert_ne!(report.verdict(0), Verdict::Violated, "{report}");
        assert!(is_whole || report.verdict(0) == Verdict::Insufficient, "{report}");
    }
}

/// The other tests would show little if the random histories did not contain every case.
#[test]
fn the_histories_contain_every_class_and_every_excuse() {
    let seen = RefCell::new(BTreeSet::new());
    let mut runner = TestRunner::new(ProptestConfig { cases: 2000, failure_persistence: None, ..config() });
    let outcome = runner.run(&history(), |history| {
        let report = account(&history.lines, &history.options);
        for group in &report.groups {
            let classes = Class::ALL.into_iter().map(|class| (class.name(), group.count(class)));
            let others = [
                ("not shown", group.not_shown),
                ("not owed", group.not_owed),
                ("expired before", group.expired_before),
                ("not judged", group.not_judged),
                ("in flight", group.in_flight),
                ("unknown", group.unknown),
                ("foreign", group.foreign),
            ];
            seen.borrow_mut().extend(classes.chain(others).filter(|(_, count)| *count > 0).map(|(name, _)| name));
        }
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(seen.into_inner().len(), Class::ALL.len() + 7);
}
