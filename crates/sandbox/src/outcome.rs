//! How a demonstration ends: the audit's verdict, unless the demonstration itself went wrong.

use std::fmt;

use audit::Verdict;

/// How a demonstration ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The audit's verdict stands.
    Audited(Verdict),
    /// A service failed, so the audit did not see the whole demonstration.
    ServiceFailed,
    /// No message was acknowledged, so there was nothing to deliver and nothing is proven.
    NothingAcknowledged,
}

impl Outcome {
    pub(crate) fn new(verdict: Verdict, acknowledged: u64, has_failures: bool) -> Self {
        match verdict {
            Verdict::Violated => Self::Audited(verdict),
            _ if has_failures => Self::ServiceFailed,
            _ if acknowledged == 0 => Self::NothingAcknowledged,
            _ => Self::Audited(verdict),
        }
    }

    pub(crate) fn is_proven(self) -> bool {
        self == Self::Audited(Verdict::Proven)
    }

    /// One word for the page.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Audited(Verdict::Proven) => "proven",
            Self::Audited(Verdict::Violated) => "violated",
            Self::Audited(Verdict::Insufficient) | Self::NothingAcknowledged => "insufficient",
            Self::ServiceFailed => "failed",
        }
    }

    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Audited(verdict) => verdict.exit_code(),
            Self::ServiceFailed => 1,
            Self::NothingAcknowledged => Verdict::Insufficient.exit_code(),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Audited(verdict) => verdict.fmt(f),
            Self::ServiceFailed => f.write_str("FAILED: a service failed, so nothing is proven; see above"),
            Self::NothingAcknowledged => f.write_str("INSUFFICIENT EVIDENCE: no message was acknowledged"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_acknowledged_messages_and_healthy_services_prove_something() {
        let exit_code = |verdict, acknowledged, has_failures| {
            let outcome = Outcome::new(verdict, acknowledged, has_failures);
            assert_eq!(outcome.is_proven(), outcome.exit_code() == 0);
            assert_eq!(outcome.is_proven(), outcome.to_string().contains("PROVEN"));
            outcome.exit_code()
        };
        assert_eq!(exit_code(Verdict::Proven, 20, false), 0);
        assert_eq!(exit_code(Verdict::Proven, 20, true), 1);
        assert_eq!(exit_code(Verdict::Proven, 0, false), 3);
        assert_eq!(exit_code(Verdict::Proven, 0, true), 1);
        assert_eq!(exit_code(Verdict::Insufficient, 20, false), 3);
        assert_eq!(exit_code(Verdict::Insufficient, 20, true), 1);
        assert_eq!(exit_code(Verdict::Violated, 20, true), 1);
    }
}
