//! The file that the password comes from, which may get another password while a service runs.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};

use crate::librdkafka::properties::redact;
use crate::variables::environment::read_secret_again;

/// The file that `KAFKA_SASL_PASSWORD_FILE` names, to be read again when the password may have changed.
///
/// `Debug` prints neither the password nor the path.
#[derive(Clone)]
pub struct PasswordFile {
    path: String,
    user: String,
    password: SecretString,
}

impl fmt::Debug for PasswordFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordFile").finish_non_exhaustive()
    }
}

impl PasswordFile {
    pub(crate) fn new(path: &str, user: &str, password: &str) -> Self {
        Self { path: path.to_owned(), user: user.to_owned(), password: password.into() }
    }

    /// Reads the file again, if it is a regular file. Returns whether it has another password than before.
    ///
    /// # Errors
    /// Why the file cannot be used. The password stays what it was.
    pub fn read_again(&mut self) -> Result<bool, String> {
        let Some(password) = read_secret_again(&self.path)? else { return Ok(false) };
        let has_changed = password != self.password.expose_secret();
        self.password = password.into();
        Ok(has_changed)
    }

    /// The user name.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The password that was last read. For librdkafka only.
    #[must_use]
    pub fn password(&self) -> &str {
        self.password.expose_secret()
    }

    /// Returns `text` with the password that was last read replaced by `[secret]`.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        redact(text, self.password.expose_secret())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_password_is_noticed_once_and_a_missing_file_changes_nothing() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "first\n").unwrap();
        let mut password = PasswordFile::new(file.path().to_str().unwrap(), "me", "first");
        assert_eq!(password.read_again(), Ok(false));
        std::fs::write(&file, "second\n").unwrap();
        assert_eq!((password.read_again(), password.read_again()), (Ok(true), Ok(false)));
        drop(file);
        assert!(password.read_again().is_err());
        assert_eq!((password.password(), password.redact("a second of it").as_str()), ("second", "a [secret] of it"));
        assert!(!format!("{password:?}").contains("second"));
    }
}
