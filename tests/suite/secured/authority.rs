//! A certificate authority (CA) of the tests' own.

use anyhow::Result;
use openssl::pkey::PKey;
use openssl::symm::Cipher;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};

/// A certificate and its private key, both in PEM.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Identity {
    /// A certificate that no CA has issued.
    pub(crate) fn self_signed(name: &str) -> Result<Self> {
        let key = KeyPair::generate()?;
        let certificate = params(name, (2020, 2100))?.self_signed(&key)?.pem();
        Ok(Self { certificate, key: key.serialize_pem() })
    }

    /// The private key, encrypted.
    pub(crate) fn encrypted_key(&self, password: &str) -> Result<String> {
        let key = PKey::private_key_from_pem(self.key.as_bytes())?;
        let pem = key.private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), password.as_bytes())?;
        Ok(String::from_utf8(pem)?)
    }

    /// Key and certificate in one text, as Kafka expects them in a key store of the type PEM.
    pub(crate) fn key_store(&self) -> String {
        format!("{}{}", self.key, self.certificate)
    }
}

/// A CA.
#[derive(Debug)]
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate in PEM.
    pub(crate) certificate: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Result<Self> {
        let mut params = params(name, (2020, 2100))?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), certificate })
    }

    /// Issues a certificate for a host that is valid from the first year to the second.
    pub(crate) fn issue(&self, name: &str, years: (i32, i32)) -> Result<Identity> {
        let key = KeyPair::generate()?;
        let certificate = params(name, years)?.signed_by(&key, &self.issuer)?.pem();
        Ok(Identity { certificate, key: key.serialize_pem() })
    }
}

fn params(name: &str, (from, to): (i32, i32)) -> Result<CertificateParams> {
    let mut params = CertificateParams::new([name.to_owned()])?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(to, 1, 1);
    Ok(params)
}
