//! Accounts: both SASL mechanisms, a wrong password, and full speed with an account.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use audit::Verdict;
use testbed::{Process, consumer, producer, report};

use crate::claim::claims;
use crate::pair::{stop_all, wait_for_shares};
use crate::resources::Resources;
use crate::topic::Topic;

claims! {
    plain_and_scram_clients_work_side_by_side(3);
    a_wrong_password_ends_the_service_with_exit_code_77_within_ten_seconds_and_is_not_logged(1);
    at_full_speed_every_message_is_accounted_for(2);
}

const MECHANISM: &str = "KAFKA_SASL_MECHANISM";
const MECHANISMS: [&str; 2] = ["PLAIN", "SCRAM-SHA-512"];

fn topic_with_account(resources: &Resources, partitions: i32) -> Result<Topic> {
    let endpoint = resources.kafka()?.endpoint_with_account();
    ensure!(endpoint.account.is_some(), "E2E_SASL_USERNAME and E2E_SASL_PASSWORD must be set; see tests/README.md");
    Topic::create(&endpoint, partitions)
}

fn plain_and_scram_clients_work_side_by_side(resources: &Resources) -> Result<String> {
    let topic = topic_with_account(resources, 10)?;
    let group = topic.group("g");
    let mut replicas = MECHANISMS.map(|mechanism| consumer(&topic.variables(), &group, &[(MECHANISM, mechanism)]));
    wait_for_shares(&replicas, 10, &[5, 5])?;
    let load = [("PRODUCER_RATE_PER_SEC", "100"), ("PRODUCER_MAX_MESSAGES", "100"), (MECHANISM, "SCRAM-SHA-512")];
    let mut producer = producer(&topic.variables(), &load);
    ensure!(producer.wait().code() == Some(0), "{}", producer.text());
    topic.offsets("g")?.wait_for_all(100)?;
    stop_all(&mut replicas)?;
    let report = report(replicas.iter().chain([&producer]));
    ensure!(report.verdict(0) == Verdict::Proven, "{report}");
    let [plain, scram] = replicas.each_ref().map(Process::received_count);
    ensure!((plain, scram) == (50, 50), "{plain} through PLAIN, {scram} through SCRAM-SHA-512");
    Ok(format!("{plain} through PLAIN, {scram} through SCRAM-SHA-512, 0 repeated"))
}

fn a_wrong_password_ends_the_service_with_exit_code_77_within_ten_seconds_and_is_not_logged(
    resources: &Resources,
) -> Result<String> {
    let topic = topic_with_account(resources, 1)?;
    let mut slowest = Duration::ZERO;
    for mechanism in MECHANISMS {
        let wrong = [("KAFKA_SASL_PASSWORD", "hunter2-not-this-one"), (MECHANISM, mechanism)];
        for is_producer in [true, false] {
            let started = Instant::now();
            let mut service = if is_producer {
                producer(&topic.variables(), &wrong)
            } else {
                consumer(&topic.variables(), &topic.group("g"), &wrong)
            };
            ensure!(service.wait().code() == Some(77), "{}", service.text());
            slowest = slowest.max(started.elapsed());
            ensure!(service.text().contains("refused the account"), "{}", service.text());
            ensure!(!service.text().contains("hunter2"), "the log contains the password");
        }
    }
    ensure!(slowest < Duration::from_secs(10), "a service took {slowest:?} to end");
    Ok(format!("4 of 4 services, after at most {:.1} s", slowest.as_secs_f64()))
}

fn at_full_speed_every_message_is_accounted_for(resources: &Resources) -> Result<String> {
    const MESSAGES: &str = "300000";
    let topic = topic_with_account(resources, 10)?;
    let full_speed = [("PRODUCER_RATE_PER_SEC", "max"), ("PRODUCER_MAX_MESSAGES", MESSAGES)];
    let mut producer = producer(&topic.variables(), &full_speed);
    ensure!(producer.wait().code() == Some(0), "{}", producer.text());
    let all = [("CONSUMER_MAX_MESSAGES", MESSAGES)];
    let mut replica = consumer(&topic.variables(), &topic.group("g"), &all);
    ensure!(replica.wait().code() == Some(0), "{}", replica.text());
    let report = report([&producer, &replica]);
    ensure!(report.verdict(0) == Verdict::Proven, "{report}");
    Ok(format!("{MESSAGES} sent, {} received, 0 repeated", replica.received_count()))
}
