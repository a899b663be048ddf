//! An identity server (OAuth 2.0) that issues signed tokens to clients who know their secret, and shows brokers the keys to check them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use openssl::base64::{decode_block, encode_block};
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::sign::Signer;
use openssl::ssl::{SslAcceptor, SslMethod};
use openssl::x509::X509;
use serde_json::{Value, json};

use super::authority::Identity;

pub(crate) const ISSUER: &str = "https://login.example/tests";
pub(crate) const AUDIENCE: &str = "kafka-of-the-tests";
pub(super) const CLIENT_ID: &str = "kafka-pair";
/// The path of the public keys.
const KEYS: &str = "/keys";
const KEY_ID: &str = "tests";
const IO_TIMEOUT: Duration = Duration::from_secs(2);

/// The key that tokens are signed with.
#[derive(Debug, Clone)]
pub(crate) struct SigningKey(PKey<Private>);

impl SigningKey {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(PKey::from_rsa(Rsa::generate(2048)?)?))
    }

    /// The public half, as a broker reads it (JWKS, RFC 7517).
    fn public_keys(&self) -> Result<String> {
        let rsa = self.0.rsa()?;
        let (modulus, exponent) = (base64url(&rsa.n().to_vec()), base64url(&rsa.e().to_vec()));
        let key = json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": KEY_ID, "n": modulus, "e": exponent});
        Ok(json!({ "keys": [key] }).to_string())
    }

    fn sign(&self, claims: &Value) -> Result<String> {
        let header = json!({"alg": "RS256", "typ": "JWT", "kid": KEY_ID}).to_string();
        let content = format!("{}.{}", base64url(header.as_bytes()), base64url(claims.to_string().as_bytes()));
        let mut signer = Signer::new(MessageDigest::sha256(), &self.0)?;
        signer.update(content.as_bytes())?;
        Ok(format!("{content}.{}", base64url(&signer.sign_to_vec()?)))
    }
}

fn base64url(bytes: &[u8]) -> String {
    encode_block(bytes).replace('+', "-").replace('/', "_").trim_end_matches('=').to_owned()
}

#[derive(Debug)]
struct Shared {
    key: SigningKey,
    secret: String,
    lifetime: Duration,
    is_away: AtomicBool,
    is_stopped: AtomicBool,
    contacts: AtomicUsize,
    issued: Mutex<Vec<String>>,
}

/// An identity server with TLS on a port of this machine. It stops when it is dropped.
#[derive(Debug)]
pub(super) struct IdentityServer {
    shared: Arc<Shared>,
    port: u16,
    thread: Option<JoinHandle<()>>,
}

