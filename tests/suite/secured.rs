//! TLS on a real broker: each way to use it, and each mistake, by its cause in the log.

mod authority;
pub(crate) mod listeners;

use std::net::TcpListener;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use audit::Verdict;
use testbed::{Process, consumer, producer, report};

use self::authority::{Authority, Identity};
use self::listeners::Secured;
use crate::claim::claims;
use crate::pair::stop_all;
use crate::resources::Resources;
use crate::topic::Topic;

claims! {
    tls_mutual_tls_and_scram_over_tls_work_with_certificates_by_file_and_by_value(8);
    // With more processes, it is the machine that makes a line late.
    each_mistake_is_logged_once_within_five_seconds_with_its_cause_and_the_next_step(16);
    another_password_in_the_file_is_taken_up_without_a_restart_and_loses_nothing(3);
    no_secret_shows_at_the_level_trace_in_any_output_or_answer_of_a_service(8);
    mistakes_in_certificates_and_keys_end_with_exit_code_64_before_any_contact(1);
}

const KEY_PASSWORD: &str = "hunter2-of-the-key";
const PASSWORD: &str = "hunter2-of-the-account";
/// A secret with characters that are encoded in URLs.
const CANARY: &str = "hunter2+c4n/4ry?of=all";
const VALID: (i32, i32) = (2020, 2100);
/// Services that run at once.
const AT_ONCE: usize = 5;
const LIMIT: Duration = Duration::from_secs(5);

type Settings<'a> = Vec<(&'a str, String)>;

/// Settings for `listener`, and `more`.
fn at<'a>(secured: &Secured, listener: &str, more: &[(&'a str, &str)]) -> Settings<'a> {
    let mut settings = vec![("KAFKA_BOOTSTRAP_SERVERS", secured.address(listener))];
    settings.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
    settings
}

/// Starts a service. Its settings replace the address in the variables of the topic.
fn start(topic: &Topic, is_producer: bool, group: &str, settings: &Settings<'_>, more: &[(&str, &str)]) -> Process {
    let settings = settings.iter().map(|(name, value)| (*name, value.as_str()));
    let settings: Vec<_> = settings.chain(more.iter().copied()).collect();
    if is_producer {
        producer(&topic.variables(), &settings)
    } else {
        consumer(&topic.variables(), &topic.group(group), &settings)
    }
}

fn tls_mutual_tls_and_scram_over_tls_work_with_certificates_by_file_and_by_value(
    resources: &Resources,
) -> Result<String> {
    const MESSAGES: u64 = 20;
    let secured = resources.secured()?;
    let topic = Topic::create(&secured.endpoint(), 2)?;
    secured.set_password("by-scram", PASSWORD)?;
    let client = secured.authority.issue("client", VALID)?;
    let ca = secured.file("ca.pem", &secured.authority.certificate)?;
    let certificate = secured.file("client.pem", &client.certificate)?;
    let key = secured.file("client.key", &client.key)?;
    let encrypted = client.encrypted_key(KEY_PASSWORD)?;
    let encrypted_file = secured.file("client-encrypted.key", &encrypted)?;
    let key_password = secured.file("key-password", KEY_PASSWORD)?;
    let password = secured.file("password", PASSWORD)?;
    let in_one_line = secured.authority.certificate.replace('\n', "\\n");
    let ca_file = ("KAFKA_SSL_CA_LOCATION", ca.as_str());
    let ways = [
        at(secured, "TLS", &[ca_file]),
        at(secured, "TLS", &[("KAFKA_SSL_CA_PEM", &in_one_line)]),
        at(secured, "TLS", &[("KAFKA_SSL_CA_PEM_FILE", &ca)]),
        at(
            secured,
            "MUTUAL",
            &[ca_file, ("KAFKA_SSL_CERTIFICATE_LOCATION", &certificate), ("KAFKA_SSL_KEY_LOCATION", &key)],
        ),
        at(
            secured,
            "MUTUAL",
            &[
                ca_file,
                ("KAFKA_SSL_CERTIFICATE_PEM", &client.certificate),
                ("KAFKA_SSL_KEY_PEM", &encrypted),
                ("KAFKA_SSL_KEY_PASSWORD", KEY_PASSWORD),
            ],
        ),
        at(
            secured,
            "MUTUAL",
            &[
                ca_file,
                ("KAFKA_SSL_CERTIFICATE_PEM_FILE", &certificate),
                ("KAFKA_SSL_KEY_LOCATION", &encrypted_file),
                ("KAFKA_SSL_KEY_PASSWORD_FILE", &key_password),
            ],
        ),
        at(
            secured,
            "SCRAM",
            &[
                ca_file,
                ("KAFKA_SASL_MECHANISM", "SCRAM-SHA-512"),
                ("KAFKA_SASL_USERNAME", "by-scram"),
                ("KAFKA_SASL_PASSWORD_FILE", &password),
            ],
        ),
    ];
    let messages = MESSAGES.to_string();
    let load = [("PRODUCER_RATE_PER_SEC", "100"), ("PRODUCER_MAX_MESSAGES", messages.as_str())];
    let mut producers: Vec<_> = ways.iter().map(|way| start(&topic, true, "", way, &load)).collect();
    for producer in &mut producers {
        ensure!(producer.wait().code() == Some(0), "{}", producer.text());
    }
    let sent = MESSAGES * ways.len() as u64;
    let mut replicas = Vec::new();
    for (number, way) in ways.iter().enumerate() {
        // A group for each, so that each receives all messages.
        replicas.push(start(&topic, false, &number.to_string(), way, &[]));
    }
    for replica in &replicas {
        replica.wait_until("all messages", |replica| replica.received_count() >= sent);
    }
    stop_all(&mut replicas)?;
    for process in producers.iter().chain(&replicas) {
        ensure!(process.with_message("broker unreachable").is_empty(), "{}", process.text());
        ensure!(!process.text().contains("hunter2") && !process.text().contains("MII"), "a secret is in the log");
    }
    Ok(format!("{} ways, {sent} messages sent, each received by {} replicas", ways.len(), replicas.len()))
}

