//! OAUTHBEARER with tokens of an identity server that the broker validates: renewal, outages, mistakes, and secrets.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Result, ensure};
use audit::Verdict;
use testbed::{Process, report};

use super::identity_server::{AUDIENCE, CLIENT_ID, ISSUER, IdentityServer};
use super::listeners::Secured;
use super::mistakes::time_between;
use super::{Settings, VALID, at, start};
use crate::claim::claims;
use crate::pair::stop_all;
use crate::resources::Resources;
use crate::topic::Topic;

claims! {
    tokens_are_renewed_while_running_and_an_absent_identity_server_is_waited_for(4);
    each_mistake_with_tokens_is_named_and_ends_or_waits_as_it_should(4);
    no_token_and_no_client_secret_shows_at_the_level_trace(2);
}

/// With characters that are encoded in forms.
pub(super) const SECRET: &str = "hunter2+of the%client";
/// Short, so that there is soon a second token and a second login. With less, a busy machine may leave no time between the arrival of a new
/// token and the end of the session that the broker grants the former one: librdkafka logs in again after nine tenths of it.
const LIFETIME: Duration = Duration::from_secs(10);
const READY: [(&str, &str); 1] = [("HTTP_ADDR", "127.0.0.1:0")];

pub(super) fn identity_server(secured: &Secured, lifetime: Duration) -> Result<IdentityServer> {
    let own = secured.authority.issue("localhost", VALID)?;
    IdentityServer::start(Ipv4Addr::LOCALHOST, secured.signing_key(), &own, SECRET, lifetime)
}

/// Settings with which a client gets tokens that the broker accepts. `more` replaces some of them.
pub(super) fn with_tokens<'a>(
    secured: &Secured,
    server: &IdentityServer,
    more: &[(&'a str, &str)],
) -> Result<Settings<'a>> {
    let ca = secured.file("ca.pem", &secured.authority.certificate)?;
    let audience = format!("audience={AUDIENCE}");
    let mut settings = at(
        secured,
        "TOKEN",
        &[
            ("KAFKA_SSL_CA_LOCATION", &ca),
            ("KAFKA_HTTPS_CA_LOCATION", &ca),
            ("KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL", &server.url()),
            ("KAFKA_SASL_OAUTHBEARER_CLIENT_ID", CLIENT_ID),
            ("KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET", SECRET),
            ("KAFKA_SASL_OAUTHBEARER_SCOPE", "kafka"),
            ("KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_PARAMETERS", &audience),
            ("KAFKA_SASL_OAUTHBEARER_EXTENSIONS", "logicalCluster=lkc-1,identityPoolId=pool-1"),
        ],
    );
    settings.retain(|(name, _)| more.iter().all(|(other, _)| name != other));
    settings.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
    Ok(settings)
}

