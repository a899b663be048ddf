//! Each mistake in what concerns TLS is named, either before any contact or by its cause in the log.

use std::net::TcpListener;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use testbed::Process;

use super::authority::{Authority, Identity};
use super::listeners::Secured;
use super::{KEY_PASSWORD, PASSWORD, Settings, VALID, at, start};
use crate::claim::claims;
use crate::pair::stop_all;
use crate::resources::Resources;
use crate::topic::Topic;

claims! {
    // With more processes, it is the machine that makes a line late.
    each_mistake_is_logged_once_within_five_seconds_with_its_cause_and_the_next_step(16);
    mistakes_in_certificates_and_keys_end_with_exit_code_64_before_any_contact(1);
}

/// Services that run at once.
const AT_ONCE: usize = 5;
const LIMIT: Duration = Duration::from_secs(5);

/// Settings with a mistake, and words of the cause and of the next step.
type Mistake<'a> = (Settings<'a>, &'a str, &'a str);

fn mistakes<'a>(secured: &Secured) -> Result<Vec<Mistake<'a>>> {
    let other = Authority::new("another authority")?;
    let stranger = other.issue("stranger", VALID)?;
    let ca = secured.file("ca.pem", &secured.authority.certificate)?;
    let other_ca = secured.file("other-ca.pem", &other.certificate)?;
    let ca_file = ("KAFKA_SSL_CA_LOCATION", ca.as_str());
    let account =
        [("KAFKA_SASL_MECHANISM", "SCRAM-SHA-512"), ("KAFKA_SASL_USERNAME", "me"), ("KAFKA_SASL_PASSWORD", PASSWORD)];
    let with_certificate =
        [ca_file, ("KAFKA_SSL_CERTIFICATE_PEM", &stranger.certificate), ("KAFKA_SSL_KEY_PEM", &stranger.key)];
    let address = |servers: &str| vec![("KAFKA_BOOTSTRAP_SERVERS", servers.to_owned())];
    Ok(vec![
        (
            at(secured, "TLS", &[("KAFKA_SSL_CA_LOCATION", &other_ca)]),
            "a CA that is not trusted",
            "KAFKA_SSL_CA_LOCATION",
        ),
        (
            at(secured, "TLS", &[("KAFKA_SECURITY_PROTOCOL", "SSL")]),
            "a CA that is not trusted",
            "KAFKA_SSL_CA_LOCATION",
        ),
        (at(secured, "SELFSIGNED", &[ca_file]), "is self-signed", "KAFKA_SSL_CA_LOCATION"),
        (at(secured, "EXPIRED", &[ca_file]), "the broker's certificate has expired", "renew the certificate"),
        (at(secured, "FUTURE", &[ca_file]), "the broker's certificate is not valid yet", "check the clocks"),
        (at(secured, "OTHERNAME", &[ca_file]), "does not contain the name localhost", "KAFKA_BOOTSTRAP_SERVERS"),
        (
            at(secured, "MUTUAL", &[ca_file]),
            "requires a client certificate, and none is set",
            "KAFKA_SSL_CERTIFICATE_LOCATION",
        ),
        (at(secured, "MUTUAL", &with_certificate), "rejects this client's certificate", "in the broker's trust store"),
        (at(secured, "PLAIN", &[ca_file]), "is this a port without TLS?", "unset KAFKA_SSL_*"),
        (at(secured, "TLS", &[]), "is this a TLS port?", "KAFKA_SECURITY_PROTOCOL"),
        (at(secured, "SCRAM", &account), "is this a TLS port?", "KAFKA_SECURITY_PROTOCOL"),
        (at(secured, "SCRAM", &[ca_file]), "does this port require an account?", "KAFKA_SASL_USERNAME"),
        (at(secured, "TLS", &[ca_file, account[0], account[1], account[2]]), "takes no account", "unset KAFKA_SASL_*"),
        (address("localhost:1"), "nothing listens", "KAFKA_BOOTSTRAP_SERVERS"),
        (address("no-such-host.invalid:9092"), "cannot be resolved", "KAFKA_BOOTSTRAP_SERVERS"),
    ])
}

