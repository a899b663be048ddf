//! The sandbox shows a Kafka of somebody else that is secured. The tests build it with TLS.

use std::time::Duration;

use anyhow::{Result, ensure};
use testbed::{Process, binary};

use super::listeners::Secured;
use super::tokens::{SECRET, identity_server, with_tokens};
use super::{PASSWORD, Settings, at};
use crate::claim::claims;
use crate::resources::Resources;
use crate::topic::Topic;

claims! {
    the_sandbox_uses_a_kafka_with_tls_and_an_account(3);
    the_sandbox_uses_a_kafka_with_tokens(3);
}

const MESSAGES: u64 = 200;

fn the_sandbox_uses_a_kafka_with_tls_and_an_account(resources: &Resources) -> Result<String> {
    let secured = resources.secured()?;
    secured.set_password("of-sandbox", PASSWORD)?;
    let ca = secured.file("ca.pem", &secured.authority.certificate)?;
    let account = [
        ("KAFKA_SSL_CA_LOCATION", ca.as_str()),
        ("KAFKA_SASL_MECHANISM", "SCRAM-SHA-512"),
        ("KAFKA_SASL_USERNAME", "of-sandbox"),
        ("KAFKA_SASL_PASSWORD", PASSWORD),
    ];
    let mut sandbox = start(secured, at(secured, "SCRAM", &account))?;
    ensure!(!proven(&mut sandbox)?.contains(PASSWORD), "the password shows");
    Ok(format!("{MESSAGES} messages over TLS with SCRAM: PROVEN"))
}

/// The tokens are so short-lived that the sandbox's own client needs several. A secret that the identity server refuses ends the sandbox.
fn the_sandbox_uses_a_kafka_with_tokens(resources: &Resources) -> Result<String> {
    let secured = resources.secured()?;
    let server = identity_server(secured, Duration::from_secs(4))?;
    let mut sandbox = start(secured, with_tokens(secured, &server, &[])?)?;
    ensure!(!proven(&mut sandbox)?.contains(SECRET), "the secret shows");
    let issued = server.issued().len();

    let wrong = [("KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET", "hunter2-not-this-one")];
    let mut refused = start(secured, with_tokens(secured, &server, &wrong)?)?;
    let code = refused.wait().code();
    let text = refused.text();
    ensure!(code == Some(1) && text.contains("no token: ") && text.contains("invalid_client"), "{code:?}: {text}");
    ensure!(!text.contains("hunter2"), "the secret shows: {text}");
    Ok(format!("{MESSAGES} messages with {issued} tokens: PROVEN; 1 wrong secret was refused"))
}

/// Starts the sandbox with these settings and a topic of its own.
fn start(secured: &Secured, settings: Settings<'_>) -> Result<Process> {
    let topic = Topic::create(&secured.endpoint(), 4)?;
    let mut variables: Vec<_> = settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    variables.push(("KAFKA_TOPIC".to_owned(), topic.name));
    let count = MESSAGES.to_string();
    let arguments = ["--external", "--no-page", "--count", &count, "--rate", "50"];
    Ok(Process::start(binary("sandbox"), &arguments, &variables))
}

/// Waits until the sandbox ends, and returns what it printed.
fn proven(sandbox: &mut Process) -> Result<String> {
    let code = sandbox.wait().code();
    let text = sandbox.text();
    ensure!(code == Some(0), "exit code {code:?}: {text}");
    ensure!(text.contains(&format!("received {MESSAGES}  distinct {MESSAGES}")), "{text}");
    ensure!(text.contains("verdict: PROVEN"), "{text}");
    Ok(text)
}
