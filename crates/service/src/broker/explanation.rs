//! What is known about why no broker can be reached.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kafka_config::{Connection, Properties, Trust};
use parking_lot::Mutex;

use super::cause::{Cause, Finding, Security};
use super::handshake;

/// A broker is asked at most this often why its certificate is rejected.
const HANDSHAKE_INTERVAL: Duration = Duration::from_secs(10);

/// The cause that librdkafka's last text about it told, or that a handshake found out.
#[derive(Debug)]
pub(super) struct Explanation {
    security: Security,
    trust: Trust,
    known: Arc<Mutex<KnownCause>>,
}

#[derive(Debug, Default)]
struct KnownCause {
    /// The cause, and when it was seen.
    cause: Option<(Cause, Instant)>,
    handshake_at: Option<Instant>,
}

impl Explanation {
    /// Nothing is known yet.
    pub(super) fn new(connection: &Connection, properties: &Properties) -> Self {
        let security = Security {
            has_tls: connection.security_protocol.has_tls(),
            has_account: connection.sasl_mechanism.is_some(),
            has_certificate: properties.has_client_certificate(),
        };
        Self { security, trust: properties.trust(), known: Arc::default() }
    }

    /// Remembers what a text of librdkafka says about the cause.
    pub(super) fn note(&self, text: &str) {
        match Finding::of(text, self.security) {
            Some(Finding::Known(cause)) => self.known.lock().cause = Some((cause, Instant::now())),
            Some(Finding::BadCertificate { broker }) => self.ask(broker),
            None => {}
        }
    }

    /// Finds out by a handshake why the certificate of `broker` is rejected.
    fn ask(&self, broker: String) {
        let now = Instant::now();
        {
            let mut known = self.known.lock();
            if known.handshake_at.is_some_and(|at| now.saturating_duration_since(at) < HANDSHAKE_INTERVAL) {
                return;
            }
            known.handshake_at = Some(now);
            known.cause.get_or_insert((handshake::unexplained(), now));
        }
        let (known, trust) = (Arc::clone(&self.known), self.trust.clone());
        // Not on this thread, which serves the client. Without a thread, the cause stays as it is.
        let asked = std::thread::Builder::new().name("tls-handshake".to_owned()).spawn(move || {
            if let Some(cause) = handshake::rejection(&broker, &trust) {
                known.lock().cause = Some((cause, Instant::now()));
            }
        });
        drop(asked);
    }

    /// The cause, if it is known.
    pub(super) fn cause(&self) -> Option<Cause> {
        self.known.lock().cause.as_ref().map(|(cause, _)| cause.clone())
    }

    /// Forgets a cause that was seen longer ago than this.
    pub(super) fn forget_older_than(&self, age: Duration) {
        self.known.lock().cause.take_if(|(_, seen)| seen.elapsed() > age);
    }
}
