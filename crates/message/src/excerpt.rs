//! Text from outside, made safe to show.

/// So many bytes of a foreign text are shown.
pub const EXCERPT_MAX_BYTES: usize = 200;

/// The beginning of `bytes` on one line of printable ASCII: everything else, ESC and newlines first of all, is escaped
/// as in a Rust byte string. Cut after [`EXCERPT_MAX_BYTES`] bytes of the original, with `...` where something is missing.
#[must_use]
pub fn excerpt(bytes: &[u8]) -> String {
    let shown = &bytes[..bytes.len().min(EXCERPT_MAX_BYTES)];
    let mut text = shown.escape_ascii().to_string().replace("\\\"", "\"").replace("\\'", "'");
    if shown.len() < bytes.len() {
        text.push_str("...");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_control_and_new_lines_are_shown_not_obeyed() {
        assert_eq!(excerpt(b"{\"x\":\"\x1b[2J\nERROR fake\"}"), r#"{"x":"\x1b[2J\nERROR fake"}"#);
        assert_eq!(excerpt("\u{202e}".as_bytes()), r"\xe2\x80\xae");
    }

    #[test]
    fn a_long_text_is_cut() {
        assert_eq!(excerpt(&[b'a'; EXCERPT_MAX_BYTES]).len(), EXCERPT_MAX_BYTES);
        assert!(excerpt(&[b'a'; EXCERPT_MAX_BYTES + 1]).ends_with("a..."));
    }
}
