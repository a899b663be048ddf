//! TLS, accounts over TLS, tokens, rights, and secrets, on a real broker with certificates of the tests' own CA.

mod authority;
mod identity_server;
pub(crate) mod listeners;
mod mistakes;
mod rights;
mod sandbox;
mod secrets;
mod tokens;
mod ways;

use testbed::{Process, consumer, producer};

use self::listeners::Secured;
use crate::claim::Claim;
use crate::topic::Topic;

/// The tests of this folder.
pub(crate) fn claims() -> Vec<Claim> {
    let claims =
        [tokens::claims(), rights::claims(), ways::claims(), sandbox::claims(), mistakes::claims(), secrets::claims()];
    claims.into_iter().flatten().collect()
}

const KEY_PASSWORD: &str = "hunter2-of-the-key";
const PASSWORD: &str = "hunter2-of-the-account";
/// The years in which a valid certificate is valid.
const VALID: (i32, i32) = (2020, 2100);

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
