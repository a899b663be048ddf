//! Passwords and keys: they show nowhere, and another password is taken up while a service runs.

use anyhow::{Result, ensure};
use audit::Verdict;
use testbed::{Process, report};

use super::{PASSWORD, Settings, VALID, at, start};
use crate::claim::claims;
use crate::pair::stop_all;
use crate::resources::Resources;
use crate::topic::Topic;

claims! {
    another_password_in_the_file_is_taken_up_without_a_restart_and_loses_nothing(3);
    no_secret_shows_at_the_level_trace_in_any_output_or_answer_of_a_service(8);
}

/// A secret with characters that are encoded in URLs.
const CANARY: &str = "hunter2+c4n/4ry?of=all";

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
            stop_all([&mut service])?;
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
pub(super) fn forms(secret: &str) -> Vec<String> {
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
