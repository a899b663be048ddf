//! TLS: which certificate authorities (CAs) to trust, and the certificate and the private key of this client.

use serde::Deserialize;

use super::certificates;
use crate::librdkafka::properties::Properties;
use crate::settings::checker::Checker;
use crate::settings::choices::{HOST_NAME_CHECKS, SecurityProtocol};
use crate::variables::variable::{
    KAFKA_HTTPS_CA_LOCATION, KAFKA_HTTPS_CA_PEM, KAFKA_SSL_CA_LOCATION, KAFKA_SSL_CA_PEM,
    KAFKA_SSL_CERTIFICATE_LOCATION, KAFKA_SSL_CERTIFICATE_PEM, KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM,
    KAFKA_SSL_KEY_LOCATION, KAFKA_SSL_KEY_PASSWORD, KAFKA_SSL_KEY_PEM, Variable,
};

#[derive(Default, Deserialize)]
pub(crate) struct RawTls {
    ssl_ca_location: Option<String>,
    ssl_ca_pem: Option<String>,
    ssl_certificate_location: Option<String>,
    ssl_certificate_pem: Option<String>,
    ssl_key_location: Option<String>,
    ssl_key_pem: Option<String>,
    ssl_key_password: Option<String>,
    ssl_endpoint_identification_algorithm: Option<String>,
}

impl RawTls {
    /// The `KAFKA_SSL_*` variables that are set.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &'static Variable> {
        [
            (&KAFKA_SSL_CA_LOCATION, &self.ssl_ca_location),
            (&KAFKA_SSL_CA_PEM, &self.ssl_ca_pem),
            (&KAFKA_SSL_CERTIFICATE_LOCATION, &self.ssl_certificate_location),
            (&KAFKA_SSL_CERTIFICATE_PEM, &self.ssl_certificate_pem),
            (&KAFKA_SSL_KEY_LOCATION, &self.ssl_key_location),
            (&KAFKA_SSL_KEY_PEM, &self.ssl_key_pem),
            (&KAFKA_SSL_KEY_PASSWORD, &self.ssl_key_password),
            (&KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM, &self.ssl_endpoint_identification_algorithm),
        ]
        .into_iter()
        .filter_map(|(variable, value)| value.is_some().then_some(variable))
    }
}

/// A certificate or a key, and the variable that it comes from.
pub(crate) struct Pem {
    pub(crate) variable: &'static Variable,
    /// `None` if the file cannot be read, which is reported already, or if it is a directory.
    #[cfg_attr(not(feature = "tls"), expect(dead_code, reason = "without OpenSSL nothing is checked"))]
    pub(crate) content: Option<Vec<u8>>,
}

/// The two ways to set the same thing: as the path of a file, and as PEM text.
pub(super) struct Pair {
    location: &'static Variable,
    text: &'static Variable,
}

const CA: Pair = Pair { location: &KAFKA_SSL_CA_LOCATION, text: &KAFKA_SSL_CA_PEM };
const CERTIFICATE: Pair = Pair { location: &KAFKA_SSL_CERTIFICATE_LOCATION, text: &KAFKA_SSL_CERTIFICATE_PEM };
const KEY: Pair = Pair { location: &KAFKA_SSL_KEY_LOCATION, text: &KAFKA_SSL_KEY_PEM };
/// The CA certificates of an identity server.
pub(super) const HTTPS_CA: Pair = Pair { location: &KAFKA_HTTPS_CA_LOCATION, text: &KAFKA_HTTPS_CA_PEM };

impl Pair {
    /// Reads the variable of the two that is set. Returns its value too, unless that is broken. `None` if neither is set.
    pub(super) fn read(
        &self,
        location: Option<String>,
        text: Option<String>,
        checker: &mut Checker<'_>,
    ) -> Option<(Pem, Option<String>)> {
        if location.is_some() && text.is_some() {
            let problem = format!("is set together with {}", self.location.name);
            checker.problem(self.text, problem, "set only one of the two");
        }
        if let Some(path) = checker.file(self.location, location) {
            let content = (!checker.is_broken(self.location)).then(|| certificates::read(&path)).flatten();
            return Some((Pem { variable: self.location, content }, Some(path)));
        }
        if let Some(text) = text {
            let text = with_line_ends(text);
            return Some((Pem { variable: self.text, content: Some(text.clone().into_bytes()) }, Some(text)));
        }
        // The problem with the file of a `*_PEM_FILE` variable is reported already; here the variable counts as set.
        checker.is_broken(self.text).then_some((Pem { variable: self.text, content: None }, None))
    }

    /// Like [`read`](Self::read), and sets the librdkafka property of the variable that is set.
    fn set(
        &self,
        location: Option<String>,
        text: Option<String>,
        checker: &mut Checker<'_>,
        properties: &mut Properties,
    ) -> Option<Pem> {
        let (pem, value) = self.read(location, text, checker)?;
        let name = pem.variable.name;
        // `KAFKA_SSL_CA_PEM` sets `ssl.ca.pem`.
        let property = name.strip_prefix("KAFKA_").unwrap_or(name).to_ascii_lowercase().replace('_', ".");
        match value {
            Some(path) if name == self.location.name => properties.set(&property, path, name),
            Some(text) => properties.set_secret(&property, &text, name),
            None => {}
        }
        Some(pem)
    }
}

/// Files of environment variables have one variable per line, so PEM text in them usually has `\n` for each line end.
fn with_line_ends(text: String) -> String {
    if text.contains('\n') { text } else { text.replace("\\n", "\n") }
}

/// Sets the `ssl.*` properties. A librdkafka without OpenSSL rejects all of them, even with their default values.
pub(crate) fn read(raw: RawTls, protocol: SecurityProtocol, checker: &mut Checker<'_>, properties: &mut Properties) {
    if !checker.features.tls {
        for variable in raw.variables() {
            checker.needs_tls(variable.name, "asks for TLS");
        }
        return;
    }
    let authorities = CA.set(raw.ssl_ca_location, raw.ssl_ca_pem, checker, properties);
    let certificate = CERTIFICATE.set(raw.ssl_certificate_location, raw.ssl_certificate_pem, checker, properties);
    let key = KEY.set(raw.ssl_key_location, raw.ssl_key_pem, checker, properties);
    match (&certificate, &key) {
        (Some(certificate), None) => {
            let hint = format!("{} requires the key of its certificate", certificate.variable.name);
            checker.problem(&KAFKA_SSL_KEY_LOCATION, "is not set", hint);
        }
        (None, Some(key)) => {
            let hint = format!("{} requires the certificate of its key", key.variable.name);
            checker.problem(&KAFKA_SSL_CERTIFICATE_LOCATION, "is not set", hint);
        }
        _ => {}
    }
    let password = raw.ssl_key_password.as_deref();
    let password_is_broken = checker.is_broken(&KAFKA_SSL_KEY_PASSWORD);
    certificates::check_authorities(authorities.as_ref(), checker);
    // Without the password, nothing can be said about an encrypted key.
    let key = key.filter(|_| !password_is_broken);
    certificates::check_identity(certificate.as_ref(), key.as_ref(), password, checker);
    if let Some(password) = password {
        properties.set_secret("ssl.key.password", password, KAFKA_SSL_KEY_PASSWORD.name);
    }
    let variable = &KAFKA_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM;
    let given = raw.ssl_endpoint_identification_algorithm;
    let host_name_check = checker.choice(variable, given.as_deref(), HOST_NAME_CHECKS);
    if protocol.has_tls() {
        properties.set("ssl.endpoint.identification.algorithm", host_name_check, variable.name);
    }
}