fn each_mistake_is_logged_once_within_five_seconds_with_its_cause_and_the_next_step(
    resources: &Resources,
) -> Result<String> {
    let secured = resources.secured()?;
    let topic = Topic::create(&secured.endpoint(), 1)?;
    let mistakes = mistakes(secured)?;
    let mut slowest = Duration::ZERO;
    for is_producer in [true, false] {
        for some in mistakes.chunks(AT_ONCE) {
            let mut services: Vec<_> = some
                .iter()
                .map(|(settings, ..)| start(&topic, is_producer, "g", settings, &[("RUST_LOG", "warn")]))
                .collect();
            for (service, (_, cause, next_step)) in services.iter().zip(some) {
                service.wait_for("broker unreachable");
                slowest = slowest.max(time_between(service, "service starting", "broker unreachable")?);
                let lines = service.with_message("broker unreachable");
                let has = |field: &str, words: &str| lines[0][field].as_str().is_some_and(|text| text.contains(words));
                ensure!(has("cause", cause) && has("next_step", next_step), "{cause}; {next_step}: {}", service.text());
                ensure!(lines.len() == 1, "more than one line: {}", service.text());
            }
            stop_all(&mut services)?;
            for service in &services {
                ensure!(
                    !service.text().contains("hunter2") && !service.text().contains("MII"),
                    "a secret is in the log"
                );
            }
        }
    }
    ensure!(slowest < LIMIT, "a line came after {slowest:?}");
    Ok(format!("{} mistakes on both services, after at most {:.1} s", mistakes.len(), slowest.as_secs_f64()))
}

/// The time between the first lines with these messages in the log of a service.
pub(super) fn time_between(service: &Process, first: &str, second: &str) -> Result<Duration> {
    const DAY: u64 = 24 * 60 * 60 * 1000;
    let time = |message: &str| -> Result<u64> {
        let lines = service.with_message(message);
        let timestamp =
            lines.first().and_then(|line| line["timestamp"].as_str()).context("a line with a time stamp")?;
        // The time of the day in `2026-01-31T12:34:56.789Z`.
        let digits = |range: std::ops::Range<usize>| -> Result<u64> {
            Ok(timestamp.get(range).context("a time stamp")?.parse()?)
        };
        Ok(((digits(11..13)? * 60 + digits(14..16)?) * 60 + digits(17..19)?) * 1000 + digits(20..23)?)
    };
    Ok(Duration::from_millis((time(second)? + DAY - time(first)?) % DAY))
}

fn mistakes_in_certificates_and_keys_end_with_exit_code_64_before_any_contact(resources: &Resources) -> Result<String> {
    let secured = resources.secured()?;
    let topic = Topic::create(&secured.endpoint(), 1)?;
    let port = TcpListener::bind("127.0.0.1:0")?;
    port.set_nonblocking(true)?;
    let address = port.local_addr()?.to_string();
    let authority = &secured.authority;
    let (client, other) = (authority.issue("client", VALID)?, authority.issue("client", VALID)?);
    let (expired, future) = (authority.issue("client", (2020, 2021))?, authority.issue("client", (2090, 2100))?);
    let encrypted = client.encrypted_key(KEY_PASSWORD)?;
    let java_key_store = secured.java_key_store()?;
    fn own<'a>(identity: &'a Identity, key: &'a str) -> Vec<(&'static str, &'a str)> {
        vec![("KAFKA_SSL_CERTIFICATE_PEM", identity.certificate.as_str()), ("KAFKA_SSL_KEY_PEM", key)]
    }
    let mut wrong_password = own(&client, &encrypted);
    wrong_password.push(("KAFKA_SSL_KEY_PASSWORD", "hunter2-not-this-one"));
    let cases = [
        (own(&expired, &expired.key), "KAFKA_SSL_CERTIFICATE_PEM contains a certificate that has expired"),
        (own(&future, &future.key), "KAFKA_SSL_CERTIFICATE_PEM contains a certificate that is not valid before"),
        (own(&client, &other.key), "KAFKA_SSL_KEY_PEM is not the key of the client's certificate"),
        (own(&client, &encrypted), "KAFKA_SSL_KEY_PASSWORD is not set"),
        (wrong_password, "KAFKA_SSL_KEY_PASSWORD does not decrypt the key"),
        (vec![("KAFKA_SSL_CERTIFICATE_PEM", client.certificate.as_str())], "KAFKA_SSL_KEY_LOCATION is not set"),
        (vec![("KAFKA_SSL_CA_LOCATION", java_key_store.as_str())], "KAFKA_SSL_CA_LOCATION contains a Java key store"),
    ];
    for (settings, words) in &cases {
        let settings: Settings<'_> = settings.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        for is_producer in [true, false] {
            let servers = [("KAFKA_BOOTSTRAP_SERVERS", address.as_str())];
            let mut service = start(&topic, is_producer, "g", &settings, &servers);
            ensure!(service.wait().code() == Some(64), "{words}: {}", service.text());
            ensure!(service.text().contains(words), "{words}: {}", service.text());
            ensure!(!service.text().contains("hunter2") && !service.text().contains("MII"), "a secret is shown");
        }
    }
    ensure!(port.accept().is_err(), "a service contacted the broker");
    // Negative control: with valid settings a service does contact it.
    let valid = own(&client, &client.key).into_iter().map(|(name, value)| (name, value.to_owned())).collect();
    let service = start(&topic, true, "", &valid, &[("KAFKA_BOOTSTRAP_SERVERS", &address)]);
    service.wait_until("contact", |_| port.accept().is_ok());
    drop(service);
    Ok(format!("{} mistakes on both services", cases.len()))
}