impl IdentityServer {
    /// Issues tokens that are valid for `lifetime` to the client [`CLIENT_ID`] with this secret. `address` is where it listens.
    pub(super) fn start(
        address: Ipv4Addr,
        key: &SigningKey,
        own: &Identity,
        secret: &str,
        lifetime: Duration,
    ) -> Result<Self> {
        let mut tls = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
        tls.set_certificate(&*X509::from_pem(own.certificate.as_bytes())?)?;
        tls.set_private_key(&*PKey::private_key_from_pem(own.key.as_bytes())?)?;
        let tls = tls.build();
        let listener = TcpListener::bind((address, 0))?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared {
            key: key.clone(),
            secret: secret.to_owned(),
            lifetime,
            is_away: AtomicBool::new(false),
            is_stopped: AtomicBool::new(false),
            contacts: AtomicUsize::new(0),
            issued: Mutex::default(),
        });
        let own = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if own.is_stopped.load(Ordering::Relaxed) {
                    return;
                }
                own.contacts.fetch_add(1, Ordering::Relaxed);
                if !own.is_away.load(Ordering::Relaxed) {
                    // A client that does not trust the certificate hangs up, which is what some tests want.
                    own.serve(stream, &tls).ok();
                }
            }
        });
        Ok(Self { shared, port, thread: Some(thread) })
    }

    /// The token endpoint.
    pub(super) fn url(&self) -> String {
        format!("https://localhost:{}/token", self.port)
    }

    /// Where `host` finds the keys that tokens are signed with.
    pub(super) fn keys_url(&self, host: &str) -> String {
        format!("https://{host}:{}{KEYS}", self.port)
    }

    /// The key that tokens are signed with.
    pub(super) fn key(&self) -> &SigningKey {
        &self.shared.key
    }

    /// From now on, connections are closed without an answer, or are answered again.
    pub(super) fn set_away(&self, is_away: bool) {
        self.shared.is_away.store(is_away, Ordering::Relaxed);
    }

    /// How often somebody has connected.
    pub(super) fn contacts(&self) -> usize {
        self.shared.contacts.load(Ordering::Relaxed)
    }

    /// All tokens so far.
    pub(super) fn issued(&self) -> Vec<String> {
        self.shared.issued.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for IdentityServer {
    fn drop(&mut self) {
        self.shared.is_stopped.store(true, Ordering::Relaxed);
        // Wakes the thread.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        self.thread.take().map(JoinHandle::join);
    }
}

impl Shared {
    fn serve(&self, stream: TcpStream, tls: &SslAcceptor) -> Result<()> {
        stream.set_read_timeout(Some(IO_TIMEOUT))?;
        stream.set_write_timeout(Some(IO_TIMEOUT))?;
        let mut stream = BufReader::new(tls.accept(stream).map_err(|error| anyhow::anyhow!("{error}"))?);
        let (mut line, mut account, mut length) = (String::new(), String::new(), 0);
        stream.read_line(&mut line)?;
        let asks_for_keys = line.starts_with(&format!("GET {KEYS} "));
        line.clear();
        while stream.read_line(&mut line)? > 2 {
            if let Some((name, value)) = line.trim().split_once(": ") {
                match name.to_ascii_lowercase().as_str() {
                    "authorization" => value.clone_into(&mut account),
                    "content-length" => length = value.parse()?,
                    _ => {}
                }
            }
            line.clear();
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body)?;
        let (status, answer) = if asks_for_keys {
            ("200 OK", self.key.public_keys()?)
        } else {
            self.answer(&account, &String::from_utf8(body)?)
        };
        let length = answer.len();
        let stream = stream.get_mut();
        write!(
            stream,
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{answer}"
        )?;
        stream.shutdown()?;
        Ok(())
    }

    /// Status and body of the answer to a request for a token.
    fn answer(&self, account: &str, body: &str) -> (&'static str, String) {
        match self.issue(account, body) {
            Ok(token) => {
                let answer =
                    json!({"access_token": token, "token_type": "Bearer", "expires_in": self.lifetime.as_secs()});
                self.issued.lock().unwrap_or_else(PoisonError::into_inner).push(token);
                ("200 OK", answer.to_string())
            }
            // What was wrong, as some identity servers repeat it.
            Err(error) => {
                let answer = json!({"error": "invalid_client", "error_description": error.to_string()});
                ("401 Unauthorized", answer.to_string())
            }
        }
    }

    /// A token for whoever knows the secret, for the audience that the request names.
    fn issue(&self, account: &str, body: &str) -> Result<String> {
        let account = account.strip_prefix("Basic ").context("no account")?;
        let account = String::from_utf8(decode_block(account)?)?;
        let (id, secret) = account.split_once(':').context("no secret")?;
        let (id, secret) = (decoded(id)?, decoded(secret)?);
        ensure!(id == CLIENT_ID && secret == self.secret, "unknown client, or wrong secret {secret}");
        let parameter = |name: &str| {
            let pairs = body.split('&').filter_map(|pair| pair.split_once('='));
            let mut values = pairs.filter(|(key, _)| *key == name).map(|(_, value)| decoded(value));
            values.next().with_context(|| format!("{name} is missing"))?
        };
        ensure!(parameter("grant_type")? == "client_credentials", "another grant");
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        self.key.sign(&json!({
            "iss": ISSUER,
            "aud": parameter("audience")?,
            "sub": CLIENT_ID,
            "scope": parameter("scope")?,
            "iat": now,
            "exp": now + self.lifetime.as_secs(),
        }))
    }
}

/// A value as it is before it is encoded for a form.
fn decoded(value: &str) -> Result<String> {
    let mut bytes = Vec::new();
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits: Vec<u8> = rest.by_ref().take(2).collect();
                u8::from_str_radix(std::str::from_utf8(&digits)?, 16)?
            }
            other => other,
        });
    }
    Ok(String::from_utf8(bytes)?)
}