fn tokens_are_renewed_while_running_and_an_absent_identity_server_is_waited_for(
    resources: &Resources,
) -> Result<String> {
    /// Of each of the two processes: the first token, and eight that follow it every 8 s, which is more than a minute.
    const TOKENS: usize = 2 * 9;
    let secured = resources.secured()?;
    let topic = Topic::create(&secured.endpoint(), 2)?;
    let (present, absent) = (identity_server(secured, LIFETIME)?, identity_server(secured, LIFETIME)?);
    let pair = |server: &IdentityServer, group: &str| -> Result<(Process, Process)> {
        let settings = with_tokens(secured, server, &[])?;
        let replica = start(&topic, false, group, &settings, &READY);
        let producer = start(&topic, true, "", &settings, &[READY[0], ("PRODUCER_RATE_PER_SEC", "50")]);
        Ok((producer, replica))
    };
    let (mut producer, mut replica) = pair(&present, "present")?;
    // The control: the same without renewal.
    let (mut control_producer, mut control_replica) = pair(&absent, "absent")?;
    for process in [&producer, &control_producer] {
        process.wait_until("deliveries", |process| process.delivered_count() > 20);
    }
    for process in [&replica, &control_replica] {
        process.wait_until("messages", |process| process.received_count() > 20);
    }
    // The loop tells its health only a few times a second.
    for process in [&producer, &replica] {
        process.wait_until("ready", |process| process.ask("/readyz").0 == 200);
    }
    absent.set_away(true);
    // What a new broker on a busy machine may have caused until now says nothing about tokens.
    let warnings = |process: &Process| process.text().matches("\"level\":\"WARN\"").count();
    let before = [warnings(&producer), warnings(&replica)];

    let mut asked = 0;
    while present.issued().len() < TOKENS {
        for process in [&producer, &replica] {
            let (status, reason) = process.ask("/readyz");
            ensure!(status == 200, "not ready after {asked} questions: {reason}; {}", process.text());
        }
        asked += 1;
        std::thread::park_timeout(Duration::from_millis(200));
    }
    for process in [&control_producer, &control_replica] {
        process.wait_for("identity server unreachable");
        process.wait_until("not ready", |process| process.ask("/readyz").1.contains("identity server unreachable"));
    }
    absent.set_away(false);
    for process in [&control_producer, &control_replica] {
        process.wait_for("token received again");
        process.wait_until("ready again", |process| process.ask("/readyz").0 == 200);
    }
    stop_all([&mut producer, &mut control_producer])?;
    let sent = producer.delivered_count() + control_producer.delivered_count();
    for replica in [&replica, &control_replica] {
        replica.wait_until("all messages", |replica| replica.received_count() >= sent);
    }
    stop_all([&mut replica, &mut control_replica])?;
    let renewed = report([&producer, &control_producer, &replica]);
    ensure!(renewed.verdict(0) == Verdict::Proven, "{renewed}");
    // Without a token, the replica is no longer in the group, and what it had not committed is repeated, however much that is.
    let interrupted = report([&producer, &control_producer, &control_replica]);
    ensure!(interrupted.verdict(u64::MAX) == Verdict::Proven, "{interrupted}");
    for (process, before) in [&producer, &replica].into_iter().zip(before) {
        ensure!(warnings(process) == before, "{}", process.text());
    }
    for process in [&control_producer, &control_replica] {
        ensure!(process.with_message("broker unreachable").is_empty(), "{}", process.text());
        ensure!(process.with_message("broker refuses the account").is_empty(), "{}", process.text());
    }
    Ok(format!(
        "{} tokens for 2 processes, ready each of {asked} times, 0 WARN; {sent} sent and received, 0 repeated; the 2 controls \
         without renewal were not ready, and went on with the next token",
        present.issued().len()
    ))
}

