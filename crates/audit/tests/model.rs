//! The account of intervals against a model with one entry per message, on random histories with random damage.
//!
//! `PROPTEST_CASES` sets the number of histories: `PROPTEST_CASES=1000000 cargo test --release -p audit --test model`.

#[path = "model/history.rs"]
mod history;
#[path = "model/naive.rs"]
mod naive;

use audit::{Account, Report, Verdict};
use journal::Line;
use proptest::prelude::{ProptestConfig, proptest};

use crate::history::{History, history};

fn account(lines: &[Line], is_complete: bool) -> Report {
    let mut account = if is_complete { Account::new(Options::complete()) } else { Account::default() };
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
        let History { lines, is_complete, .. } = &history;
        let report = account(lines, *is_complete);
        let model = naive::judge(lines, *is_complete);
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
                not_shown: group.not_shown,
                repeated: group.count(Class::Repeated),
                produced_twice: group.count(Class::ProducedTwice),
                phantom: group.count(Class::Phantom),
                in_flight: group.in_flight,
                foreign: group.foreign,
                unknown: group.unknown,
            };
            assert_eq!(&counted, expected, "group {}\n{report}", group.group_id);
        }
        let missing = report.offenders().filter(|offender| offender.class == audit::Class::Missing);
        for offender in missing {
            let offset = offender.offset.expect("no offset has two messages, so each missing message has one");
            assert!(model.missing.contains(&(offender.topic.clone(), offender.partition, offset)), "{offender}");
        }
    }

    /// Without the damage, a history in which every replica reads everything is proven. So the model is not trivially insufficient.
    #[test]
    fn a_clean_history_is_proven(history in history()) {
        let report = account(&history.clean_lines(), true);
        assert_eq!(report.verdict(0), Verdict::Proven, "{report}");
    }

    /// Whatever is lost, doubled or moved of the lines of a clean history, the verdict is never a violation, and it is a proof only if
    /// every line that accounts for messages is there.
    #[test]
    fn damaged_evidence_of_a_clean_history_is_never_a_violation(history in history()) {
        let (lines, is_whole) = history.damaged_clean_lines();
        let report = account(&lines, false);
        assert_ne!(report.verdict(0), Verdict::Violated, "{report}");
        assert!(is_whole || report.verdict(0) == Verdict::Insufficient, "{report}");
    }
}
