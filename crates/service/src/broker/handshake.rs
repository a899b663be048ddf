//! Why a broker's certificate is rejected, found out by a TLS handshake of our own.
//!
//! librdkafka reports a rejected certificate in the same words whatever the reason is. It has a callback with the reason, which its Rust
//! client does not offer. So the handshake is repeated with the same OpenSSL and the same trusted certificates. It ends when the
//! certificate is rejected: nothing is sent that tells who this client is.

use kafka_config::Trust;

use super::cause::Cause;

#[cfg(not(feature = "tls"))]
pub(super) fn rejection(_: &str, _: &Trust) -> Option<Cause> {
    None
}

#[cfg(feature = "tls")]
pub(super) use with_openssl::{rejection, trust_certificates};

/// The cause as long as the handshake has not told more.
pub(super) fn unexplained() -> Cause {
    Cause::new(
        "the broker's certificate is rejected",
        "correct KAFKA_SSL_CA_LOCATION, or the certificate of the broker",
    )
}

#[cfg(feature = "tls")]
mod with_openssl {
    use std::net::{IpAddr, TcpStream, ToSocketAddrs as _};
    use std::sync::Arc;
    use std::time::Duration;

    use openssl::error::ErrorStack;
    use openssl::ssl::{Ssl, SslContext, SslContextBuilder, SslMethod, SslVerifyMode};
    use openssl::x509::store::X509StoreBuilder;
    use openssl::x509::{X509, X509VerifyResult};
    use parking_lot::Mutex;

    use super::{Cause, Trust};

    /// For each of connecting, reading and writing.
    const TIMEOUT: Duration = Duration::from_secs(1);

    const SET_CA: &str = "set KAFKA_SSL_CA_LOCATION to the certificate of the CA that issued the broker's certificate";
    const SELF_SIGNED: &str = "set KAFKA_SSL_CA_LOCATION to this certificate if it is the broker's own, or give the broker one that a \
                               CA issued";
    const RENEW: &str = "renew the certificate, and check the clock of this machine";
    const CLOCK: &str = "check the clocks of this machine and of the CA, or use another certificate";
    const NAME: &str = "use a name in KAFKA_BOOTSTRAP_SERVERS and in advertised.listeners that the broker's certificate contains, or \
                        issue one that contains this name";
    const OTHER: &str = "correct KAFKA_SSL_CA_LOCATION, or the certificate of the broker";

    /// The first objection to a certificate, and how far up in the chain it is: 0 is the broker's own certificate.
    type Objection = (X509VerifyResult, u32);

    /// Why the certificate of `broker`, `host:port`, is rejected. `None` if it is not rejected or if there is no answer in time.
    pub(in crate::broker) fn rejection(broker: &str, trust: &Trust) -> Option<Cause> {
        let (host, _) = broker.rsplit_once(':')?;
        let host = host.trim_matches(['[', ']']);
        let (error, depth) = objection(broker, host, trust)?;
        Some(explain(error, depth, host))
    }

    fn objection(broker: &str, host: &str, trust: &Trust) -> Option<Objection> {
        let objection = Arc::new(Mutex::new(None));
        let ssl = prepare(host, trust, Arc::clone(&objection)).ok()?;
        let address = broker.to_socket_addrs().ok()?.next()?;
        let stream = TcpStream::connect_timeout(&address, TIMEOUT).ok()?;
        stream.set_read_timeout(Some(TIMEOUT)).ok()?;
        stream.set_write_timeout(Some(TIMEOUT)).ok()?;
        // Fails if there is an objection, which is what we are here for.
        drop(ssl.connect(stream));
        *objection.lock()
    }

    fn prepare(host: &str, trust: &Trust, objection: Arc<Mutex<Option<Objection>>>) -> Result<Ssl, ErrorStack> {
        let mut context = SslContext::builder(SslMethod::tls_client())?;
        trust_certificates(&mut context, trust)?;
        context.set_verify_callback(SslVerifyMode::PEER, move |is_valid, chain| {
            if !is_valid {
                let mut objection = objection.lock();
                objection.get_or_insert((chain.error(), chain.error_depth()));
            }
            is_valid
        });
        let mut ssl = Ssl::new(&context.build())?;
        match host.parse::<IpAddr>() {
            Ok(address) if trust.checks_host_name => ssl.param_mut().set_ip(address)?,
            Ok(_) => {}
            Err(_) => {
                ssl.set_hostname(host)?;
                if trust.checks_host_name {
                    ssl.param_mut().set_host(host)?;
                }
            }
        }
        Ok(ssl)
    }

    /// Makes `context` trust exactly the certificates of `trust`.
    pub(in crate::broker) fn trust_certificates(
        context: &mut SslContextBuilder,
        trust: &Trust,
    ) -> Result<(), ErrorStack> {
        // Without what OpenSSL trusts by default.
        context.set_cert_store(X509StoreBuilder::new()?.build());
        match (&trust.ca_location, &trust.ca_pem) {
            (Some(path), _) if std::path::Path::new(path).is_dir() => {
                context.load_verify_locations(None, Some(path.as_ref()))?
            }
            (Some(path), _) => context.set_ca_file(path)?,
            (None, Some(pem)) => {
                let mut store = X509StoreBuilder::new()?;
                for certificate in X509::stack_from_pem(pem.as_bytes())? {
                    store.add_cert(certificate)?;
                }
                context.set_verify_cert_store(store.build())?;
            }
            (None, None) => {
                // The OpenSSL in this binary does not know where the system has its certificates.
                let system = openssl_probe::probe();
                if let Some(file) = system.cert_file {
                    context.set_ca_file(file)?;
                }
                for folder in system.cert_dir {
                    context.load_verify_locations(None, Some(&folder))?;
                }
            }
        }
        Ok(())
    }

    fn explain(error: X509VerifyResult, depth: u32, host: &str) -> Cause {
        let whose = if depth == 0 {
            "the broker's certificate"
        } else {
            "the certificate of the CA of the broker's certificate"
        };
        // The numbers of OpenSSL's `X509_V_ERR_*`.
        match error.as_raw() {
            9 => Cause::new(format!("{whose} is not valid yet"), CLOCK),
            10 => Cause::new(format!("{whose} has expired"), RENEW),
            18 => Cause::new("the broker's certificate is self-signed, and not among the trusted ones", SELF_SIGNED),
            2 | 19 | 20 | 21 => Cause::new("the broker's certificate was issued by a CA that is not trusted", SET_CA),
            62 | 64 => Cause::new(format!("the broker's certificate does not contain the name {host}"), NAME),
            _ => Cause::new(format!("the broker's certificate is rejected: {}", error.error_string()), OTHER),
        }
    }
}
