//! Frames: the model as JSON for the page. The first frame of a tab is a snapshot; each later one has the sections that have changed.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::Model;

/// The sections of a frame and their content.
pub(crate) type Sections = BTreeMap<&'static str, Value>;

/// What the tabs have been sent.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    sections: Sections,
    last_event: u64,
}

impl Frames {
    /// What a tab needs that has nothing yet, or that was too slow. It belongs before the next [`delta`](Self::delta).
    pub(crate) fn snapshot(&self, model: &Model, mut sections: Sections) -> String {
        sections.insert("type", "snapshot".into());
        sections.insert(
            "events",
            to_value(&model.timeline.since(0).filter(|event| event.number <= self.last_event).collect::<Vec<_>>()),
        );
        to_value(&sections).to_string()
    }

    /// What has changed since the last delta, or `None` if nothing has. Empties the model's traffic.
    pub(crate) fn delta(&mut self, model: &mut Model, sections: Sections) -> Option<String> {
        let mut changed = Sections::new();
        for (name, content) in sections {
            if self.sections.get(name) != Some(&content) {
                self.sections.insert(name, content.clone());
                changed.insert(name, content);
            }
        }
        if model.timeline.last() > self.last_event {
            changed.insert("events", to_value(&model.timeline.since(self.last_event).collect::<Vec<_>>()));
            self.last_event = model.timeline.last();
        }
        let traffic = std::mem::take(&mut model.traffic);
        if !traffic.is_empty() {
            changed.insert("traffic", to_value(&traffic));
        }
        if changed.is_empty() {
            return None;
        }
        changed.insert("type", "delta".into());
        Some(to_value(&changed).to_string())
    }
}

impl Model {
    /// The sections that describe the model.
    pub(crate) fn sections(&self) -> Sections {
        let groups = self.groups.iter().map(|group| {
            let next: Vec<i64> = (0..).take(self.topic.partitions()).map(|partition| group.next(partition)).collect();
            json!({
                "name": group.name,
                "owners": group.owners().collect::<Vec<_>>(),
                "committed": group.committed_offsets().collect::<Vec<_>>(),
                "next": next,
            })
        });
        Sections::from([
            ("topic", json!({ "name": self.topic.name, "ends": self.topic.ends, "oldest": self.topic.oldest })),
            ("producer", to_value(&self.producer)),
            ("broker", to_value(&self.broker)),
            ("groups", groups.collect::<Vec<_>>().into()),
            ("replicas", to_value(&self.replicas)),
            ("phase", self.phase.into()),
        ])
    }
}

/// None of these types can fail to be serialized: their keys are strings, and their numbers are finite.
fn to_value(content: &impl Serialize) -> Value {
    serde_json::to_value(content).unwrap_or(Value::Null)
}
