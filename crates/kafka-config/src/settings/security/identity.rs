//! OAUTHBEARER with an identity server: where to get tokens (OAuth 2.0, client credentials), and what to ask for.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use url::{Host, Url};

use super::certificates;
use super::tls::{HTTPS_CA, Pem};
use crate::librdkafka::properties::{Trust, redact};
use crate::settings::checker::Checker;
use crate::variables::environment::read_secret_again;
use crate::variables::variable::{
    KAFKA_HTTPS_CA_LOCATION, KAFKA_HTTPS_CA_PEM, KAFKA_SASL_OAUTHBEARER_CLIENT_ID,
    KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET, KAFKA_SASL_OAUTHBEARER_EXTENSIONS, KAFKA_SASL_OAUTHBEARER_SCOPE,
    KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_PARAMETERS, KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL, Variable,
};

/// Parameters of the request that have a setting of their own, or none that makes sense.
const RESERVED_PARAMETERS: [&str; 4] = ["client_id", "client_secret", "grant_type", "scope"];

#[derive(Default, Deserialize)]
pub(crate) struct RawIdentity {
    sasl_oauthbearer_token_endpoint_url: Option<String>,
    sasl_oauthbearer_client_id: Option<String>,
    sasl_oauthbearer_client_secret: Option<String>,
    sasl_oauthbearer_scope: Option<String>,
    sasl_oauthbearer_token_endpoint_parameters: Option<String>,
    sasl_oauthbearer_extensions: Option<String>,
    https_ca_location: Option<String>,
    https_ca_pem: Option<String>,
}

impl RawIdentity {
    /// The variables that are set, or whose file is broken.
    pub(crate) fn variables(&self, checker: &Checker<'_>) -> Vec<&'static Variable> {
        [
            (&KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL, &self.sasl_oauthbearer_token_endpoint_url),
            (&KAFKA_SASL_OAUTHBEARER_CLIENT_ID, &self.sasl_oauthbearer_client_id),
            (&KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET, &self.sasl_oauthbearer_client_secret),
            (&KAFKA_SASL_OAUTHBEARER_SCOPE, &self.sasl_oauthbearer_scope),
            (&KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_PARAMETERS, &self.sasl_oauthbearer_token_endpoint_parameters),
            (&KAFKA_SASL_OAUTHBEARER_EXTENSIONS, &self.sasl_oauthbearer_extensions),
            (&KAFKA_HTTPS_CA_LOCATION, &self.https_ca_location),
            (&KAFKA_HTTPS_CA_PEM, &self.https_ca_pem),
        ]
        .into_iter()
        .filter(|(variable, value)| value.is_some() || checker.is_broken(variable))
        .map(|(variable, _)| variable)
        .collect()
    }
}

/// An identity server, and the request for a token that a client sends to it.
///
/// `Debug` prints the URL without its query, and no secret.
#[derive(Clone)]
pub struct IdentityServer {
    /// The token endpoint, `https://...` or `http://...` (`sasl.oauthbearer.token.endpoint.url`).
    pub token_endpoint_url: String,
    /// The name of the client at the identity server (`sasl.oauthbearer.client.id`).
    pub client_id: String,
    /// The scopes to ask for, separated by spaces (`sasl.oauthbearer.scope`).
    pub scope: Option<String>,
    /// More parameters of the request, such as `audience`.
    pub parameters: Vec<(String, String)>,
    /// What the client sends to the broker together with the token (`sasl.oauthbearer.extensions`, RFC 7628).
    pub extensions: Vec<(String, String)>,
    /// The certificates to trust when the token endpoint is contacted (`https.ca.location`, `https.ca.pem`).
    pub trust: Trust,
    client_secret: SecretString,
    secret_file: Option<String>,
}

impl fmt::Debug for IdentityServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdentityServer").field("address", &self.address()).finish_non_exhaustive()
    }
}

