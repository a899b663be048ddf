//! Why no broker can be reached, in words that say what to change, as seen in librdkafka's texts.

/// Why no broker can be reached, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cause {
    pub(super) what: String,
    pub(super) next_step: &'static str,
}

impl Cause {
    pub(super) fn new(what: impl Into<String>, next_step: &'static str) -> Self {
        Self { what: what.into(), next_step }
    }
}

/// What the settings of this client say about its connections.
#[derive(Debug, Clone, Copy)]
pub(super) struct Security {
    pub(super) has_tls: bool,
    pub(super) has_account: bool,
    pub(super) has_certificate: bool,
}

/// What a text of librdkafka says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// The cause.
    Known(Cause),
    /// The broker's certificate was rejected. librdkafka has the same text for all reasons, so they must be found out by a handshake with
    /// this broker.
    BadCertificate {
        /// The broker, `host:port`.
        broker: String,
    },
}

const HOST: &str =
    "correct KAFKA_BOOTSTRAP_SERVERS, or advertised.listeners of the broker if another broker is named here";
const LISTENER: &str = "start the broker, or correct KAFKA_BOOTSTRAP_SERVERS";
const NOT_TLS: &str = "correct the port in KAFKA_BOOTSTRAP_SERVERS, or unset KAFKA_SSL_* and set KAFKA_SECURITY_PROTOCOL to \
                       PLAINTEXT or SASL_PLAINTEXT";
const IS_TLS: &str = "set KAFKA_SECURITY_PROTOCOL to SSL or SASL_SSL, or correct the port in KAFKA_BOOTSTRAP_SERVERS";
const WANTS_ACCOUNT: &str =
    "set KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD_FILE, or correct the port in KAFKA_BOOTSTRAP_SERVERS";
const NO_ACCOUNTS: &str = "correct the port in KAFKA_BOOTSTRAP_SERVERS, or unset KAFKA_SASL_*";
const SET_CERTIFICATE: &str = "set KAFKA_SSL_CERTIFICATE_LOCATION and KAFKA_SSL_KEY_LOCATION";
const OTHER_CERTIFICATE: &str = "use a certificate that was issued by a CA in the broker's trust store, and that is neither expired \
                                 nor revoked";
const HANDSHAKE: &str = "compare the TLS versions and cipher suites of the broker with KAFKA_PROP_SSL_CIPHER_SUITES";

/// TLS alerts with which a broker rejects the certificate of a client, or its absence: `bad_certificate`, `unsupported_certificate`,
/// `certificate_revoked`, `certificate_expired`, `certificate_unknown`, `unknown_ca`, `access_denied` and `certificate_required` (RFC 8446,
/// section 6.2). Which one a broker sends depends on its TLS version, not on what is wrong.
const CERTIFICATE_ALERTS: [u8; 8] = [42, 43, 44, 45, 46, 48, 49, 116];

impl Finding {
    /// What `text`, an error or a log line of librdkafka, says about the cause. `None` if it says nothing.
    pub(super) fn of(text: &str, security: Security) -> Option<Self> {
        let known = |what: &str, next_step| Some(Self::Known(Cause::new(what, next_step)));
        let contains = |words: &str| text.contains(words);
        if contains("certificate verify failed") || contains("error:0A000086") {
            return broker(text).map(|broker| Self::BadCertificate { broker });
        }
        if let Some(alert) = alert(text) {
            return match (CERTIFICATE_ALERTS.contains(&alert), security.has_certificate) {
                (true, true) => known("the broker rejects this client's certificate", OTHER_CERTIFICATE),
                (true, false) => known("the broker requires a client certificate, and none is set", SET_CERTIFICATE),
                (false, _) => known("the broker and this client agree on no TLS version or cipher suite", HANDSHAKE),
            };
        }
        let is_disconnected = contains("Disconnected");
        if contains("wrong version number") || (is_disconnected && contains("SSL_HANDSHAKE")) {
            return known("the broker hangs up during the TLS handshake: is this a port without TLS?", NOT_TLS);
        }
        if is_disconnected && contains("APIVERSION_QUERY") && !security.has_tls {
            return known("the broker hangs up at the first request: is this a TLS port?", IS_TLS);
        }
        // After this request, a broker ends the connection of a client that should have logged in first.
        if is_disconnected && !security.has_account && is_soon(text) {
            return known(
                "the broker hangs up after the first request: does this port require an account?",
                WANTS_ACCOUNT,
            );
        }
        if contains("SASL Handshake not supported by broker") || contains("not valid in current SASL state") {
            return known("the broker takes no account (SASL) on this port", NO_ACCOUNTS);
        }
        if contains("Failed to resolve") {
            return known("the host name of the broker cannot be resolved", HOST);
        }
        if contains("Connection refused") {
            return known("nothing listens at the address of the broker", LISTENER);
        }
        None
    }
}