fn each_mistake_with_tokens_is_named_and_ends_or_waits_as_it_should(resources: &Resources) -> Result<String> {
    const HOUR: Duration = Duration::from_secs(3600);
    let secured = resources.secured()?;
    let topic = Topic::create(&secured.endpoint(), 1)?;
    let server = identity_server(secured, HOUR)?;
    let refusals = [
        (
            with_tokens(secured, &server, &[("KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET", "hunter2-not-this-one")])?,
            "identity server refuses the client",
            ["error", "next_step"],
            ["invalid_client: unknown client, or wrong secret [secret]", "KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET"],
        ),
        (
            with_tokens(
                secured,
                &server,
                &[("KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_PARAMETERS", "audience=another-cluster")],
            )?,
            "broker refuses the account",
            ["token", "next_step"],
            ["another-cluster", "sasl.oauthbearer.expected.audience"],
        ),
    ];
    let mut slowest = Duration::ZERO;
    for (settings, message, fields, words) in &refusals {
        let mut services = [true, false].map(|is_producer| start(&topic, is_producer, "g", settings, &[]));
        for service in &mut services {
            ensure!(service.wait().code() == Some(77), "{}", service.text());
            let lines = service.with_message(message);
            ensure!(lines.len() == 1, "{} lines: {}", lines.len(), service.text());
            for (field, words) in fields.iter().zip(words) {
                let is_there = lines[0][field].as_str().is_some_and(|text| text.contains(words));
                ensure!(is_there, "{field} without {words}: {}", service.text());
            }
            ensure!(!service.text().contains("hunter2"), "a secret is in the log");
            slowest = slowest.max(time_between(service, "service starting", "service stopped")?);
        }
    }
    ensure!(slowest < Duration::from_secs(10), "a service took {slowest:?} to end");

    // What is waited for.
    let waits = [
        (
            with_tokens(secured, &server, &[("KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL", "https://localhost:1/")])?,
            "refused",
        ),
        (
            with_tokens(
                secured,
                &server,
                &[("KAFKA_HTTPS_CA_LOCATION", &secured.file("other.pem", &server_of_others()?)?)],
            )?,
            "certificate verify failed",
        ),
    ];
    for (settings, words) in &waits {
        let mut services = [true, false].map(|is_producer| start(&topic, is_producer, "g", settings, &[]));
        for service in &services {
            service.wait_for("identity server unreachable");
            let line = service.with_message("identity server unreachable").remove(0);
            ensure!(line["error"].as_str().is_some_and(|error| error.contains(words)), "{words}: {}", service.text());
            ensure!(service.with_message("broker unreachable").is_empty(), "{}", service.text());
            let waited = time_between(service, "service starting", "identity server unreachable")?;
            ensure!(waited < Duration::from_secs(5), "the line came after {waited:?}");
        }
        for service in &mut services {
            let (code, took) = service.stop();
            ensure!(code == Some(0) && took < Duration::from_secs(3), "{code:?} after {took:?}: {}", service.text());
        }
    }

    // What is refused before anybody is contacted.
    let contacts = server.contacts();
    let wrong = with_tokens(secured, &server, &[("KAFKA_SASL_OAUTHBEARER_EXTENSIONS", "no value")])?;
    for is_producer in [true, false] {
        ensure!(start(&topic, is_producer, "g", &wrong, &[]).wait().code() == Some(64), "the settings are accepted");
    }
    ensure!(server.contacts() == contacts, "the identity server was contacted with wrong settings");
    Ok(format!(
        "2 refusals ended both services with 77 after at most {:.1} s, 2 outages were waited for, 1 wrong setting ended with 64; \
         the issuer was {ISSUER}",
        slowest.as_secs_f64()
    ))
}

/// A certificate of an authority that has issued nothing here.
fn server_of_others() -> Result<String> {
    Ok(super::authority::Authority::new("another authority")?.certificate)
}

fn no_token_and_no_client_secret_shows_at_the_level_trace(resources: &Resources) -> Result<String> {
    const VERBOSE: [(&str, &str); 3] = [("RUST_LOG", "trace"), ("KAFKA_PROP_DEBUG", "all"), READY[0]];
    let secured = resources.secured()?;
    let topic = Topic::create(&secured.endpoint(), 1)?;
    let server = identity_server(secured, LIFETIME)?;
    let secret_file = secured.file("client-secret", SECRET)?;
    let mut settings = with_tokens(secured, &server, &[("KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET_FILE", &secret_file)])?;
    settings.retain(|(name, _)| *name != "KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET");
    let mut services = [true, false].map(|is_producer| start(&topic, is_producer, "g", &settings, &VERBOSE));
    let mut texts = Vec::new();
    for service in &mut services {
        service.wait_until("ready", |service| service.ask("/readyz").0 == 200);
        service.wait_until("several tokens", |_| server.issued().len() >= 2 * 3);
        let answers = [service.ask("/metrics").1, service.ask("/readyz").1, service.command_line()].concat();
        stop_all([&mut *service])?;
        texts.push(service.text() + &answers);
    }
    let mut secrets = super::secrets::forms(SECRET);
    // The signature is the part without which a token is worth nothing.
    secrets.extend(server.issued().iter().filter_map(|token| token.rsplit('.').next().map(str::to_owned)));
    for text in &texts {
        ensure!(text.contains("OAUTHBEARER"), "librdkafka's own lines are missing");
        let found = secrets.iter().find(|secret| text.contains(secret.as_str()));
        ensure!(found.is_none(), "{found:?} shows");
    }
    let searched: usize = texts.iter().map(String::len).sum();
    Ok(format!("{} tokens, {:.1} MB of text searched", server.issued().len(), searched as f64 / 1e6))
}
