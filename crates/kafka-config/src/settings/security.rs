//! Whether the connection is encrypted, and how the client logs in.

mod certificates;
pub(crate) mod identity;
pub(crate) mod password_file;
mod tls;
mod unsecured;

use serde::Deserialize;

use crate::librdkafka::properties::Properties;
use crate::settings::checker::Checker;
use crate::settings::choices::{SASL_MECHANISMS, SECURITY_PROTOCOLS, SaslMechanism, SecurityProtocol};
use crate::settings::passthrough;
use crate::variables::variable::{
    KAFKA_SASL_MECHANISM, KAFKA_SASL_OAUTHBEARER_CONFIG, KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL,
    KAFKA_SASL_PASSWORD, KAFKA_SASL_USERNAME, KAFKA_SECURITY_PROTOCOL,
};

use identity::{IdentityServer, RawIdentity};
use password_file::PasswordFile;
use tls::RawTls;

#[derive(Default, Deserialize)]
struct RawSecurity {
    security_protocol: Option<String>,
    sasl_mechanism: Option<String>,
    sasl_username: Option<String>,
    sasl_password: Option<String>,
    sasl_oauthbearer_config: Option<String>,
}

/// Which of the ways to log in the settings are about.
#[derive(Debug, Clone, Copy)]
struct Account {
    has_password: bool,
    /// Whether a setting of an identity server is set.
    has_identity_server: bool,
    /// Whether the claims of an unsecured token are set.
    has_unsecured_token: bool,
}

impl Account {
    fn has_token(self) -> bool {
        self.has_identity_server || self.has_unsecured_token
    }
}

/// The names that the settings use, for logs and errors, and what the services need to log in.
#[derive(Debug)]
pub(crate) struct Security {
    pub(crate) protocol: SecurityProtocol,
    pub(crate) mechanism: Option<SaslMechanism>,
    pub(crate) password_file: Option<PasswordFile>,
    pub(crate) identity_server: Option<IdentityServer>,
    pub(crate) has_unsecured_token: bool,
}

impl Security {
    pub(crate) fn read(checker: &mut Checker<'_>, properties: &mut Properties) -> Self {
        let raw: RawSecurity = checker.fields("KAFKA_");
        let raw_tls: RawTls = checker.fields("KAFKA_");
        let raw_identity: RawIdentity = checker.fields("KAFKA_");
        let identity_variables = raw_identity.variables(checker);
        // The problem with a secret's file is reported already; here the secret counts as set.
        let account = Account {
            has_password: raw.sasl_password.is_some() || checker.is_broken(&KAFKA_SASL_PASSWORD),
            has_identity_server: !identity_variables.is_empty(),
            has_unsecured_token: raw.sasl_oauthbearer_config.is_some()
                || checker.is_broken(&KAFKA_SASL_OAUTHBEARER_CONFIG),
        };
        let has_account = raw.sasl_username.is_some() || account.has_password || account.has_token();

        let protocol = protocol(&raw, &raw_tls, has_account, checker, properties);
        let has_sasl = protocol.has_sasl();
        if !has_sasl && raw.sasl_mechanism.is_some() {
            let hint = "set KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD as well, or KAFKA_SASL_OAUTHBEARER_*";
            checker.problem(&KAFKA_SASL_MECHANISM, "is set without anything that turns SASL on", hint);
        }
        let mechanism = has_sasl.then(|| mechanism(&raw, account, protocol, checker, properties));
        if mechanism.is_some_and(|mechanism| mechanism != SaslMechanism::OauthBearer) {
            for variable in &identity_variables {
                let hint = "unset it, or set KAFKA_SASL_MECHANISM to OAUTHBEARER";
                checker.problem(variable, "would be ignored", hint);
            }
        }
        let wants_identity_server = account.has_identity_server
            || (mechanism == Some(SaslMechanism::OauthBearer)
                && !account.has_unsecured_token
                && checker.features.oauthbearer);
        let identity_server = wants_identity_server.then(|| IdentityServer::read(raw_identity, checker)).flatten();
        set_account(&raw, checker, properties);
        let password_file = checker.environment.file_of(KAFKA_SASL_PASSWORD.name).and_then(|path| {
            Some(PasswordFile::new(path, raw.sasl_username.as_deref()?, raw.sasl_password.as_deref()?))
        });
        tls::read(raw_tls, protocol, checker, properties);
        Self { protocol, mechanism, password_file, identity_server, has_unsecured_token: account.has_unsecured_token }
    }
}

