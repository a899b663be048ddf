//! What `/livez`, `/readyz` and `healthcheck` answer for real services, in good health and in bad.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use testbed::{Broker, BrokerProcess, Process, binary, consumer, producer};

const LISTEN: (&str, &str) = ("HTTP_ADDR", "127.0.0.1:0");
/// `timeoutSeconds` of the probes in `deploy/kubernetes`.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

fn healthcheck(service: &str, address: &str) -> Process {
    let mut check = Process::start(binary(service), &["healthcheck"], &[("HTTP_ADDR".to_owned(), address.to_owned())]);
    check.wait();
    check
}

fn is_ready(service: &Process) -> bool {
    service.ask("/readyz").0 == 200
}

/// Status and body of a positive answer.
fn ok() -> (u16, String) {
    (200, "ok".to_owned())
}

#[test]
fn both_services_become_ready_and_their_healthcheck_succeeds() {
    let broker = Broker::start(1);
    // A producer that sends almost nothing is ready, and so is the replica that gets no partition.
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
    services[1].1.wait_until("one owner", |replica| owned(replica) + owned(&services[2].1) == 1);
}

#[test]
fn while_the_broker_does_not_answer_services_are_alive_but_not_ready() {
    let broker = BrokerProcess::start();
    let mut services = [producer(&broker.variables(), &[LISTEN]), consumer(&broker.variables(), "g", &[LISTEN])];
    services.iter().for_each(|service| service.wait_until("ready", is_ready));
    broker.process.signal(Signal::STOP);
    for service in &services {
        service.wait_until("not ready", |service| !is_ready(service));
        assert_eq!(service.ask("/livez"), ok());
    }
    services[0].wait_for("messages are not acknowledged");
    broker.process.signal(Signal::CONT);
    services.iter().for_each(|service| service.wait_until("ready again", is_ready));
    services.iter_mut().for_each(|service| assert_eq!(service.stop().0, Some(0), "{}", service.text()));
}

#[test]
fn readyz_names_a_missing_topic_as_the_reason() {
    let broker = Broker::start(0);
    let service = consumer(&broker.variables(), "g", &[LISTEN]);
    service.wait_until("the reason", |service| service.ask("/readyz") == (503, "topic missing".to_owned()));
    let mut check = healthcheck("consumer-svc", &service.http_address());
    assert_eq!((check.wait().code(), check.text().trim_end()), (Some(1), "not ready: topic missing"));
    broker.create_topic(1);
    service.wait_until("ready", is_ready);
}

#[test]
fn the_healthcheck_fails_for_a_frozen_service_and_for_one_that_has_ended() {
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
    assert!(check.text().contains("nothing listens at HTTP_ADDR"), "{}", check.text());
}

#[test]
fn a_loop_blocked_by_a_log_that_nobody_reads_is_neither_ready_nor_alive() {
    let broker = Broker::start(1);
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut variables = broker.variables();
    for (name, value) in [
        ("KAFKA_GROUP_ID", "g"),
        ("KAFKA_SESSION_TIMEOUT_MS", "6000"),
        ("KAFKA_MAX_POLL_INTERVAL_MS", "6000"),
        ("LOG_MESSAGES", "each"),
        ("HTTP_ADDR", address.as_str()),
    ] {
        variables.push((name.into(), value.into()));
    }
    // The reading end of the pipe stays open, but nothing is read from it, so writing blocks once the pipe is full.
    let (reader, writer) = std::io::pipe().unwrap();
    let service = Process::start_with(binary("consumer-svc"), &[], &variables, Stdio::from(writer));
    let ask = |path: &str| {
        minreq::get(format!("http://{address}{path}")).with_timeout(10).send().map(|response| response.status_code)
    };
    service.wait_until("ready", |_| ask("/readyz").is_ok_and(|status| status == 200));
    let line = br#"{"num": 1, "ts": "2026-11-22 10:00:00"}"#.as_slice();
    broker.write(&vec![Some(line); 2000]);
    service.wait_until("not ready", |_| ask("/readyz").is_ok_and(|status| status == 503));
    service.wait_until("not alive", |_| ask("/livez").is_ok_and(|status| status == 503));
    drop(reader);
}