fn another_password_in_the_file_is_taken_up_without_a_restart_and_loses_nothing(
    resources: &Resources,
) -> Result<String> {
    const NEW_PASSWORD: &str = "hunter2-after-the-rotation";
    let secured = resources.secured()?;
    let topic = Topic::create(&secured.endpoint(), 1)?;
    secured.set_password("rotated", PASSWORD)?;
    let ca = secured.file("ca.pem", &secured.authority.certificate)?;
    let password = secured.file("rotated-password", &format!("{PASSWORD}\n"))?;
    let account = [
        ("KAFKA_SSL_CA_LOCATION", ca.as_str()),
        ("KAFKA_SASL_MECHANISM", "SCRAM-SHA-512"),
        ("KAFKA_SASL_USERNAME", "rotated"),
        ("RUST_LOG", "info,librdkafka=trace"),
    ];
    let from_file = at(secured, "SCRAM", &[account.as_slice(), &[("KAFKA_SASL_PASSWORD_FILE", &password)]].concat());
    let from_variable = at(secured, "SCRAM", &[account.as_slice(), &[("KAFKA_SASL_PASSWORD", PASSWORD)]].concat());
    let mut replica = start(&topic, false, "g", &from_file, &[]);
    let mut control = start(&topic, false, "control", &from_variable, &[]);
    let mut producer = start(&topic, true, "", &from_file, &[("PRODUCER_RATE_PER_SEC", "20")]);
    for process in [&replica, &control] {
        process.wait_until("messages", |process| process.received_count() > 20);
    }
    secured.set_password("rotated", NEW_PASSWORD)?;
    // The broker ends sessions regularly, so everybody is refused until the file is changed.
    control.wait_for("broker refuses the account");
    secured.file("rotated-password", &format!("{NEW_PASSWORD}\n"))?;
    for process in [&replica, &producer] {
        process.wait_for("password taken up from its file");
    }
    let delivered = producer.delivered_count();
    producer.wait_until("deliveries with the new password", |producer| producer.delivered_count() > delivered + 200);
    stop_all([&mut producer])?;
    let sent = producer.delivered_count();
    replica.wait_until("all messages", |replica| replica.received_count() >= sent);
    stop_all([&mut replica])?;
    let report = report([&producer, &replica]);
    ensure!(report.verdict(0) == Verdict::Proven, "{report}");
    ensure!(control.received_count() < sent, "the control received everything, so nobody was refused");
    control.stop();
    for process in [&producer, &replica, &control] {
        ensure!(!process.text().contains("hunter2"), "a password is in the log");
    }
    Ok(format!(
        "{sent} sent, {} received, 0 repeated; the control with the password in a variable was refused",
        replica.received_count()
    ))
}

