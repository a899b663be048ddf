//! Accounts: both SASL mechanisms, and a wrong password.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use audit::Verdict;
use testbed::{Process, consumer, producer, report};

use crate::claim::claims;
use crate::cluster::Cluster;
use crate::pair::{stop_all, wait_for_shares};
use crate::stage::Stage;

claims! {
    plain_and_scram_work_beside_each_other(3);
    a_wrong_password_ends_with_77_within_ten_seconds_and_is_not_shown(1);
    full_speed_is_accounted_for_to_the_last_message(2);
}

const MECHANISM: &str = "KAFKA_SASL_MECHANISM";
const MECHANISMS: [&str; 2] = ["PLAIN", "SCRAM-SHA-512"];

fn topic(stage: &Stage, partitions: i32) -> Result<Cluster> {
    let entrance = stage.kafka()?.with_account();
    ensure!(entrance.account.is_some(), "E2E_SASL_USERNAME and E2E_SASL_PASSWORD are not set; see tests/README.md");
    Cluster::with_topic(&entrance, partitions)
}

fn plain_and_scram_work_beside_each_other(stage: &Stage) -> Result<String> {
    let cluster = topic(stage, 10)?;
    let group = cluster.group("g");
    let mut replicas = MECHANISMS.map(|it| consumer(&cluster.variables(), &group, &[(MECHANISM, it)]));
    wait_for_shares(&replicas, 10, &[5, 5])?;
    let load = [("PRODUCER_RATE_PER_SEC", "100"), ("PRODUCER_MAX_MESSAGES", "100"), (MECHANISM, "SCRAM-SHA-512")];
    let mut producer = producer(&cluster.variables(), &load);
    ensure!(producer.wait().code() == Some(0), "{}", producer.text());
    cluster.offsets("g")?.wait_for_all(100)?;
    stop_all(&mut replicas)?;
    let report = report(replicas.iter().chain([&producer]));
    ensure!(report.verdict(0) == Verdict::Proven, "{report}");
    let [plain, scram] = replicas.each_ref().map(Process::received_count);
    ensure!((plain, scram) == (50, 50), "{plain} through PLAIN, {scram} through SCRAM-SHA-512");
    Ok(format!("{plain} through PLAIN, {scram} through SCRAM-SHA-512, 0 repeated"))
}

fn a_wrong_password_ends_with_77_within_ten_seconds_and_is_not_shown(stage: &Stage) -> Result<String> {
    let cluster = topic(stage, 1)?;
    let mut slowest = Duration::ZERO;
    for mechanism in MECHANISMS {
        let wrong = [("KAFKA_SASL_PASSWORD", "hunter2-not-this-one"), (MECHANISM, mechanism)];
        for is_producer in [true, false] {
            let started = Instant::now();
            let mut service = if is_producer {
                producer(&cluster.variables(), &wrong)
            } else {
                consumer(&cluster.variables(), &cluster.group("g"), &wrong)
            };
            ensure!(service.wait().code() == Some(77), "{}", service.text());
            slowest = slowest.max(started.elapsed());
            ensure!(service.text().contains("refused the account"), "{}", service.text());
            ensure!(!service.text().contains("hunter2"), "the password is shown");
        }
    }
    ensure!(slowest < Duration::from_secs(10), "it took {slowest:?}");
    Ok(format!("4 of 4, at most {:.1} s", slowest.as_secs_f64()))
}

fn full_speed_is_accounted_for_to_the_last_message(stage: &Stage) -> Result<String> {
    const MESSAGES: &str = "300000";
    let cluster = topic(stage, 10)?;
    let full_speed = [("PRODUCER_RATE_PER_SEC", "max"), ("PRODUCER_MAX_MESSAGES", MESSAGES)];
    let mut producer = producer(&cluster.variables(), &full_speed);
    ensure!(producer.wait().code() == Some(0), "{}", producer.text());
    let all = [("CONSUMER_MAX_MESSAGES", MESSAGES)];
    let mut replica = consumer(&cluster.variables(), &cluster.group("g"), &all);
    ensure!(replica.wait().code() == Some(0), "{}", replica.text());
    let report = report([&producer, &replica]);
    ensure!(report.verdict(0) == Verdict::Proven, "{report}");
    Ok(format!("{MESSAGES} sent, {} received, 0 repeated", replica.received_count()))
}
