//! Which messages a line is about.

use std::slice;

use journal::{Entry, Range};
use message::RunId;

/// The messages that a line shows as acknowledged or as received.
#[derive(Debug)]
pub(crate) struct Messages<'l> {
    pub(crate) topic: &'l str,
    pub(crate) side: Side<'l>,
    ranges: Ranges<'l>,
    entry: &'l Entry,
}

/// Which side of the broker wrote the line.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Side<'l> {
    /// The producer of this run: the broker acknowledged the messages.
    Acknowledged { run: RunId },
    /// A replica of this group: it received the messages.
    Received { group: &'l str },
}

#[derive(Debug)]
enum Ranges<'l> {
    One(Range),
    Many(&'l [Range]),
}

impl<'l> Messages<'l> {
    /// The messages that a line with this content is about. `None` if it shows no message as acknowledged or received.
    pub(crate) fn of(entry: &'l Entry) -> Option<Self> {
        let one = |partition, offset, key| Ranges::One(Range::one(partition, offset, key));
        let (topic, side, ranges) = match entry {
            Entry::Delivered(line) => {
                let range = one(line.partition, line.offset, Some((line.run, line.pseq)));
                (&line.topic, Side::Acknowledged { run: line.run }, range)
            }
            Entry::DeliveredSummary(line) => {
                (&line.topic, Side::Acknowledged { run: line.run }, Ranges::Many(&line.ranges))
            }
            Entry::Received(line) => {
                let range = one(line.partition, line.offset, line.run.zip(line.pseq));
                (&line.topic, Side::Received { group: &line.group_id }, range)
            }
            Entry::ReceivedSummary(line) => {
                (&line.topic, Side::Received { group: &line.group_id }, Ranges::Many(&line.ranges))
            }
            Entry::BadMessage(line) => {
                let range = one(line.partition, line.offset, line.run.zip(line.pseq));
                (&line.topic, Side::Received { group: &line.group_id }, range)
            }
            _ => return None,
        };
        Some(Self { topic, side, ranges, entry })
    }

    /// The number of the message, if the line is about a single one and states it.
    pub(crate) fn num(&self) -> Option<u64> {
        match self.entry {
            Entry::Delivered(line) => Some(line.num),
            Entry::Received(line) => Some(line.num),
            _ => None,
        }
    }

    /// How many of the messages could not be decoded, if the line counts them.
    pub(crate) fn bad(&self) -> Option<u64> {
        match self.entry {
            Entry::ReceivedSummary(line) => {
                Some(line.bad.values().fold(0, |sum: u64, count| sum.saturating_add(*count)))
            }
            Entry::BadMessage(_) => Some(1),
            _ => None,
        }
    }

    /// Whether the line only shows an example of the messages that a summary accounts for.
    pub(crate) fn is_sample(&self) -> bool {
        matches!(self.entry, Entry::BadMessage(line) if line.sample)
    }

    /// The messages as ranges. The range of a single message can be impossible, see [`Range::is_valid`].
    pub(crate) fn ranges(&self) -> &[Range] {
        match &self.ranges {
            Ranges::One(range) => slice::from_ref(range),
            Ranges::Many(ranges) => ranges,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "0198f0c2a1b27c3d8e4f5a6b7c8d9e0f";

    fn entry(message: &str, fields: &str) -> Entry {
        serde_json::from_str(&format!(r#"{{"message":"{message}","topic":"t","group_id":"g",{fields}}}"#)).unwrap()
    }

    #[test]
    fn a_line_about_one_message_and_a_summary_of_it_are_about_the_same_message() {
        let one = format!(r#""num":7,"ts":"x","partition":3,"offset":11,"latency_ms":1.5,"run":"{RUN}","pseq":5"#);
        let many = format!(
            r#""count":1,"rate_per_sec":1,"latency_ms":{{"p50":0,"p99":0,"max":0}},"outstanding":0,"run":"{RUN}",
               "ranges":[{{"partition":3,"offset":[11,11],"run":"{RUN}","pseq":[5,5]}}]"#
        );
        for (single, summary) in
            [("message delivered", "messages delivered"), ("message received", "messages received")]
        {
            let (single, summary) = (entry(single, &one), entry(summary, &many));
            let [single, summary] = [&single, &summary].map(|entry| Messages::of(entry).unwrap());
            assert_eq!((single.topic, single.ranges()), (summary.topic, summary.ranges()));
            assert_eq!(format!("{:?}", single.side), format!("{:?}", summary.side));
            assert_eq!((single.num(), summary.num()), (Some(7), None));
        }
    }

    #[test]
    fn a_bad_message_is_a_sample_if_a_summary_accounts_for_it() {
        let fields = r#""kind":"x","payload_bytes":0,"partition":3,"offset":11"#;
        for (sample, is_sample) in [("", false), (r#","sample":true"#, true)] {
            let entry = entry("bad message skipped", &format!("{fields}{sample}"));
            let messages = Messages::of(&entry).unwrap();
            assert_eq!((messages.is_sample(), messages.bad()), (is_sample, Some(1)));
            assert_eq!(messages.ranges(), [Range::one(3, 11, None)]);
        }
        assert!(Messages::of(&Entry::Other).is_none());
    }
}
