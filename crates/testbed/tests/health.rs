//! What `/livez`, `/readyz` and `healthcheck` say of real services, and that they say no when they should.

use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use testbed::{Broker, BrokerProcess, Process, binary, consumer, producer};

const LISTEN: (&str, &str) = ("HTTP_ADDR", "127.0.0.1:0");

fn healthcheck(service: &str, address: &str) -> Process {
    let mut check = Process::start(binary(service), &["healthcheck"], &[("HTTP_ADDR".to_owned(), address.to_owned())]);
    check.wait();
    check
}

fn is_ready(service: &Process) -> bool {
    service.ask("/readyz").0 == 200
}

fn ok() -> (u16, String) {
    (200, "ok".to_owned())
}

#[test]
fn both_services_become_ready_and_their_healthcheck_says_so() {
    let broker = Broker::start(1);
    // Nothing to wait for and little to do is no reason to be unready; nor is having no partition.
    let services = [
        ("producer-svc", producer(&broker.variables(), &[LISTEN, ("PRODUCER_RATE_PER_SEC", "0.01")])),
        ("consumer-svc", consumer(&broker.variables(), "g", &[LISTEN])),
        ("consumer-svc", consumer(&broker.variables(), "g", &[LISTEN])),
    ];
    for (name, service) in &services {
        service.wait_until("ready", is_ready);
        assert_eq!(service.ask("/livez"), ok());
        assert_eq!(service.ask("/elsewhere").0, 404);
        let mut check = healthcheck(name, &service.http_address());
        assert_eq!(check.wait().code(), Some(0), "{}", check.text());
    }
    let owned = |service: &Process| service.owned().map_or(0, |owned| owned.len());
    services[1].1.wait_until("one owner", |one| owned(one) + owned(&services[2].1) == 1);
}

#[test]
fn a_broker_that_goes_away_makes_them_unready_and_not_dead() {
    let broker = BrokerProcess::start();
    let mut services = [producer(&broker.variables(), &[LISTEN]), consumer(&broker.variables(), "g", &[LISTEN])];
    services.iter().for_each(|service| service.wait_until("ready", is_ready));
    broker.process.signal(Signal::STOP);
    for service in &services {
        service.wait_until("not ready", |it| !is_ready(it));
        assert_eq!(service.ask("/livez"), ok());
    }
    services[0].wait_for("messages are not acknowledged");
    broker.process.signal(Signal::CONT);
    services.iter().for_each(|service| service.wait_until("ready again", is_ready));
    services.iter_mut().for_each(|service| assert_eq!(service.stop().0, Some(0), "{}", service.text()));
}

#[test]
fn a_missing_topic_is_the_reason_that_is_given() {
    let broker = Broker::start(0);
    let service = consumer(&broker.variables(), "g", &[LISTEN]);
    service.wait_until("the reason", |it| it.ask("/readyz") == (503, "topic missing".to_owned()));
    let mut check = healthcheck("consumer-svc", &service.http_address());
    assert_eq!((check.wait().code(), check.text().trim_end()), (Some(1), "not ready: topic missing"));
    broker.create_topic(1);
    service.wait_until("ready", is_ready);
}

#[test]
fn a_frozen_service_and_one_that_is_not_there_fail_the_healthcheck() {
    let broker = Broker::start(1);
    let service = consumer(&broker.variables(), "g", &[LISTEN]);
    service.wait_until("ready", is_ready);
    let address = service.http_address();
    service.signal(Signal::STOP);
    let mut check = healthcheck("consumer-svc", &address);
    assert_eq!(check.wait().code(), Some(1));
    assert!(check.text().contains("no answer within 2 s"), "{}", check.text());
    service.signal(Signal::CONT);
    drop(service);
    let mut check = healthcheck("consumer-svc", &address);
    assert_eq!(check.wait().code(), Some(1));
    assert!(check.text().contains("the service does not listen"), "{}", check.text());
}

#[test]
fn a_loop_that_nobody_reads_the_log_of_stands_still_and_is_called_dead() {
    let broker = Broker::start(1);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut variables = broker.variables();
    for (name, value) in [
        ("KAFKA_GROUP_ID", "g"),
        ("KAFKA_SESSION_TIMEOUT_MS", "6000"),
        ("KAFKA_MAX_POLL_INTERVAL_MS", "6000"),
        ("LOG_MESSAGES", "each"),
        ("HTTP_ADDR", port.as_str()),
    ] {
        variables.push((name.into(), value.into()));
    }
    // The reader's end is kept open and never read.
    let (reader, writer) = std::io::pipe().unwrap();
    let service = Process::start_with(binary("consumer-svc"), &[], &variables, Stdio::from(writer));
    let ask = |path: &str| minreq::get(format!("http://{port}{path}")).with_timeout(10).send().map(|it| it.status_code);
    service.wait_until("ready", |_| ask("/readyz").is_ok_and(|status| status == 200));
    let line = br#"{"num": 1, "ts": "2026-11-22 10:00:00"}"#.as_slice();
    broker.write(&vec![Some(line); 2000]);
    service.wait_until("not ready", |_| ask("/readyz").is_ok_and(|status| status == 503));
    service.wait_until("not alive", |_| ask("/livez").is_ok_and(|status| status == 503));
    drop(reader);
}

#[test]
fn an_address_in_use_and_a_missing_one_are_told() {
    let broker = Broker::start(1);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut service = producer(&broker.variables(), &[("HTTP_ADDR", &address)]);
    assert_eq!(service.wait().code(), Some(1));
    assert!(service.text().contains("could not listen on HTTP_ADDR 127.0.0.1:"), "{}", service.text());
    let mut check = healthcheck("producer-svc", "");
    assert_eq!(check.wait().code(), Some(64));
    assert!(check.text().contains("HTTP_ADDR is not set"), "{}", check.text());
}

#[test]
fn askers_that_say_nothing_keep_nobody_else_from_being_answered_for_long() {
    let broker = Broker::start(1);
    let service = consumer(&broker.variables(), "g", &[LISTEN]);
    let address = service.http_address();
    let silent: Vec<_> = (0..64).map(|_| std::net::TcpStream::connect(&address).unwrap()).collect();
    // Each of them is shown out after its time.
    service.wait_until("ready", is_ready);
    drop(silent);
    assert!(service.stays(Duration::from_millis(300), is_ready));
}
