//! Makes bytes from outside (values, keys, headers) safe to print.

/// The number of bytes of the original that an excerpt shows at most.
pub const EXCERPT_MAX_BYTES: usize = 200;

/// Returns the beginning of `bytes` as one line of printable ASCII.
///
/// All other bytes, most importantly ESC and newlines, are escaped as in a Rust byte string, so that a message can neither control
/// the terminal nor forge a log line. Only the first [`EXCERPT_MAX_BYTES`] bytes are shown; `...` at the end says that there are more.
#[must_use]
pub fn excerpt(bytes: &[u8]) -> String {
    let mut text = String::new();
    excerpt_into(bytes, &mut text);
    text
}

/// Replaces the contents of `text` with what [`excerpt()`] returns. Allocates only if `text` has to grow.
pub fn excerpt_into(bytes: &[u8], text: &mut String) {
    text.clear();
    let shown = &bytes[..bytes.len().min(EXCERPT_MAX_BYTES)];
    for byte in shown {
        match byte {
            // Quotes are harmless in a line and would be hard to read if they were escaped.
            b'"' | b'\'' => text.push(char::from(*byte)),
            _ => text.extend(byte.escape_ascii().map(char::from)),
        }
    }
    if shown.len() < bytes.len() {
        text.push_str("...");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_and_newlines_are_escaped() {
        assert_eq!(excerpt(b"{\"x\":\"\x1b[2J\nERROR fake\"}"), r#"{"x":"\x1b[2J\nERROR fake"}"#);
        assert_eq!(excerpt("\u{202e}".as_bytes()), r"\xe2\x80\xae");
    }

    #[test]
    fn long_bytes_are_cut_and_end_in_dots() {
        assert_eq!(excerpt(&[b'a'; EXCERPT_MAX_BYTES]).len(), EXCERPT_MAX_BYTES);
        assert!(excerpt(&[b'a'; EXCERPT_MAX_BYTES + 1]).ends_with("a..."));
    }

    #[test]
    fn quotes_stay_readable_beside_escaped_bytes() {
        assert_eq!(excerpt(br#"\"a" \\ 'b' \'"#), r#"\\"a" \\\\ 'b' \\'"#);
    }
}