/// Chooses the security protocol, and checks that it fits the account and the TLS settings.
fn protocol(
    raw: &RawSecurity,
    raw_tls: &RawTls,
    has_account: bool,
    checker: &mut Checker<'_>,
    properties: &mut Properties,
) -> SecurityProtocol {
    let tls_variables: Vec<&str> = raw_tls
        .variables()
        .map(|variable| variable.name)
        .chain(passthrough::tls_variables(checker.environment))
        .collect();
    let derived = match (has_account, !tls_variables.is_empty()) {
        (false, false) => SecurityProtocol::Plaintext,
        (false, true) => SecurityProtocol::Ssl,
        (true, false) => SecurityProtocol::SaslPlaintext,
        (true, true) => SecurityProtocol::SaslSsl,
    };
    let given = raw.security_protocol.as_deref();
    let protocol = checker.choice(&KAFKA_SECURITY_PROTOCOL, given.or(Some(derived.name())), SECURITY_PROTOCOLS);
    if checker.is_broken(&KAFKA_SECURITY_PROTOCOL) {
        return protocol;
    }
    if !protocol.has_sasl() && has_account {
        let hint = "set it to SASL_PLAINTEXT or SASL_SSL, or unset user name, password and token";
        checker.problem(&KAFKA_SECURITY_PROTOCOL, "excludes SASL, so the account would be ignored", hint);
    }
    let has_tls = protocol.has_tls();
    if !has_tls && !tls_variables.is_empty() {
        let names = tls_variables.join(", ");
        let problem = format!("excludes TLS, so {names} would be ignored");
        checker.problem(&KAFKA_SECURITY_PROTOCOL, problem, format!("set it to SSL or SASL_SSL, or unset {names}"));
    }
    if !has_tls || checker.features.tls {
        properties.set("security.protocol", protocol.name(), KAFKA_SECURITY_PROTOCOL.name);
    } else if given.is_some() {
        checker.needs_tls(KAFKA_SECURITY_PROTOCOL.name, "asks for TLS");
    }
    protocol
}

/// Chooses the SASL mechanism, and checks that the settings it needs are there.
fn mechanism(
    raw: &RawSecurity,
    account: Account,
    protocol: SecurityProtocol,
    checker: &mut Checker<'_>,
    properties: &mut Properties,
) -> SaslMechanism {
    // A token without a user name can only be meant for OAUTHBEARER.
    let is_for_token = account.has_token() && raw.sasl_username.is_none();
    let derived = if is_for_token { SaslMechanism::OauthBearer.name() } else { KAFKA_SASL_MECHANISM.default };
    let given = raw.sasl_mechanism.as_deref();
    let chosen = checker.choice(&KAFKA_SASL_MECHANISM, given.or(Some(derived)), SASL_MECHANISMS);
    let (protocol, name) = (protocol.name(), chosen.name());
    if checker.features.supports_mechanism(chosen) {
        properties.set("sasl.mechanism", name, KAFKA_SASL_MECHANISM.name);
    } else {
        let variable = match (given.is_some(), account.has_identity_server) {
            (true, _) => &KAFKA_SASL_MECHANISM,
            (false, true) => &KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL,
            (false, false) => &KAFKA_SASL_OAUTHBEARER_CONFIG,
        };
        checker.needs_tls(variable.name, &format!("asks for {name}, which librdkafka implements with OpenSSL"));
    }
    if chosen == SaslMechanism::OauthBearer {
        if account.has_unsecured_token && account.has_identity_server {
            let hint = "unset it, or everything that is for the identity server";
            checker.problem(&KAFKA_SASL_OAUTHBEARER_CONFIG, "is set together with an identity server", hint);
        } else if checker.features.oauthbearer
            && raw.sasl_oauthbearer_config.as_ref().is_some_and(|claims| !unsecured::is_valid(claims))
        {
            checker.problem(&KAFKA_SASL_OAUTHBEARER_CONFIG, "is not a list of claims", unsecured::HINT);
        }
        if account.has_unsecured_token && checker.features.oauthbearer {
            properties.set("enable.sasl.oauthbearer.unsecure.jwt", "true", KAFKA_SASL_OAUTHBEARER_CONFIG.name);
        }
        return chosen;
    }
    if raw.sasl_username.is_none() {
        let hint = format!("{protocol} with {name} requires a user name");
        checker.problem(&KAFKA_SASL_USERNAME, "is not set", hint);
    }
    if !account.has_password {
        let hint = format!("{protocol} with {name} requires a password, here or in KAFKA_SASL_PASSWORD_FILE");
        checker.problem(&KAFKA_SASL_PASSWORD, "is not set", hint);
    }
    if account.has_unsecured_token {
        let hint = format!("unset it, or set KAFKA_SASL_MECHANISM to OAUTHBEARER instead of {name}");
        checker.problem(&KAFKA_SASL_OAUTHBEARER_CONFIG, "would be ignored", hint);
    }
    chosen
}

