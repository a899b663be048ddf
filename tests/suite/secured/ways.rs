//! Each way to use TLS works, on both services.

use anyhow::{Result, ensure};

use super::{KEY_PASSWORD, PASSWORD, VALID, at, start};
use crate::claim::claims;
use crate::pair::stop_all;
use crate::resources::Resources;
use crate::topic::Topic;

claims! {
    tls_mutual_tls_and_scram_over_tls_work_with_certificates_by_file_and_by_value(8);
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
