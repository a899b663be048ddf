//! Short names for processes: 16 hex digits fit neither into a bar nor into a person's memory.

use std::collections::BTreeMap;

use crate::timeline::ProcessReport;

/// How many colours the style sheet has for replicas.
const COLOURS: usize = 8;

/// `P1`, `P2` for producers and `C1`, `C2` for replicas, in the order of their starts.
pub(super) struct Names(BTreeMap<String, (String, usize)>);

impl Names {
    pub(super) fn new(processes: &[ProcessReport]) -> Self {
        let (mut producers, mut replicas, mut others) = (0, 0, 0);
        let name = |process: &ProcessReport| {
            let (letter, count) = match (process.run, &process.group_id) {
                (Some(_), _) => ("P", &mut producers),
                (None, Some(_)) => ("C", &mut replicas),
                // Its first line is not there.
                (None, None) => ("X", &mut others),
            };
            *count += 1;
            (process.instance.clone(), (format!("{letter}{count}"), (*count - 1) % COLOURS))
        };
        Self(processes.iter().map(name).collect())
    }

    /// The short name of an instance, or the instance itself if no line of it has a time.
    pub(super) fn short<'a>(&'a self, instance: &'a str) -> &'a str {
        self.0.get(instance).map_or(instance, |(name, _)| name)
    }

    /// The class of the style sheet that has the colour of an instance.
    pub(super) fn colour(&self, instance: &str) -> String {
        format!("c{}", self.0.get(instance).map_or(0, |(_, colour)| *colour))
    }
}