fn set_account(raw: &RawSecurity, checker: &Checker<'_>, properties: &mut Properties) {
    if let Some(username) = &raw.sasl_username {
        properties.set("sasl.username", username.as_str(), KAFKA_SASL_USERNAME.name);
    }
    if let Some(password) = &raw.sasl_password {
        properties.set_secret("sasl.password", password, KAFKA_SASL_PASSWORD.name);
    }
    // A librdkafka without OAUTHBEARER rejects the property; `mechanism` has reported the variable in that case.
    if let Some(token) = raw.sasl_oauthbearer_config.as_ref().filter(|_| checker.features.oauthbearer) {
        properties.set_secret("sasl.oauthbearer.config", token, KAFKA_SASL_OAUTHBEARER_CONFIG.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::librdkafka::features::Features;
    use crate::settings::consumer::ConsumerSettings;
    use crate::variables::environment::Environment;
    use crate::variables::problem::{Problem, Problems};

    const SECRET: &str = "hunter2-6fbe0c1d";
    /// What librdkafka lists in `builtin.features` when it is built without OpenSSL.
    const WITHOUT_OPENSSL: &str = "gzip,snappy,sasl,regex,lz4,sasl_plain,plugins,zstd";

    fn without_openssl(extra: &[(&str, &str)]) -> Result<ConsumerSettings, Problems> {
        let base = [("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092"), ("KAFKA_TOPIC", "t"), ("KAFKA_GROUP_ID", "g")];
        let environment = Environment::from_pairs(base.iter().chain(extra).copied());
        ConsumerSettings::read(Checker::new(&environment, Features::from_list(WITHOUT_OPENSSL)))
    }

    #[test]
    fn a_binary_without_tls_sets_no_property_that_its_librdkafka_rejects() {
        for extra in [vec![], vec![("KAFKA_SASL_USERNAME", "me"), ("KAFKA_SASL_PASSWORD", SECRET)]] {
            let config = without_openssl(&extra).unwrap().properties.client_config();
            let names = config.config_map().into_keys().filter(|name| name.contains("ssl") || name.contains("oauth"));
            assert_eq!(names.collect::<Vec<_>>(), Vec::<&str>::new());
        }
    }

    #[test]
    fn a_binary_without_tls_reports_each_setting_that_asks_for_it_once_and_without_its_value() {
        let user = ("KAFKA_SASL_USERNAME", SECRET);
        let password = ("KAFKA_SASL_PASSWORD", SECRET);
        /// The settings, and the variables that are reported.
        type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str]);
        let cases: &[Case<'_>] = &[
            (&[("KAFKA_SECURITY_PROTOCOL", "SSL")], &["KAFKA_SECURITY_PROTOCOL"]),
            (&[("KAFKA_SECURITY_PROTOCOL", "SASL_SSL"), user, password], &["KAFKA_SECURITY_PROTOCOL"]),
            (&[("KAFKA_SSL_CA_LOCATION", SECRET)], &["KAFKA_SSL_CA_LOCATION"]),
            (&[("KAFKA_SSL_KEY_PASSWORD", SECRET), user, password], &["KAFKA_SSL_KEY_PASSWORD"]),
            (
                &[("KAFKA_SSL_CERTIFICATE_LOCATION", SECRET), ("KAFKA_SSL_KEY_LOCATION", SECRET)],
                &["KAFKA_SSL_CERTIFICATE_LOCATION", "KAFKA_SSL_KEY_LOCATION"],
            ),
            (
                &[("KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM", "none")],
                &["KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM"],
            ),
            (&[("KAFKA_SSL_CA_PEM", SECRET)], &["KAFKA_SSL_CA_PEM"]),
            (&[("KAFKA_PROP_SSL_CRL_LOCATION", SECRET)], &["KAFKA_PROP_SSL_CRL_LOCATION"]),
            (&[("KAFKA_PROP_SSL_KEYSTORE_PASSWORD", SECRET)], &["KAFKA_PROP_SSL_KEYSTORE_PASSWORD"]),
            (&[("KAFKA_SASL_MECHANISM", "SCRAM-SHA-256"), user, password], &["KAFKA_SASL_MECHANISM"]),
            (&[("KAFKA_SASL_MECHANISM", "SCRAM-SHA-512"), user, password], &["KAFKA_SASL_MECHANISM"]),
            (&[("KAFKA_SASL_OAUTHBEARER_CONFIG", SECRET)], &["KAFKA_SASL_OAUTHBEARER_CONFIG"]),
            (
                &[
                    ("KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL", "https://login.example/token"),
                    ("KAFKA_SASL_OAUTHBEARER_CLIENT_ID", "me"),
                    ("KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET", SECRET),
                ],
                &["KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL"],
            ),
            (
                &[("KAFKA_SASL_MECHANISM", "OAUTHBEARER"), ("KAFKA_SASL_OAUTHBEARER_CONFIG", SECRET)],
                &["KAFKA_SASL_MECHANISM"],
            ),
        ];
        for (extra, expected) in cases {
            let problems = without_openssl(extra).unwrap_err();
            let names: Vec<&str> = problems.0.iter().map(|problem| problem.variable.as_str()).collect();
            assert_eq!(names, *expected, "{problems}");
            for Problem { problem, hint, .. } in &problems.0 {
                assert!(problem.ends_with("but this binary was built without TLS"), "{problems}");
                assert!(hint.contains("--features tls"), "{problems}");
            }
            assert!(!problems.to_string().contains(SECRET), "a value is repeated: {problems}");
        }
    }
}
