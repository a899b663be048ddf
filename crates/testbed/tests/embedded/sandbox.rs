//! The sandbox as a user sees it: started, watched, disturbed, ended.

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use testbed::{BrokerProcess, Process, binary};

fn sandbox(arguments: &[&str]) -> Process {
    Process::start(binary("sandbox"), arguments, &[])
}

/// The process ids of the services, from the commands that the sandbox prints.
fn service_pids(text: &str) -> Vec<Pid> {
    let pids = text.lines().filter_map(|line| line.trim().strip_prefix("kill -9 "));
    pids.filter_map(|pid| Pid::from_raw(pid.split(' ').next()?.parse().ok()?)).collect()
}

/// The last lines of the output, because a demonstration at a high rate prints too much to show.
fn tail(process: &Process) -> String {
    let text = process.text();
    let lines: Vec<&str> = text.lines().rev().take(20).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}

#[test]
fn a_demonstration_with_a_count_shows_who_received_what_and_proves_delivery() {
    let mut sandbox = sandbox(&["--count", "20", "--rate", "10"]);
    assert_eq!(sandbox.wait().code(), Some(0), "{}", sandbox.text());
    let text = sandbox.text();
    for name in ["producer   |", "consumer-1 |", "consumer-2 |"] {
        assert!(text.contains(name), "{text}");
    }
    assert!(text.contains("received 20  distinct 20"), "{text}");
    assert!(text.contains("verdict: PROVEN"), "{text}");
    assert!(!text.contains('\u{1b}'), "there are colours although standard output is not a terminal");
}

