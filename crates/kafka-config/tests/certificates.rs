//! Certificates and keys are checked before a broker is contacted, and each mistake is named under the variable to change.

use std::io::Write as _;
use std::path::Path;

use kafka_config::{ConsumerSettings, Environment, ProducerSettings, Properties};
use openssl::pkey::PKey;
use openssl::symm::Cipher;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use tempfile::NamedTempFile;

const PASSWORD: &str = "hunter2-6fbe0c1d";
const WRONG_PASSWORD: &str = "hunter2-not-this-one";

/// A certificate that is its own authority, and its key.
struct Identity {
    certificate: String,
    key: String,
}

impl Identity {
    fn valid(from_year: i32, to_year: i32) -> Self {
        let key = KeyPair::generate().expect("valid");
        let mut params = CertificateParams::new(["client".to_owned()]).expect("valid");
        params.not_before = date_time_ymd(from_year, 1, 1);
        params.not_after = date_time_ymd(to_year, 1, 1);
        Self { certificate: params.self_signed(&key).expect("valid").pem(), key: key.serialize_pem() }
    }

    fn new() -> Self {
        Self::valid(2020, 2100)
    }

    fn encrypted_key(&self) -> String {
        let key = PKey::private_key_from_pem(self.key.as_bytes()).expect("valid");
        let pem = key.private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), PASSWORD.as_bytes()).expect("valid");
        String::from_utf8(pem).expect("valid")
    }
}

fn file(content: impl AsRef<[u8]>) -> NamedTempFile {
    let mut file = NamedTempFile::new().expect("valid");
    file.write_all(content.as_ref()).expect("valid");
    file
}

fn path(file: &NamedTempFile) -> &str {
    let path: &Path = file.path();
    path.to_str().expect("valid")
}

/// The properties or the problems, as text. Both services read these settings alike.
fn read(variables: &[(&str, &str)]) -> Result<Properties, String> {
    let base = [("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092"), ("KAFKA_TOPIC", "t"), ("KAFKA_GROUP_ID", "g")];
    let environment = Environment::from_pairs(base.iter().chain(variables).copied());
    let producer = ProducerSettings::from_environment(&environment).map(|settings| settings.properties);
    let consumer = ConsumerSettings::from_environment(&environment).map(|settings| settings.properties);
    match (producer, consumer) {
        (Ok(properties), Ok(_)) => Ok(properties),
        (Err(producer), Err(consumer)) => {
            assert_eq!(producer, consumer);
            let text = producer.to_string();
            assert!(!text.contains(PASSWORD) && !text.contains(WRONG_PASSWORD), "{text}");
            assert!(!text.contains("MII"), "a part of a certificate or a key is shown: {text}");
            Err(text)
        }
        (producer, consumer) => panic!("the services differ: {producer:?} {consumer:?}"),
    }
}

/// Checks that exactly one problem is found, with this variable and these words.
#[track_caller]
fn one_problem(variables: &[(&str, &str)], variable: &str, words: &str) {
    let text = read(variables).expect_err("a problem");
    assert!(text.starts_with("1 problem with the settings:") && text.contains(&format!("  {variable} ")), "{text}");
    assert!(text.contains(words), "{words}: {text}");
}

#[test]
fn certificates_and_keys_come_from_files_or_from_values_encrypted_or_not() {
    let identity = Identity::new();
    let (certificate, key, encrypted) =
        (file(&identity.certificate), file(&identity.key), file(identity.encrypted_key()));
    let in_one_line = identity.certificate.replace('\n', "\\n");
    let encrypted_text = identity.encrypted_key();
    for variables in [
        vec![("KAFKA_SSL_CERTIFICATE_LOCATION", path(&certificate)), ("KAFKA_SSL_KEY_LOCATION", path(&key))],
        vec![("KAFKA_SSL_CERTIFICATE_PEM", &identity.certificate), ("KAFKA_SSL_KEY_PEM", &identity.key)],
        vec![("KAFKA_SSL_CERTIFICATE_PEM", in_one_line.as_str()), ("KAFKA_SSL_KEY_LOCATION", path(&key))],
        vec![("KAFKA_SSL_CERTIFICATE_PEM_FILE", path(&certificate)), ("KAFKA_SSL_KEY_PEM_FILE", path(&key))],
        vec![
            ("KAFKA_SSL_CERTIFICATE_LOCATION", path(&certificate)),
            ("KAFKA_SSL_KEY_LOCATION", path(&encrypted)),
            ("KAFKA_SSL_KEY_PASSWORD", PASSWORD),
        ],
        vec![
            ("KAFKA_SSL_CERTIFICATE_PEM", &identity.certificate),
            ("KAFKA_SSL_KEY_PEM", &encrypted_text),
            ("KAFKA_SSL_KEY_PASSWORD", PASSWORD),
        ],
        vec![("KAFKA_SSL_CA_LOCATION", path(&certificate))],
        vec![("KAFKA_SSL_CA_LOCATION", "/etc")],
        vec![("KAFKA_SSL_CA_PEM", &in_one_line)],
        vec![("KAFKA_SSL_CA_PEM_FILE", path(&certificate))],
    ] {
        let properties = read(&variables).unwrap();
        // librdkafka reads them too.
        let client = properties.client_config().create::<rdkafka::producer::BaseProducer>();
        assert!(client.is_ok(), "{variables:?}: {:?}", client.err());
        assert!(!format!("{properties:?}").contains("MII"), "{properties:?}");
    }
}