fn no_secret_shows_at_the_level_trace_in_any_output_or_answer_of_a_service(resources: &Resources) -> Result<String> {
    const VERBOSE: [(&str, &str); 3] =
        [("RUST_LOG", "trace"), ("KAFKA_PROP_DEBUG", "all"), ("HTTP_ADDR", "127.0.0.1:0")];
    let secured = resources.secured()?;
    let topic = Topic::create(&secured.endpoint(), 1)?;
    secured.set_password("canary", CANARY)?;
    let client = secured.authority.issue("client", VALID)?;
    let encrypted = client.encrypted_key(CANARY)?;
    let ca = secured.file("ca.pem", &secured.authority.certificate)?;
    let secret_file = secured.file("canary", CANARY)?;
    let key_file = secured.file("canary-key", &client.key)?;
    let ca_file = ("KAFKA_SSL_CA_LOCATION", ca.as_str());
    let certificate = ("KAFKA_SSL_CERTIFICATE_PEM", client.certificate.as_str());
    let user = ("KAFKA_SASL_USERNAME", "canary");
    let scram = ("KAFKA_SASL_MECHANISM", "SCRAM-SHA-512");
    let claims = format!("principal={CANARY} scope={CANARY}");
    let url = format!("SASL_SSL://canary:{CANARY}@localhost:9092");
    let working = [
        at(secured, "SCRAM", &[ca_file, scram, user, ("KAFKA_SASL_PASSWORD", CANARY)]),
        at(secured, "SCRAM", &[ca_file, scram, user, ("KAFKA_SASL_PASSWORD_FILE", &secret_file)]),
        at(secured, "MUTUAL", &[ca_file, certificate, ("KAFKA_SSL_KEY_PEM", &client.key)]),
        at(secured, "MUTUAL", &[ca_file, certificate, ("KAFKA_SSL_KEY_PEM_FILE", &key_file)]),
        at(
            secured,
            "MUTUAL",
            &[ca_file, certificate, ("KAFKA_SSL_KEY_PEM", &encrypted), ("KAFKA_SSL_KEY_PASSWORD", CANARY)],
        ),
        at(secured, "TLS", &[ca_file, ("KAFKA_PROP_SASL_KERBEROS_PRINCIPAL", CANARY)]),
    ];
    let failing = [
        at(secured, "SCRAM", &[ca_file, scram, ("KAFKA_SASL_USERNAME", "nobody"), ("KAFKA_SASL_PASSWORD", CANARY)]),
        at(secured, "SCRAM", &[ca_file, ("KAFKA_SASL_OAUTHBEARER_CONFIG", &claims)]),
        at(
            secured,
            "MUTUAL",
            &[ca_file, certificate, ("KAFKA_SSL_KEY_PEM", &encrypted), ("KAFKA_SSL_KEY_PASSWORD", "wrong")],
        ),
        at(secured, "MUTUAL", &[ca_file, ("KAFKA_SSL_KEY_PEM", CANARY), ("KAFKA_SSL_CERTIFICATE_PEM", CANARY)]),
        at(
            secured,
            "TLS",
            &[("KAFKA_PROP_SSL_KEYSTORE_LOCATION", &secret_file), ("KAFKA_PROP_SSL_KEYSTORE_PASSWORD", CANARY)],
        ),
        at(secured, "TLS", &[ca_file, ("KAFKA_PROP_QUEUED_MIN_MESSAGES", CANARY), ("KAFKA_LINGER_MS", CANARY)]),
        vec![("KAFKA_BOOTSTRAP_SERVERS", url)],
    ];
    let mut secrets = forms(CANARY);
    // The lines of the keys. The first line of a key tells its algorithm only.
    let of_keys = client.key.lines().chain(encrypted.lines()).filter(|line| !line.starts_with("-----")).skip(1);
    secrets.extend(of_keys.filter(|line| line.len() >= 16).map(str::to_owned));
    let found = |text: &str| secrets.iter().find(|secret| text.contains(secret.as_str())).cloned();
    // Negative control: each form is found where it is.
    ensure!(secrets.iter().all(|secret| found(&format!("at trace: {secret}.")).is_some()), "the search finds nothing");
    let mut searched = 0;
    for is_producer in [true, false] {
        let start_all = |all: &[Settings<'_>]| -> Vec<Process> {
            all.iter().map(|settings| start(&topic, is_producer, "g", settings, &VERBOSE)).collect()
        };
        for (mut service, settings) in start_all(&working).into_iter().zip(&working) {
            service.wait_until("ready", |service| service.ask("/readyz").0 == 200);
            let answers = [service.ask("/metrics").1, service.ask("/readyz").1, service.command_line()].concat();
            ensure!(service.stop().0 == Some(0), "{}", service.text());
            ensure!(service.text().contains("librdkafka"), "librdkafka's own lines are missing");
            let text = service.text() + &answers;
            ensure!(found(&text).is_none(), "{:?} shows with {settings:?}", found(&text));
            searched += text.len();
        }
        for (mut service, settings) in start_all(&failing).into_iter().zip(&failing) {
            let code = service.wait().code();
            ensure!(matches!(code, Some(64 | 77)), "{code:?}: {}", service.text());
            ensure!(found(&service.text()).is_none(), "{:?} shows with {settings:?}", found(&service.text()));
            searched += service.text().len();
        }
    }
    let ways = working.len() + failing.len();
    Ok(format!("{ways} ways on both services, {:.1} MB of text searched", searched as f64 / 1e6))
}

/// A secret as it may appear: as it is, percent-encoded, and inside of something that is encoded in Base64.
fn forms(secret: &str) -> Vec<String> {
    let percent = |c: char| if c.is_ascii_alphanumeric() { c.to_string() } else { format!("%{:02X}", c as u32) };
    let mut forms = vec![secret.to_owned(), secret.chars().map(percent).collect()];
    // What surrounds the secret decides how its bytes are distributed on the characters.
    for before in 0..3 {
        let bytes = [vec![0; before], secret.as_bytes().to_vec()].concat();
        let encoded = openssl::base64::encode_block(&bytes);
        let own = (before * 8).div_ceil(6)..bytes.len() * 8 / 6;
        forms.push(encoded[own.clone()].to_owned());
        forms.push(encoded[own].replace('+', "-").replace('/', "_"));
    }
    forms
}

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
fn time_between(service: &Process, first: &str, second: &str) -> Result<Duration> {
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