#[test]
fn settings_in_the_users_environment_do_not_reach_the_services() {
    let variables = [
        ("HTTP_ADDR", "127.0.0.1:1"),
        ("KAFKA_SASL_PASSWORD_FILE", "/no/such/file"),
        ("KAFKA_GROUP_ID", "other"),
        ("PRODUCER_RATE_PER_SEC", "never"),
        ("OTEL_TRACES_SAMPLER", "never"),
        ("LOG_FORMAT", "never"),
        ("SHUTDOWN_TIMEOUT_MS", "never"),
        ("RUST_LOG", "info,librdkafka=debug"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut sandbox = Process::start(binary("sandbox"), &["--count", "5", "--rate", "10"], &variables);
    assert_eq!(sandbox.wait().code(), Some(0), "{}", sandbox.text());
    assert!(sandbox.text().contains("received 5  distinct 5"), "{}", sandbox.text());
}

/// `RUST_LOG` reaches the services, so an invalid one makes them fail.
#[test]
fn a_demonstration_whose_services_fail_is_not_proven() {
    let variables = [("RUST_LOG".to_owned(), "info,=,".to_owned())];
    let mut sandbox = Process::start(binary("sandbox"), &["--count", "5", "--rate", "10"], &variables);
    assert_eq!(sandbox.wait().code(), Some(1), "{}", sandbox.text());
    assert!(sandbox.text().contains("verdict: FAILED: a service failed"), "{}", sandbox.text());
    assert!(!sandbox.text().contains("PROVEN"), "{}", sandbox.text());
}

#[test]
fn an_interrupt_stops_everything_in_order() {
    let mut sandbox = sandbox(&["--rate", "50", "--consumers", "3"]);
    sandbox.wait_for_text("message received");
    sandbox.signal(Signal::INT);
    assert_eq!(sandbox.wait().code(), Some(0), "{}", sandbox.text());
    assert!(sandbox.text().contains("verdict: PROVEN"), "{}", sandbox.text());
    assert!(!sandbox.text().contains("ERROR"), "{}", sandbox.text());
}

#[test]
fn the_first_interrupt_after_the_producer_has_ended_stops_in_order_too() {
    // The producer ends after half a second, and the group forms only after three.
    let mut sandbox = sandbox(&["--rate", "10", "--count", "5"]);
    sandbox.wait_for_text("producer has ended");
    sandbox.signal(Signal::INT);
    sandbox.wait_for_text("Ctrl-C again ends at once");
    assert_eq!(sandbox.wait().code(), Some(0), "{}", sandbox.text());
    assert!(sandbox.text().contains("received 5  distinct 5"), "{}", sandbox.text());
}

#[test]
fn a_second_interrupt_ends_at_once() {
    let mut sandbox = sandbox(&["--rate", "10", "--count", "5"]);
    sandbox.wait_for_text("producer has ended");
    sandbox.signal(Signal::INT);
    sandbox.wait_for_text("Ctrl-C again ends at once");
    sandbox.signal(Signal::INT);
    assert_eq!(sandbox.wait().code(), Some(130), "{}", sandbox.text());
    assert!(!sandbox.text().contains("\nverdict: "), "{}", sandbox.text());
}

#[test]
fn a_killed_replica_is_replaced_by_the_others_and_nothing_is_lost() {
    let mut sandbox = sandbox(&["--rate", "50"]);
    sandbox.wait_for_text("message received");
    let first_replica = service_pids(&sandbox.text())[1];
    kill_process(first_replica, Signal::KILL).unwrap();
    sandbox.wait_for_text("owned=[0,1,2,3,4,5,6,7,8,9]");
    sandbox.signal(Signal::INT);
    assert_eq!(sandbox.wait().code(), Some(0), "{}", sandbox.text());
    assert!(sandbox.text().contains("SIGKILL"), "{}", sandbox.text());
}

#[test]
fn an_added_replica_gets_a_share_of_the_partitions() {
    let mut sandbox = sandbox(&["--rate", "10", "--consumers", "1"]);
    sandbox.wait_for_text("message received");
    sandbox.signal(Signal::USR1);
    sandbox.wait_for_text("consumer-2 was added");
    sandbox.wait_until("five partitions for the second replica", |sandbox| {
        sandbox.text().lines().any(|line| {
            line.starts_with("consumer-2")
                && line.contains("partitions assigned")
                && line
                    .split_once("owned=[")
                    .and_then(|(_, rest)| rest.split_once(']'))
                    .is_some_and(|(owned, _)| owned.split(',').count() == 5)
        })
    });
    sandbox.signal(Signal::INT);
    assert_eq!(sandbox.wait().code(), Some(0), "{}", sandbox.text());
}

#[test]
fn without_replicas_nothing_is_proven() {
    let mut sandbox = sandbox(&["--count", "3", "--rate", "10", "--consumers", "0"]);
    assert_eq!(sandbox.wait().code(), Some(3), "{}", sandbox.text());
}

#[test]
fn messages_that_the_broker_deleted_before_they_were_read_are_no_proof() {
    // One partition holds some 50,000 messages: at this rate the first ones are deleted before the group has formed.
    let mut sandbox = sandbox(&["--count", "120000", "--rate", "20000", "--partitions", "1", "--consumers", "1"]);
    assert_eq!(sandbox.wait().code(), Some(3), "{}", tail(&sandbox));
    assert!(sandbox.text().contains("deleted by the broker before the group read them"), "{}", tail(&sandbox));
}

#[test]
fn a_killed_sandbox_leaves_no_service_behind() {
    let mut sandbox = sandbox(&["--rate", "10"]);
    sandbox.wait_for_text("message received");
    let services = service_pids(&sandbox.text());
    assert_eq!(services.len(), 3);
    sandbox.signal(Signal::KILL);
    let killed_at = Instant::now();
    while services.iter().any(|pid| test_kill_process(*pid).is_ok()) {
        assert!(killed_at.elapsed() < Duration::from_secs(15), "services are still running");
        std::thread::yield_now();
    }
    sandbox.wait();
}

#[test]
fn services_started_by_hand_are_the_same_binary_and_ignore_their_standard_input() {
    let broker = BrokerProcess::start();
    let text = broker.process.text();
    for role in ["producer", "consumer"] {
        let suffix = format!("sandbox {role}");
        let command = text.lines().find(|line| line.ends_with(&suffix)).expect("the command is printed");
        let program = Path::new(command.split(' ').next().unwrap());
        assert_eq!(program.canonicalize().unwrap(), binary("sandbox").canonicalize().unwrap(), "{command}");
    }
    // The standard input of both is empty, which does not end them.
    let start = |role, name: &str, value: &str| {
        let mut variables = broker.printed_variables();
        variables.push((name.to_owned(), value.to_owned()));
        Process::start(binary("sandbox"), &[role], &variables)
    };
    let mut replica = start("consumer", "CONSUMER_MAX_MESSAGES", "5");
    let mut producer = start("producer", "PRODUCER_RATE_PER_SEC", "10");
    assert_eq!(replica.wait().code(), Some(0), "{}", replica.text());
    assert_eq!(replica.received_count(), 5);
    assert_eq!(producer.stop().0, Some(0), "{}", producer.text());
}

#[test]
fn an_external_kafka_with_wrong_settings_is_not_contacted_and_one_without_the_topic_is_named() {
    let start = |variables: &[(&str, &str)]| {
        let variables: Vec<_> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut sandbox = Process::start(binary("sandbox"), &["--external", "--no-page"], &variables);
        let code = sandbox.wait().code();
        (code, sandbox.text())
    };
    let (code, text) = start(&[("KAFKA_ACKS", "1"), ("KAFKA_GROUP_PROTOCOL", "none")]);
    assert_eq!(code, Some(64), "{text}");
    for variable in ["KAFKA_BOOTSTRAP_SERVERS", "KAFKA_TOPIC", "KAFKA_ACKS", "KAFKA_GROUP_PROTOCOL"] {
        assert_eq!(text.matches(variable).count(), 1, "each problem once, whichever service has it: {text}");
    }
    assert!(text.contains("4 problems") && text.contains("--features tls -- --external"), "{text}");
    let broker = BrokerProcess::start();
    let address = broker.variables()[0].1.clone();
    let (code, text) = start(&[("KAFKA_BOOTSTRAP_SERVERS", &address), ("KAFKA_TOPIC", "absent")]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("`absent`") && text.contains(&address), "{text}");
}

#[test]
fn wrong_usage_ends_with_64() {
    for wrong in [
        &["--rate", "0"][..],
        &["--rate", "1000000"],
        &["--consumers", "x"],
        &["--no-such-option"],
        &["--rate", "1", "producer"],
    ] {
        assert_eq!(sandbox(wrong).wait().code(), Some(64), "{wrong:?}");
    }
}