/// The number in `SSL alert number 116`.
fn alert(text: &str) -> Option<u8> {
    let (_, rest) = text.split_once("SSL alert number ")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The broker in `ssl://localhost:9093/1: SSL handshake failed: ...`.
fn broker(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("ssl://")?;
    rest.split_once('/').map(|(broker, _)| broker.to_owned())
}

/// Whether the connection ended at once after it was ready: `(after 1ms in state UP`. Later it may be idle, or the broker is stopping.
fn is_soon(text: &str) -> bool {
    let before = text.split_once("ms in state UP").and_then(|(before, _)| before.rsplit_once("after "));
    before.and_then(|(_, millis)| millis.parse::<u32>().ok()).is_some_and(|millis| millis < 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TLS: Security = Security { has_tls: true, has_account: false, has_certificate: false };
    const PLAIN: Security = Security { has_tls: false, has_account: false, has_certificate: false };

    fn next_step(text: &str, security: Security) -> Option<&'static str> {
        match Finding::of(text, security)? {
            Finding::Known(cause) => Some(cause.next_step),
            Finding::BadCertificate { .. } => None,
        }
    }

    // The suite in `tests` sees these texts on real brokers. Here are the differences that matter.
    #[test]
    fn the_same_alert_means_something_else_with_and_without_a_client_certificate() {
        let text = "ssl://b:9093/bootstrap: Receive failed: error:0A00045C:SSL routines::tlsv13 alert certificate required: SSL \
                    alert number 116 (after 1ms in state APIVERSION_QUERY)";
        assert_eq!(next_step(text, TLS), Some(SET_CERTIFICATE));
        assert_eq!(next_step(text, Security { has_certificate: true, ..TLS }), Some(OTHER_CERTIFICATE));
        let text = "ssl://b:9093/bootstrap: SSL handshake failed: ssl/tls alert handshake failure: SSL alert number 40";
        assert_eq!(next_step(text, TLS), Some(HANDSHAKE));
    }

    #[test]
    fn a_disconnection_means_something_else_in_each_state() {
        let text =
            |state| format!("b:9093/bootstrap: Disconnected: connection closed by peer (after 1ms in state {state})");
        assert_eq!(next_step(&text("APIVERSION_QUERY"), PLAIN), Some(IS_TLS));
        assert_eq!(next_step(&text("APIVERSION_QUERY"), TLS), None);
        assert_eq!(next_step(&text("SSL_HANDSHAKE"), TLS), Some(NOT_TLS));
        assert_eq!(next_step(&text("UP"), PLAIN), Some(WANTS_ACCOUNT));
        assert_eq!(next_step(&text("UP"), Security { has_account: true, ..PLAIN }), None);
        assert_eq!(next_step(&text("UP").replace("1ms", "31000ms"), PLAIN), None, "an idle connection");
    }

    #[test]
    fn a_rejected_certificate_names_the_broker_to_ask() {
        let text = "[thrd:sasl_ssl://b.example:9093/1]: sasl_ssl://b.example:9093/1: SSL handshake failed: \
                    error:0A000086:SSL routines::certificate verify failed";
        assert_eq!(Finding::of(text, TLS), Some(Finding::BadCertificate { broker: "b.example:9093".to_owned() }));
    }
}
