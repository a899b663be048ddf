//! The line about an obstacle: what it is, for how long, and what to do about it.

use tracing::warn;

use super::super::obstacle::{Kind, Obstacle};
use super::Access;

const START_BROKER: &str =
    "start the broker, or correct KAFKA_BOOTSTRAP_SERVERS, KAFKA_SECURITY_PROTOCOL or the account";
const CREATE_TOPIC: &str = "create the topic, or correct KAFKA_TOPIC";
const CORRECT_ACCOUNT: &str = "correct KAFKA_SASL_*, or grant the account its rights";
const COMPARE_TOKEN: &str = "compare what the token says with what the broker expects: `aud` with sasl.oauthbearer.expected.audience, `iss` \
                             with sasl.oauthbearer.expected.issuer, and the keys of the issuer with sasl.oauthbearer.jwks.endpoint.url";

impl Access {
    /// Logs an obstacle that has lasted for `waited_s` seconds.
    pub(super) fn warn(&self, Obstacle { kind, reason: error, failures, .. }: &Obstacle, waited_s: u64) {
        let (bootstrap_servers, topic) = (&self.bootstrap_servers, &self.topic);
        match kind {
            Kind::Unreachable => {
                let cause = self.explanation.cause();
                let next_step = cause.as_ref().map_or(START_BROKER, |cause| cause.next_step);
                let cause = cause.as_ref().map(|cause| cause.what.as_str());
                warn!(bootstrap_servers, waited_s, failures, cause, next_step, error, "broker unreachable");
            }
            Kind::TopicMissing => {
                let next_step = CREATE_TOPIC;
                warn!(topic, bootstrap_servers, waited_s, failures, next_step, error, "topic missing");
            }
            Kind::Unauthenticated | Kind::Unauthorised => {
                let token = self.tokens.claims();
                let is_token_refused = *kind == Kind::Unauthenticated && token.is_some();
                let next_step = if is_token_refused { COMPARE_TOKEN } else { CORRECT_ACCOUNT };
                let token = token.as_deref();
                warn!(
                    topic,
                    bootstrap_servers, waited_s, failures, token, next_step, error, "broker refuses the account"
                );
            }
            // A missing token is logged with the tokens.
            Kind::IdentityServerUnreachable | Kind::ClientRefused => {}
        }
    }
}
