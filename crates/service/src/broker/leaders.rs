//! Which broker leads each partition, as last seen in librdkafka's statistics, and how partitions are named in texts.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use rdkafka::Statistics;

use super::statistics::brokers;

/// A text names at most this many partitions, and counts the others.
const NAMED_MAX: usize = 20;

/// The last known leader of each partition, and the address of each broker.
///
/// A broker that has failed soon leaves the metadata, and its partitions then have no leader. What was known before is kept, because the
/// broker that failed is the one to look at.
#[derive(Debug, Default)]
pub(super) struct Leaders {
    leaders: BTreeMap<i32, i32>,
    addresses: BTreeMap<i32, String>,
}

impl Leaders {
    /// Takes over what the statistics say about `topic`.
    pub(super) fn update(&mut self, topic: &str, statistics: &Statistics) {
        for broker in brokers(statistics) {
            let address = self.addresses.entry(broker.nodeid).or_default();
            if *address != broker.nodename {
                address.clone_from(&broker.nodename);
            }
        }
        let partitions = statistics.topics.get(topic).into_iter().flat_map(|topic| topic.partitions.values());
        for partition in partitions.filter(|partition| partition.partition >= 0 && partition.leader >= 0) {
            self.leaders.insert(partition.partition, partition.leader);
        }
    }

    /// Names partitions with their last known leaders, such as `partitions 1, 4 of broker 3 at kafka-3:9092`.
    pub(super) fn describe(&self, partitions: &[i32]) -> String {
        let mut by_leader: BTreeMap<Option<i32>, Vec<i32>> = BTreeMap::new();
        for partition in partitions.iter().take(NAMED_MAX) {
            by_leader.entry(self.leaders.get(partition).copied()).or_default().push(*partition);
        }
        let mut text = String::new();
        // Without a known leader last.
        for (leader, named) in by_leader.range(Some(i32::MIN)..).chain(by_leader.get_key_value(&None)) {
            if !text.is_empty() {
                text.push_str("; ");
            }
            text.push_str(if named.len() == 1 { "partition" } else { "partitions" });
            for (index, partition) in named.iter().enumerate() {
                write!(text, "{} {partition}", if index == 0 { "" } else { "," }).unwrap_or_default();
            }
            match leader {
                Some(leader) => match self.addresses.get(leader) {
                    Some(address) => write!(text, " of broker {leader} at {address}").unwrap_or_default(),
                    None => write!(text, " of broker {leader}").unwrap_or_default(),
                },
                None => text.push_str(", whose leader is not known"),
            }
        }
        if partitions.len() > NAMED_MAX {
            write!(text, "; and {} more partitions", partitions.len() - NAMED_MAX).unwrap_or_default();
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::statistics::{Broker, Partition, Topic};

    use super::*;

    fn statistics(leaders: &[(i32, i32)], brokers: &[i32]) -> Statistics {
        let partition =
            |&(partition, leader): &(i32, i32)| (partition, Partition { partition, leader, ..Partition::default() });
        let topic = Topic { partitions: leaders.iter().map(partition).collect(), ..Topic::default() };
        let broker = |&nodeid: &i32| {
            let nodename = format!("kafka-{nodeid}:9092");
            (nodename.clone(), Broker { nodeid, nodename, source: "learned".to_owned(), ..Broker::default() })
        };
        Statistics {
            brokers: brokers.iter().map(broker).collect(),
            topics: [("t".to_owned(), topic)].into_iter().collect(),
            ..Statistics::default()
        }
    }

    #[test]
    fn partitions_are_named_with_their_last_known_leader() {
        let mut leaders = Leaders::default();
        leaders.update("t", &statistics(&[(-1, -1), (0, 1), (1, 3), (4, 3)], &[1, 3]));
        // Broker 3 fails: it leaves the metadata, and its partitions have no leader.
        leaders.update("t", &statistics(&[(0, 1), (1, -1), (4, -1)], &[1]));
        assert_eq!(leaders.describe(&[1, 4]), "partitions 1, 4 of broker 3 at kafka-3:9092");
        assert_eq!(
            leaders.describe(&[0, 1, 7]),
            "partition 0 of broker 1 at kafka-1:9092; partition 1 of broker 3 at kafka-3:9092; partition 7, whose leader is not known"
        );
    }

    #[test]
    fn at_most_twenty_partitions_are_named() {
        let mut leaders = Leaders::default();
        let partitions: Vec<i32> = (0..25).collect();
        leaders.update("t", &statistics(&partitions.iter().map(|partition| (*partition, 2)).collect::<Vec<_>>(), &[2]));
        let text = leaders.describe(&partitions);
        assert!(text.starts_with("partitions 0, 1, ") && text.contains(" 19 of broker 2"), "{text}");
        assert!(text.ends_with("; and 5 more partitions") && !text.contains(" 20"), "{text}");
    }
}
