//! The claims of an unsecured token. librdkafka would read them only when it makes the token, and its errors quote them.

/// What the list has to look like.
pub(super) const HINT: &str = "set it to `principal=NAME`, and separate what follows by spaces: `lifeSeconds=SECONDS`, \
                               `scope=SCOPES`, `principalClaimName=NAME`, `scopeClaimName=NAME`, `extension_NAME=VALUE`";

const LIFETIME: &str = "lifeSeconds";
const PRINCIPAL: &str = "principal";
/// Each may occur once, with a value.
const CLAIMS: [&str; 5] = [PRINCIPAL, LIFETIME, "scope", "principalClaimName", "scopeClaimName"];

/// Whether librdkafka can make a token of these claims.
pub(super) fn is_valid(claims: &str) -> bool {
    let mut seen = Vec::new();
    let all_known = claims.split(' ').filter(|word| !word.is_empty()).all(|word| {
        let Some((name, value)) = word.split_once('=') else { return false };
        if let Some(extension) = name.strip_prefix("extension_") {
            return is_extension(extension, value);
        }
        let is_new = !seen.contains(&name);
        seen.push(name);
        let is_in_range = name != LIFETIME || value.parse::<i32>().is_ok_and(|seconds| seconds > 0);
        CLAIMS.contains(&name) && is_new && !value.is_empty() && is_in_range
    });
    all_known && seen.contains(&PRINCIPAL)
}

/// RFC 7628, section 3.1. The name `auth` is reserved there.
fn is_extension(name: &str, value: &str) -> bool {
    let is_named = !name.is_empty() && name != "auth" && name.bytes().all(|byte| byte.is_ascii_alphabetic());
    is_named && value.bytes().all(|byte| byte.is_ascii_graphic() || matches!(byte, b'\t' | b'\r' | b'\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_claims_of_which_librdkafka_can_make_a_token_are_valid() {
        for valid in
            ["principal=me", " principal=a=b  lifeSeconds=60 scope=x,y", "extension_a= principal=me extension_a=b"]
        {
            assert!(is_valid(valid), "{valid}");
        }
        for invalid in [
            "",
            "me",
            "principal=",
            "scope=x",
            "principal=me principal=me",
            "principal=me,lifeSeconds=60 life=60",
            "principal=me lifeSeconds=0",
            "principal=me lifeSeconds=2147483648",
            "principal=me lifeSeconds=soon",
            "principal=me extension_=x",
            "principal=me extension_x",
            "principal=me extension_auth=x",
            "principal=me extension_a1=x",
            "principal=me extension_a=\u{e9}",
        ] {
            assert!(!is_valid(invalid), "{invalid}");
        }
    }
}
