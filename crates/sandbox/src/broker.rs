//! The embedded broker: librdkafka's mock cluster, on a port of this machine.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use anyhow::{Context as _, Result};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::{ClientConfig, TopicPartitionList};

pub(crate) const TOPIC: &str = "demo";
const WATCH_EVERY: Duration = Duration::from_millis(250);
const WATCH_TIMEOUT: Duration = Duration::from_secs(2);

/// One broker with one topic.
pub(crate) struct Broker {
    cluster: MockCluster<'static, DefaultProducerContext>,
    partitions: i32,
}

/// What is to be seen of a partition from outside.
pub(crate) struct Seen {
    pub(crate) partition: i32,
    /// Everything below was forgotten.
    pub(crate) begin: i64,
    /// Everything below is committed by the group.
    pub(crate) committed: i64,
}

impl Broker {
    pub(crate) fn start(partitions: i32) -> Result<Self> {
        let cluster = MockCluster::new(1).context("could not start the embedded broker")?;
        cluster.create_topic(TOPIC, partitions, 1).context("could not create the topic")?;
        Ok(Self { cluster, partitions })
    }

    pub(crate) fn bootstrap_servers(&self) -> String {
        self.cluster.bootstrap_servers()
    }

    /// Looks at all partitions several times a second, until the returned sender is dropped.
    pub(crate) fn watch(&self, group: &str, tell: impl Fn(Seen) + Send + 'static) -> Result<Sender<()>> {
        let client: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", self.bootstrap_servers())
            .set("group.id", group)
            .create()
            .context("could not watch the broker")?;
        let mut list = TopicPartitionList::new();
        list.add_partition_range(TOPIC, 0, self.partitions - 1);
        let (until, over): (_, Receiver<()>) = channel();
        std::thread::spawn(move || {
            while over.recv_timeout(WATCH_EVERY) == Err(RecvTimeoutError::Timeout) {
                // What can't be seen now is seen the next time.
                let Ok(offsets) = client.committed_offsets(list.clone(), WATCH_TIMEOUT) else { continue };
                for element in offsets.elements() {
                    let partition = element.partition();
                    let committed = element.offset().to_raw().unwrap_or(0);
                    if let Ok((begin, _)) = client.fetch_watermarks(TOPIC, partition, WATCH_TIMEOUT) {
                        tell(Seen { partition, begin, committed });
                    }
                }
            }
        });
        Ok(until)
    }
}
