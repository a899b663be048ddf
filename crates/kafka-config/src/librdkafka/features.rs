//! Optional parts of the librdkafka that this binary was linked with.

use rdkafka::ClientConfig;

use crate::settings::choices::SaslMechanism;

/// The features that a client needs for TLS and for the SASL mechanisms that use OpenSSL.
///
/// librdkafka itself is asked at run time, because cargo features cannot answer the question for this crate: cargo
/// unifies the features of all packages in one build, and `rdkafka/ssl` can be turned on by any of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Features {
    pub(crate) tls: bool,
    pub(crate) scram: bool,
    pub(crate) oauthbearer: bool,
}

impl Features {
    /// The features of the linked librdkafka, from its property `builtin.features`.
    pub(crate) fn linked() -> Self {
        let list = ClientConfig::new().create_native_config().and_then(|config| config.get("builtin.features"));
        // Without an answer nothing is ruled out here, and librdkafka still refuses what it does not support.
        list.map_or(Self { tls: true, scram: true, oauthbearer: true }, |list| Self::from_list(&list))
    }

    /// The features in a list such as `gzip,ssl,sasl_scram`.
    pub(crate) fn from_list(list: &str) -> Self {
        let has = |feature| list.split(',').any(|entry| entry.trim() == feature);
        Self { tls: has("ssl"), scram: has("sasl_scram"), oauthbearer: has("sasl_oauthbearer") }
    }

    /// Whether a client can log in with this SASL mechanism.
    pub(crate) fn supports_mechanism(self, mechanism: SaslMechanism) -> bool {
        match mechanism {
            SaslMechanism::Plain => true,
            SaslMechanism::ScramSha256 | SaslMechanism::ScramSha512 => self.scram,
            SaslMechanism::OauthBearer => self.oauthbearer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_counts_only_under_its_full_name() {
        let without_openssl = Features::from_list("gzip,snappy,sasl,regex,lz4,sasl_plain,plugins");
        assert_eq!(without_openssl, Features { tls: false, scram: false, oauthbearer: false });
        let with_openssl = Features::from_list("gzip,ssl,sasl,sasl_plain,sasl_scram,sasl_oauthbearer");
        assert_eq!(with_openssl, Features { tls: true, scram: true, oauthbearer: true });
    }

    #[test]
    fn the_tests_of_this_crate_link_a_librdkafka_with_tls() {
        assert_eq!(Features::linked(), Features { tls: true, scram: true, oauthbearer: true });
    }
}
