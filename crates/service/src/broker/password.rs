//! Takes up another password from the password file without a restart.

use std::ffi::CString;
use std::time::{Duration, Instant};

use kafka_config::PasswordFile;
use parking_lot::Mutex;
use rdkafka::bindings::{rd_kafka_error_destroy, rd_kafka_sasl_set_credentials};
use rdkafka::client::{Client, ClientContext};
use tracing::{info, warn};

use crate::observability::complaint::Complaint;

const INTERVAL: Duration = Duration::from_secs(30);
/// While the broker refuses the account.
const REFUSED_INTERVAL: Duration = Duration::from_secs(1);

/// The password of the account, if it comes from a file.
#[derive(Debug)]
pub(super) struct Password(Option<Mutex<Watched>>);

#[derive(Debug)]
struct Watched {
    file: PasswordFile,
    read_at: Instant,
    complaint: Complaint,
}

impl Password {
    pub(super) fn new(file: Option<PasswordFile>) -> Self {
        Self(file.map(|file| Mutex::new(Watched { file, read_at: Instant::now(), complaint: Complaint::default() })))
    }

    /// Returns `text` without the password that was last taken up.
    pub(super) fn redact(&self, text: String) -> String {
        match &self.0 {
            Some(known) => known.lock().file.redact(&text),
            None => text,
        }
    }

    /// Reads the file again when it is time, and gives another password to the client, which uses it for the next login. Connections that
    /// exist go on.
    pub(super) fn refresh<C: ClientContext>(&self, client: &Client<C>, is_refused: bool) {
        let Some(known) = &self.0 else { return };
        let mut known = known.lock();
        let now = Instant::now();
        let interval = if is_refused { REFUSED_INTERVAL } else { INTERVAL };
        if now.saturating_duration_since(known.read_at) < interval {
            return;
        }
        known.read_at = now;
        match known.file.read_again() {
            Ok(is_new) => {
                if known.complaint.end(now).is_some() {
                    info!("password file can be read again");
                }
                if is_new && set_credentials(client, &known.file) {
                    info!("password taken up from its file");
                }
            }
            Err(error) => {
                if known.complaint.note(now, true) {
                    let next_step =
                        "make the file in KAFKA_SASL_PASSWORD_FILE readable; the password stays what it was";
                    warn!(next_step, error, "password file cannot be read");
                }
            }
        }
    }
}

#[expect(unsafe_code, reason = "rdkafka has no safe way to change the password of a client")]
fn set_credentials<C: ClientContext>(client: &Client<C>, file: &PasswordFile) -> bool {
    // Neither has a NUL: settings with one are refused.
    let (Ok(user), Ok(password)) = (CString::new(file.user()), CString::new(file.password())) else { return false };
    // SAFETY: the client lives as long as the reference. librdkafka copies both texts, and returns null or an error that we own.
    unsafe {
        let error = rd_kafka_sasl_set_credentials(client.native_ptr(), user.as_ptr(), password.as_ptr());
        if !error.is_null() {
            rd_kafka_error_destroy(error);
        }
        error.is_null()
    }
}
