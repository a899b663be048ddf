//! What a count of messages means for the verdict.

/// What it means for the verdict if a count is above zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The guarantee is violated.
    Violation,
    /// The guarantee is violated if there are more than `--max-repeats`.
    Limited,
    /// There is no proof.
    NoProof,
    /// Nothing.
    None,
}

impl Effect {
    /// Whether so many messages violate the guarantee, if each group may have at most `max_repeats` repeats.
    pub(crate) fn is_violation(self, count: u64, max_repeats: u64) -> bool {
        match self {
            Self::Violation => count > 0,
            Self::Limited => count > max_repeats,
            Self::NoProof | Self::None => false,
        }
    }
}