impl IdentityServer {
    /// Checks all variables of the identity server. `None` if a variable that is required is missing or broken.
    pub(crate) fn read(raw: RawIdentity, checker: &mut Checker<'_>) -> Option<Self> {
        let url = &KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL;
        let token_endpoint_url = required(url, raw.sasl_oauthbearer_token_endpoint_url, checker);
        if let Some(value) = &token_endpoint_url {
            check_url(value, checker);
        }
        let client_id = required(&KAFKA_SASL_OAUTHBEARER_CLIENT_ID, raw.sasl_oauthbearer_client_id, checker);
        let client_secret =
            required(&KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET, raw.sasl_oauthbearer_client_secret, checker);
        for (variable, value) in [
            (&KAFKA_SASL_OAUTHBEARER_CLIENT_ID, client_id.as_deref()),
            (&KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET, client_secret.as_deref()),
            (&KAFKA_SASL_OAUTHBEARER_SCOPE, raw.sasl_oauthbearer_scope.as_deref()),
        ] {
            // VSCHAR of RFC 6749, appendix A.
            if value.is_some_and(|value| !value.chars().all(|c| matches!(c, ' '..='~'))) {
                checker.problem(variable, "contains a character that is not printable ASCII", "correct the value");
            }
        }
        let variable = &KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_PARAMETERS;
        let parameters = pairs(variable, raw.sasl_oauthbearer_token_endpoint_parameters.as_deref(), checker);
        if parameters.iter().any(|(key, _)| RESERVED_PARAMETERS.contains(&key.as_str())) {
            let hint = format!("remove {} from it", RESERVED_PARAMETERS.join(", "));
            checker.problem(variable, "contains a parameter that the services set themselves", hint);
        }
        let variable = &KAFKA_SASL_OAUTHBEARER_EXTENSIONS;
        let extensions = pairs(variable, raw.sasl_oauthbearer_extensions.as_deref(), checker);
        // RFC 7628, section 3.1.
        if !extensions.iter().all(|(key, _)| key != "auth" && key.chars().all(|c| c.is_ascii_alphabetic())) {
            let hint = "a name consists of ASCII letters, and is not `auth`";
            checker.problem(variable, "contains a name that an extension cannot have", hint);
        }
        let ca = HTTPS_CA.read(raw.https_ca_location, raw.https_ca_pem, checker);
        certificates::check_authorities(ca.as_ref().map(|(pem, _)| pem), checker);
        let (ca_location, ca_pem) = ca.map_or((None, None), |(Pem { variable, .. }, value)| {
            if variable.name == KAFKA_HTTPS_CA_LOCATION.name { (value, None) } else { (None, value) }
        });
        Some(Self {
            token_endpoint_url: token_endpoint_url?,
            client_id: client_id?,
            scope: raw.sasl_oauthbearer_scope,
            parameters,
            extensions,
            trust: Trust { ca_location, ca_pem, checks_host_name: true },
            client_secret: client_secret?.into(),
            secret_file: checker.environment.file_of(KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET.name).map(str::to_owned),
        })
    }

    /// The token endpoint without a query, for logs.
    #[must_use]
    pub fn address(&self) -> &str {
        self.token_endpoint_url.split('?').next().unwrap_or_default()
    }

    /// Whether the secret crosses the network unencrypted.
    pub(crate) fn exposes_secret(&self) -> bool {
        let url = Url::parse(&self.token_endpoint_url).ok().filter(|url| url.scheme() == "http");
        url.is_some_and(|url| match url.host() {
            Some(Host::Domain(name)) => name != "localhost",
            Some(Host::Ipv4(address)) => !address.is_loopback(),
            Some(Host::Ipv6(address)) => !address.is_loopback(),
            None => false,
        })
    }

    /// Reads the secret again if it comes from a regular file.
    ///
    /// # Errors
    /// Why the file cannot be used. The secret stays what it was.
    pub fn refresh_secret(&mut self) -> Result<(), String> {
        if let Some(path) = &self.secret_file {
            let secret = read_secret_again(path)?;
            self.client_secret = secret.map_or_else(|| self.client_secret.clone(), Into::into);
        }
        Ok(())
    }

    /// The secret of the client. For the request only.
    #[must_use]
    pub fn client_secret(&self) -> &str {
        self.client_secret.expose_secret()
    }

    /// Returns `text` with the secret replaced by `[secret]`.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        redact(text, self.client_secret.expose_secret())
    }
}

/// The value of a variable without which there is no token. Reports a problem if it is missing.
fn required(variable: &Variable, raw: Option<String>, checker: &mut Checker<'_>) -> Option<String> {
    if raw.is_none() && !checker.is_broken(variable) {
        let hint = "OAUTHBEARER requires KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL, KAFKA_SASL_OAUTHBEARER_CLIENT_ID and \
                    KAFKA_SASL_OAUTHBEARER_CLIENT_SECRET; unsecured tokens for development are asked for with \
                    KAFKA_SASL_OAUTHBEARER_CONFIG";
        checker.problem(variable, "is not set", hint);
    }
    raw
}

fn check_url(value: &str, checker: &mut Checker<'_>) {
    let is_valid = |url: &Url| {
        matches!(url.scheme(), "https" | "http")
            && url.username().is_empty()
            && url.password().is_none()
            && url.fragment().is_none()
    };
    // Without a host, `Url` would take the beginning of the path for it.
    let is_usual = value.chars().all(|c| matches!(c, '!'..='~')) && !value.contains(":///");
    if !is_usual || !Url::parse(value).is_ok_and(|url| is_valid(&url)) {
        let hint = "set it to a URL such as https://login.example/oauth2/token, without an account and without a `#`";
        checker.problem(&KAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL, "is not the URL of a token endpoint", hint);
    }
}

/// The pairs in `key=value,key=value`.
fn pairs(variable: &Variable, raw: Option<&str>, checker: &mut Checker<'_>) -> Vec<(String, String)> {
    let entries = raw.into_iter().flat_map(|raw| raw.split(',')).map(str::trim).filter(|entry| !entry.is_empty());
    let pairs: Option<Vec<_>> = entries
        .map(|entry| {
            let (key, value) = entry.split_once('=')?;
            let is_printable = |text: &str| text.chars().all(|c| matches!(c, ' '..='~'));
            (!key.is_empty() && is_printable(key) && is_printable(value)).then(|| (key.to_owned(), value.to_owned()))
        })
        .collect();
    pairs.unwrap_or_else(|| {
        let hint = "set it to `key=value`, comma-separated, in printable ASCII characters";
        checker.problem(variable, "is not a list of keys and values", hint);
        Vec::new()
    })
}