#[test]
fn an_address_in_use_and_a_missing_address_are_reported() {
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
fn clients_that_send_no_request_do_not_block_other_clients_for_long() {
    let broker = Broker::start(1);
    let service = consumer(&broker.variables(), "g", &[LISTEN]);
    let address = service.http_address();
    let idle: Vec<_> = (0..64).map(|_| std::net::TcpStream::connect(&address).unwrap()).collect();
    // The service closes each idle connection after its time limit, and then answers.
    service.wait_until("ready", is_ready);
    drop(idle);
    assert!(service.stays(Duration::from_millis(300), is_ready));
}

/// When the kernel tries again to open a connection for which the listener had no room.
const CONNECT_RETRY: Duration = Duration::from_secs(1);

/// Opens a connection that behaves badly in one of several ways and keeps it open. The service may close it at any time, but there must
/// be room for it: a probe that has to try again comes too late.
fn misbehave(address: SocketAddr, number: usize) -> Option<TcpStream> {
    let mut stream = TcpStream::connect_timeout(&address, CONNECT_RETRY).expect("the listener has room");
    // The service may read nothing more, and then a write must not wait.
    stream.set_nonblocking(true).ok()?;
    let large = format!("GET /livez HTTP/1.1\r\nhost: x\r\nlarge: {}\r\n", "x".repeat(100_000));
    let sent: &[u8] = match number % 5 {
        0 => b"",
        1 => b"GET /livez HT",
        2 => large.as_bytes(),
        3 => b"\x16\x03\x01\x02\x00\x01\x00 rubbish\r\n\r\n",
        // A request whose answer nobody reads.
        _ => b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n",
    };
    stream.write_all(sent).ok();
    Some(stream)
}

#[test]
fn a_probe_is_answered_in_time_while_a_thousand_other_connections_misbehave() {
    const CONNECTIONS: usize = 1000;
    const ROUNDS: usize = 1;
    let hard = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: hard, maximum: hard }).expect("the limit may be raised");
    let broker = Broker::start(1);
    let mut few_descriptors = broker.variables();
    few_descriptors.push((LISTEN.0.to_owned(), LISTEN.1.to_owned()));
    let program = binary("producer-svc");
    let script = "ulimit -n 60; exec \"$0\"";
    let mut services = [
        producer(&broker.variables(), &[LISTEN, ("PRODUCER_RATE_PER_SEC", "1000")]),
        consumer(&broker.variables(), "g", &[LISTEN]),
        Process::start("/bin/sh".into(), &["-c", script, program.to_str().expect("text")], &few_descriptors),
    ];
    for service in &services {
        service.wait_until("ready", is_ready);
        let address: SocketAddr = service.http_address().parse().expect("an address");
        let before = service.resident_bytes();
        let mut connections = Vec::new();
        let mut closed = 0;
        for round in 0..ROUNDS {
            for number in 0..CONNECTIONS {
                connections.extend(misbehave(address, number));
            }
            for path in ["/livez", "/readyz", "/metrics"] {
                let start = Instant::now();
                assert_eq!(service.ask(path).0, 200, "{path} in round {round}");
                assert!(start.elapsed() < PROBE_TIMEOUT, "{path} took {:?}", start.elapsed());
            }
            for mut connection in connections.drain(..) {
                // Reading says `WouldBlock` only if the service keeps the connection.
                let still_open =
                    connection.read(&mut [0]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
                closed += usize::from(!still_open);
            }
        }
        assert!(
            closed > ROUNDS * (CONNECTIONS - 100),
            "the service kept too many connections open: {closed} were closed"
        );
        let grown = service.resident_bytes().saturating_sub(before);
        assert!(grown < 16 * 1024 * 1024, "{grown} bytes more");
    }
    for service in &mut services {
        assert_eq!(service.stop().0, Some(0), "{}", service.text());
    }
}
