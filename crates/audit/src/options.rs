//! What the caller says about the evidence.

/// What the evidence is, and which part of it to judge.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Every line of every producer and replica is given. A message that no line shows as received was then received by nobody. Without
    /// this, the log of a whole replica, or the last lines of a killed one, may not be part of the evidence.
    pub is_complete: bool,
    /// The evidence may begin in the middle: the first lines of processes may be missing, and messages from before are not judged.
    pub is_from_here: bool,
    /// Judge only this consumer group.
    pub group: Option<String>,
    /// Judge only this topic.
    pub topic: Option<String>,
}

impl Options {
    /// Complete evidence.
    #[must_use]
    pub fn complete() -> Self {
        Self { is_complete: true, ..Self::default() }
    }

    /// Whether lines about this topic, and about this group if they are about one, are to be judged.
    pub(crate) fn includes(&self, topic: &str, group: Option<&str>) -> bool {
        let is_topic = self.topic.as_ref().is_none_or(|wanted| wanted == topic);
        is_topic && group.is_none_or(|group| self.group.as_ref().is_none_or(|wanted| wanted == group))
    }
}
