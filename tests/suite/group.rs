//! A group as the broker sees it: its offsets, and which member owns which partitions.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::{Offset, TopicPartitionList};

use crate::kafka::Kafka;
use crate::topic::{ANSWER_TIMEOUT, DEADLINE, Topic};

impl Topic {
    /// Makes a client that reads the offsets of `group` without joining it.
    ///
    /// # Errors
    /// The client can't be created.
    pub(crate) fn offsets(&self, group: &str) -> Result<Offsets> {
        let client = self.client_config().set("group.id", self.group(group)).create()?;
        Ok(Offsets { client, topic: self.name.clone() })
    }

    /// The partitions that each member owns, by client id, as Kafka's own tool reports them.
    ///
    /// # Errors
    /// The tool fails, or its output can't be parsed. librdkafka's list of groups can't be used instead, because it reports a
    /// group with the protocol `consumer` as dead.
    pub(crate) fn owners(&self, kafka: &Kafka, group: &str) -> Result<BTreeMap<String, Vec<i64>>> {
        let output = kafka.tool(
            "kafka-consumer-groups.sh",
            &["--describe", "--members", "--verbose", "--group", &self.group(group)],
        )?;
        owners(&output, &self.name).with_context(|| format!("the tool printed:\n{output}"))
    }
}

/// Parses the tool's table by the names of its columns, because the columns depend on the protocol.
fn owners(output: &str, topic: &str) -> Result<BTreeMap<String, Vec<i64>>> {
    let mut lines = output.lines().skip_while(|line| !line.starts_with("GROUP "));
    let header: Vec<&str> = lines.next().context("no header")?.split_whitespace().collect();
    let column = |name| header.iter().position(|title| *title == name).with_context(|| format!("no column {name}"));
    let (client, assignment) = (column("CLIENT-ID")?, column("CURRENT-ASSIGNMENT").or_else(|_| column("ASSIGNMENT"))?);
    let mut owners = BTreeMap::new();
    for line in lines.filter(|line| !line.trim().is_empty()) {
        let cells: Vec<&str> = line.split_whitespace().collect();
        let (Some(client), Some(assignment)) = (cells.get(client), cells.get(assignment)) else {
            bail!("too few columns in: {line}");
        };
        let numbers = assignment.strip_prefix(topic).unwrap_or_default();
        let numbers =
            numbers.split(|character: char| !character.is_ascii_digit()).filter_map(|number| number.parse().ok());
        ensure!(owners.insert((*client).to_owned(), numbers.collect()).is_none(), "{client} is in two rows");
    }
    Ok(owners)
}

/// The offsets of a group and of its topic, one for each partition.
#[allow(missing_debug_implementations, reason = "the client does not implement it")]
pub(crate) struct Offsets {
    client: BaseConsumer,
    topic: String,
}

impl Offsets {
    fn partitions(&self) -> Result<i32> {
        let metadata = self.client.fetch_metadata(Some(&self.topic), ANSWER_TIMEOUT)?;
        Ok(i32::try_from(metadata.topics().first().context("no topic")?.partitions().len())?)
    }

    /// The committed offset of each partition, or 0 if the group has not committed one.
    ///
    /// # Errors
    /// The broker does not answer.
    pub(crate) fn committed(&self) -> Result<Vec<i64>> {
        let mut list = TopicPartitionList::new();
        list.add_partition_range(&self.topic, 0, self.partitions()? - 1);
        let committed = self.client.committed_offsets(list, ANSWER_TIMEOUT)?;
        let offset = |element: TopicPartitionListElem<'_>| match element.offset() {
            Offset::Offset(offset) => offset,
            _ => 0,
        };
        Ok(committed.elements().into_iter().map(offset).collect())
    }

    /// The end of each partition: the offset that its next message will have.
    ///
    /// # Errors
    /// The broker does not answer.
    pub(crate) fn ends(&self) -> Result<Vec<i64>> {
        let end = |partition| Ok(self.client.fetch_watermarks(&self.topic, partition, ANSWER_TIMEOUT)?.1);
        (0..self.partitions()?).map(end).collect()
    }

    /// Waits until `condition` is true for the committed offsets and the ends. Ignores errors, because the broker may be away.
    ///
    /// # Errors
    /// The condition is not true within [`DEADLINE`].
    pub(crate) fn wait_until(&self, what: &str, condition: impl Fn(&[i64], &[i64]) -> bool) -> Result<()> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let last = self.committed().and_then(|committed| Ok((committed, self.ends()?)));
            if let Ok((committed, ends)) = &last
                && condition(committed, ends)
            {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "waited in vain for {what}; committed offsets and ends: {last:?}");
            // The client handles events such as a lost connection only when it is polled. It has no subscription, so it gets no
            // messages.
            drop(self.client.poll(Duration::from_millis(200)));
        }
    }

    /// Waits until the topic has `messages` messages and the group has committed all of them.
    ///
    /// # Errors
    /// It does not happen within [`DEADLINE`].
    pub(crate) fn wait_for_all(&self, messages: i64) -> Result<()> {
        self.wait_until("commits of all messages", |committed, ends| {
            committed == ends && ends.iter().sum::<i64>() == messages
        })
    }
}
