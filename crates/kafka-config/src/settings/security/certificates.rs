//! Checks of certificates and keys before a broker is contacted, in words that name the setting to change.
//!
//! librdkafka reads the same files when a client is created, and refuses most of what is refused here, but with an error of OpenSSL such
//! as `PEM lib`. It does not check whether the certificate of the client is valid at this time.

use std::fs::File;
use std::io::Read as _;

use super::tls::Pem;
use crate::settings::checker::Checker;

/// Bundles of all public CAs are less than a tenth of this.
const FILE_MAX_BYTES: u64 = 4 * 1024 * 1024;

/// The content of a file, or `None` if it cannot be read. A directory cannot, and librdkafka accepts one of CA certificates.
pub(super) fn read(path: &str) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path).ok()?.take(FILE_MAX_BYTES).read_to_end(&mut content).ok().map(|_| content)
}

/// What `content` is, if it is a known form of certificates and keys other than PEM, and how to convert it.
#[cfg(feature = "tls")]
fn other_form(content: &[u8]) -> Option<(&'static str, &'static str)> {
    match content {
        [0xfe, 0xed, 0xfe, 0xed, ..] | [0xce, 0xce, 0xce, 0xce, ..] => Some((
            "contains a Java key store (JKS), but PEM is expected",
            "convert it with `keytool -importkeystore -srckeystore FILE -destkeystore store.p12 -deststoretype PKCS12`, and \
             then with `openssl pkcs12 -in store.p12`",
        )),
        // The tag of an ASN.1 sequence.
        [0x30, 0x80..=0x84, ..] => Some((
            "contains binary data (DER or PKCS#12), but PEM is expected",
            "convert it with `openssl x509 -inform DER`, `openssl pkey -inform DER` or `openssl pkcs12`",
        )),
        _ => None,
    }
}

#[cfg(not(feature = "tls"))]
mod openssl_checks {
    use super::{Checker, Pem};

    pub(crate) fn check_authorities(_: Option<&Pem>, _: &mut Checker<'_>) {}

    pub(crate) fn check_identity(_: Option<&Pem>, _: Option<&Pem>, _: Option<&str>, _: &mut Checker<'_>) {}
}

#[cfg(feature = "tls")]
mod openssl_checks {
    use std::cell::Cell;

    use openssl::asn1::Asn1Time;
    use openssl::pkey::{PKey, Private};
    use openssl::x509::X509;

    use super::{Checker, Pem, other_form};
    use crate::variables::variable::{KAFKA_SSL_KEY_PASSWORD, Variable};

    /// Checks that the trusted certificates can be read.
    pub(crate) fn check_authorities(authorities: Option<&Pem>, checker: &mut Checker<'_>) {
        if let Some(authorities) = authorities {
            certificates(authorities, checker);
        }
    }

    /// Checks that certificate and key can be read, that they fit, and that the certificate is valid now.
    pub(crate) fn check_identity(
        certificate: Option<&Pem>,
        key: Option<&Pem>,
        password: Option<&str>,
        checker: &mut Checker<'_>,
    ) {
        let own = certificate.and_then(|pem| Some((pem, certificates(pem, checker)?)));
        let key = key.and_then(|pem| Some((pem, private_key(pem, password, checker)?)));
        let Some((pem, own)) = own else { return };
        if let Some((key_pem, key)) = key
            && own.public_key().is_ok_and(|public| !public.public_eq(&key))
        {
            let hint = format!("set it to the key that the certificate in {} was issued for", pem.variable.name);
            checker.problem(key_pem.variable, "is not the key of the client's certificate", hint);
        }
        check_dates(&own, pem.variable, checker);
    }

    fn check_dates(certificate: &X509, variable: &Variable, checker: &mut Checker<'_>) {
        let Ok(now) = Asn1Time::days_from_now(0) else { return };
        if certificate.not_after() < now {
            let problem = format!("contains a certificate that has expired on {}", certificate.not_after());
            checker.problem(variable, problem, "renew the certificate, and check the clock of this machine");
        } else if certificate.not_before() > now {
            let problem = format!("contains a certificate that is not valid before {}", certificate.not_before());
            checker.problem(variable, problem, "check the clock of this machine, or use another certificate");
        }
    }

    /// The first certificate. Reports a problem if there is none.
    fn certificates(pem: &Pem, checker: &mut Checker<'_>) -> Option<X509> {
        let content = pem.content.as_deref()?;
        let first = X509::stack_from_pem(content).ok().and_then(|certificates| certificates.into_iter().next());
        if first.is_none() {
            let (problem, hint) = other_form(content).unwrap_or((
                "contains no certificate that can be read",
                "expected PEM: text from `-----BEGIN CERTIFICATE-----` to `-----END CERTIFICATE-----`",
            ));
            checker.problem(pem.variable, problem, hint);
        }
        first
    }

    /// The private key. Reports a problem if there is none, or if the password does not fit.
    fn private_key(pem: &Pem, password: Option<&str>, checker: &mut Checker<'_>) -> Option<PKey<Private>> {
        let content = pem.content.as_deref()?;
        let is_encrypted = Cell::new(false);
        // Called only if the key is encrypted. Without a callback, OpenSSL would ask for the password on the terminal.
        let key = PKey::private_key_from_pem_callback(content, |buffer| {
            is_encrypted.set(true);
            let password = password.unwrap_or_default().as_bytes();
            let length = password.len().min(buffer.len());
            buffer[..length].copy_from_slice(&password[..length]);
            Ok(length)
        });
        if let Ok(key) = key {
            return Some(key);
        }
        match (is_encrypted.get(), password) {
            (true, None) => {
                let hint = format!(
                    "the key in {} is encrypted; set its password, or use a key without one",
                    pem.variable.name
                );
                checker.problem(&KAFKA_SSL_KEY_PASSWORD, "is not set", hint);
            }
            (true, Some(_)) => {
                let problem = format!("does not decrypt the key in {}", pem.variable.name);
                checker.problem(
                    &KAFKA_SSL_KEY_PASSWORD,
                    problem,
                    "correct the password, or use the key that it belongs to",
                );
            }
            (false, _) => {
                let (problem, hint) = other_form(content).unwrap_or((
                    "contains no private key that can be read",
                    "expected PEM: text from `-----BEGIN PRIVATE KEY-----` to `-----END PRIVATE KEY-----`",
                ));
                checker.problem(pem.variable, problem, hint);
            }
        }
        None
    }
}

pub(super) use openssl_checks::{check_authorities, check_identity};
