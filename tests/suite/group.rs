//! What the broker says of a group: how far it has come, and who of it owns what.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};

use crate::cluster::{ANSWER, Cluster, DEADLINE};
use crate::kafka::Kafka;

impl Cluster {
    /// Asks for offsets of `group`, which it does not join.
    ///
    /// # Errors
    /// The client can't be made.
    pub(crate) fn offsets(&self, group: &str) -> Result<Offsets> {
        let client = self.client_config().set("group.id", self.group(group)).create()?;
        Ok(Offsets { client, topic: self.topic.clone() })
    }

    /// Who owns which partitions, as the broker tells Kafka's own tool: client id to partitions.
    ///
    /// # Errors
    /// The tool fails or prints something else. librdkafka's list of groups is of no use: to it a group with the protocol
    /// `consumer` looks dead.
    pub(crate) fn owners(&self, kafka: &Kafka, group: &str) -> Result<BTreeMap<String, Vec<i64>>> {
        let printed = kafka.tool(
            "kafka-consumer-groups.sh",
            &["--describe", "--members", "--verbose", "--group", &self.group(group)],
        )?;
        owners(&printed, &self.topic).with_context(|| format!("the tool printed:\n{printed}"))
    }
}

/// Reads the tool's table, by the names of its columns: the protocols differ in which they have.
fn owners(printed: &str, topic: &str) -> Result<BTreeMap<String, Vec<i64>>> {
    let mut lines = printed.lines().skip_while(|line| !line.starts_with("GROUP "));
    let header: Vec<&str> = lines.next().context("no header")?.split_whitespace().collect();
    let column = |name| header.iter().position(|it| *it == name).with_context(|| format!("no column {name}"));
    let (client, assignment) = (column("CLIENT-ID")?, column("CURRENT-ASSIGNMENT").or_else(|_| column("ASSIGNMENT"))?);
    let mut owners = BTreeMap::new();
    for line in lines.filter(|line| !line.trim().is_empty()) {
        let cells: Vec<&str> = line.split_whitespace().collect();
        let (Some(client), Some(assignment)) = (cells.get(client), cells.get(assignment)) else {
            bail!("too few columns in: {line}");
        };
        let numbers = assignment.strip_prefix(topic).unwrap_or_default();
        let numbers = numbers.split(|it: char| !it.is_ascii_digit()).filter_map(|number| number.parse().ok());
        ensure!(owners.insert((*client).to_owned(), numbers.collect()).is_none(), "{client} is there twice");
    }
    Ok(owners)
}

/// The offsets of a group and of its topic, one for each partition.
#[allow(missing_debug_implementations, reason = "the client has none")]
pub(crate) struct Offsets {
    client: BaseConsumer,
    topic: String,
}

impl Offsets {
    fn partitions(&self) -> Result<i32> {
        let metadata = self.client.fetch_metadata(Some(&self.topic), ANSWER)?;
        Ok(i32::try_from(metadata.topics().first().context("no topic")?.partitions().len())?)
    }

    /// What the group has committed; 0 where it has not.
    ///
    /// # Errors
    /// The broker does not answer.
    pub(crate) fn committed(&self) -> Result<Vec<i64>> {
        let mut list = TopicPartitionList::new();
        list.add_partition_range(&self.topic, 0, self.partitions()? - 1);
        let committed = self.client.committed_offsets(list, ANSWER)?;
        let offset = |it: rdkafka::topic_partition_list::TopicPartitionListElem<'_>| match it.offset() {
            Offset::Offset(offset) => offset,
            _ => 0,
        };
        Ok(committed.elements().into_iter().map(offset).collect())
    }

    /// Where each partition ends.
    ///
    /// # Errors
    /// The broker does not answer.
    pub(crate) fn ends(&self) -> Result<Vec<i64>> {
        let end = |partition| Ok(self.client.fetch_watermarks(&self.topic, partition, ANSWER)?.1);
        (0..self.partitions()?).map(end).collect()
    }

    /// Waits until `holds` for the committed offsets and the ends. Errors count as "not yet": the broker may be away.
    ///
    /// # Errors
    /// It does not come to hold within [`DEADLINE`].
    pub(crate) fn wait_until(&self, what: &str, holds: impl Fn(&[i64], &[i64]) -> bool) -> Result<()> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let seen = self.committed().and_then(|committed| Ok((committed, self.ends()?)));
            if let Ok((committed, ends)) = &seen
                && holds(committed, ends)
            {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "waited in vain for {what}; committed and ends: {seen:?}");
            // Polling the client is what lets it tell of the broker; nothing is subscribed, so nothing comes.
            drop(self.client.poll(Duration::from_millis(200)));
        }
    }

    /// Waits until the group has committed all that the topic holds, which is `messages` if that is known.
    ///
    /// # Errors
    /// It does not happen within [`DEADLINE`].
    pub(crate) fn wait_for_all(&self, messages: i64) -> Result<()> {
        self.wait_until("commits of all messages", |committed, ends| {
            committed == ends && ends.iter().sum::<i64>() == messages
        })
    }
}