#[test]
fn a_certificate_that_is_not_valid_now_is_refused() {
    for (identity, words) in [
        (Identity::valid(2020, 2021), "has expired on Jan  1"),
        (Identity::valid(2090, 2100), "is not valid before Jan  1"),
    ] {
        let variables = [
            ("KAFKA_SSL_CERTIFICATE_PEM", identity.certificate.as_str()),
            ("KAFKA_SSL_KEY_PEM", identity.key.as_str()),
        ];
        one_problem(&variables, "KAFKA_SSL_CERTIFICATE_PEM", words);
        // As a trusted certificate it is not refused: a bundle of many may well contain one that has expired.
        assert!(read(&[("KAFKA_SSL_CA_PEM", &identity.certificate)]).is_ok());
    }
}

#[test]
fn a_key_that_does_not_fit_is_missing_or_cannot_be_decrypted_is_refused() {
    let (identity, other) = (Identity::new(), Identity::new());
    let encrypted = identity.encrypted_key();
    let certificate = ("KAFKA_SSL_CERTIFICATE_PEM", identity.certificate.as_str());
    one_problem(
        &[certificate, ("KAFKA_SSL_KEY_PEM", &other.key)],
        "KAFKA_SSL_KEY_PEM",
        "is not the key of the client's certificate",
    );
    one_problem(
        &[certificate],
        "KAFKA_SSL_KEY_LOCATION",
        "KAFKA_SSL_CERTIFICATE_PEM requires the key of its certificate",
    );
    one_problem(
        &[("KAFKA_SSL_KEY_PEM", &identity.key)],
        "KAFKA_SSL_CERTIFICATE_LOCATION",
        "requires the certificate of its key",
    );
    let with_password =
        |password| [certificate, ("KAFKA_SSL_KEY_PEM", encrypted.as_str()), ("KAFKA_SSL_KEY_PASSWORD", password)];
    one_problem(
        &with_password(WRONG_PASSWORD),
        "KAFKA_SSL_KEY_PASSWORD",
        "does not decrypt the key in KAFKA_SSL_KEY_PEM",
    );
    one_problem(&with_password(""), "KAFKA_SSL_KEY_PASSWORD", "the key in KAFKA_SSL_KEY_PEM is encrypted");
    let both = [("KAFKA_SSL_CA_PEM", identity.certificate.as_str()), ("KAFKA_SSL_CA_LOCATION", "/etc")];
    one_problem(&both, "KAFKA_SSL_CA_PEM", "is set together with KAFKA_SSL_CA_LOCATION");
    // The problem with a file is not followed by others that it causes.
    let missing = [certificate, ("KAFKA_SSL_KEY_PEM_FILE", "/no/such/file")];
    one_problem(&missing, "KAFKA_SSL_KEY_PEM_FILE", "cannot be used");
}

#[test]
fn a_file_of_another_form_than_pem_is_refused_with_the_way_to_convert_it() {
    let identity = Identity::new();
    let der = openssl::x509::X509::from_pem(identity.certificate.as_bytes()).unwrap().to_der().unwrap();
    let java_key_store = file([0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2, 0, 0, 0, 1]);
    let (der, text, key) = (file(der), file("not a certificate"), file(&identity.key));
    let cases = [
        (&java_key_store, "contains a Java key store (JKS), but PEM is expected; convert it with `keytool"),
        (&der, "contains binary data (DER or PKCS#12), but PEM is expected; convert it with `openssl"),
        (&text, "that can be read; expected PEM: text from `-----BEGIN"),
    ];
    for (wrong, words) in cases {
        one_problem(&[("KAFKA_SSL_CA_LOCATION", path(wrong))], "KAFKA_SSL_CA_LOCATION", words);
        let certificate = [("KAFKA_SSL_CERTIFICATE_LOCATION", path(wrong)), ("KAFKA_SSL_KEY_LOCATION", path(&key))];
        one_problem(&certificate, "KAFKA_SSL_CERTIFICATE_LOCATION", words);
        let key =
            [("KAFKA_SSL_CERTIFICATE_PEM", identity.certificate.as_str()), ("KAFKA_SSL_KEY_LOCATION", path(wrong))];
        one_problem(&key, "KAFKA_SSL_KEY_LOCATION", words);
    }
}
