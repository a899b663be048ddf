//! The loop: polls librdkafka, accounts for each message, and finally leaves the group (`leaving`).

use std::sync::Arc;
use std::time::{Duration, Instant};

use kafka_config::ConsumerSettings;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::Message as _;
use service::{Access, Ending, Failure, Handles, Health, Shutdown, Traces, drop_in_background};
use tracing::{debug, warn};

use crate::books::Books;
use crate::fetching::Received;
use crate::group::Group;
use crate::metrics::ConsumerMetrics;
use crate::native::generation;
use crate::positions::Positions;

/// How long one poll may block, and therefore how late the loop notices a shutdown request.
const POLL: Duration = Duration::from_millis(100);
const UPKEEP_INTERVAL: Duration = Duration::from_millis(200);
/// Under load the clock is read only once per this many messages, which delays the regular duties by no more than that.
const MESSAGES_PER_CLOCK_READING: u32 = 8;
const OFFSETS_TIMEOUT: Duration = Duration::from_secs(3);

/// Receives messages until enough are received, an error occurs, or `shutdown` is requested; then leaves the group.
pub(crate) fn receive_messages(
    settings: ConsumerSettings,
    metrics: ConsumerMetrics,
    handles: Handles,
    shutdown: &Shutdown,
) -> Ending {
    let ConsumerSettings {
        connection,
        group_id,
        auto_offset_reset,
        group_instance_id,
        group_protocol,
        max_messages,
        properties,
        ..
    } = settings;
    let Handles { journal, health, traces, detail } = handles;
    let topic = connection.topic.as_str();
    let metrics = Arc::new(metrics);
    let books = Books::new(journal, Arc::clone(&metrics), topic, &group_id, detail);
    let access = Arc::new(Access::new(&connection, properties));
    let positions = Positions::new(topic);
    let group = Group::new(Arc::clone(&access), Arc::clone(&metrics), topic, auto_offset_reset, books, positions);
    let consumer = match access.properties().client_config().create_with_context(group) {
        Ok(consumer) => Arc::new(consumer),
        Err(error) => return Failure::Settings(access.properties().refused(&error)).into(),
    };
    let replica = Replica {
        consumer,
        access,
        metrics,
        health,
        traces,
        topic: topic.to_owned(),
        is_classic: group_protocol == "classic",
        is_static: group_instance_id.is_some(),
        max_messages,
    };
    let mut failure = replica.receive_until_stopped(shutdown).err();
    shutdown.request();
    if let Err(error) = replica.consumer.context().account(&replica.consumer, Books::write_pending_summary) {
        failure.get_or_insert(Failure::Journal(error));
    }
    let has_left = replica.leave_group(shutdown);

    let (count, not_committed) = {
        let mut state = replica.consumer.context().state();
        if let Some(error) = state.write_error.take() {
            failure.get_or_insert(Failure::Journal(error));
        }
        (state.books.count(), state.positions.not_committed())
    };
    if !has_left {
        warn!("leaving the group was not confirmed by the broker");
    }
    replica.traces.finish(shutdown);
    drop_in_background(replica);
    Ending { failure, count, not_delivered: 0, not_committed }
}

/// One member of the consumer group.
pub(crate) struct Replica {
    pub(crate) consumer: Arc<BaseConsumer<Group>>,
    pub(crate) access: Arc<Access>,
    metrics: Arc<ConsumerMetrics>,
    health: Arc<Health>,
    traces: Traces,
    topic: String,
    /// Whether the group uses the `classic` protocol, and not `consumer` (KIP-848).
    is_classic: bool,
    /// Whether the replica is a static member (KIP-345), for whose return the group waits.
    pub(crate) is_static: bool,
    max_messages: u64,
}

impl Replica {
    fn receive_until_stopped(&self, shutdown: &Shutdown) -> Result<(), Failure> {
        // Subscribing only when the topic exists, because librdkafka reports a missing topic once and in its own words.
        let poll = || drop(self.consumer.poll(POLL));
        let Some(found) = self.access.wait_for_topic(self.consumer.client(), poll, &self.health, shutdown)? else {
            return Ok(());
        };
        let group = self.consumer.context();
        group.account(&self.consumer, |books| books.enter_topic(found)).map_err(Failure::Journal)?;
        let subscribed = self.consumer.subscribe(&[&self.topic]);
        subscribed.map_err(|source| Failure::Client { step: "subscribe to the topic", source })?;

        let (mut received, mut received_before) = (0, 0);
        let mut by_partition = Received::default();
        let mut since_clock_reading = 0;
        let mut upkeep_at = Instant::now();
        // When a message last arrived, or when there was last a reason for none to arrive.
        let mut served_at = upkeep_at;
        while !shutdown.is_requested() {
            match self.consumer.poll(POLL) {
                Some(Ok(message)) => {
                    let _processing = self.traces.process(&message);
                    group.receive(&self.consumer, &message).map_err(Failure::Journal)?;
                    received += 1;
                    by_partition.count(message.partition());
                    if received == self.max_messages {
                        return Ok(());
                    }
                    since_clock_reading += 1;
                    if since_clock_reading < MESSAGES_PER_CLOCK_READING {
                        continue;
                    }
                }
                Some(Err(error)) => self.handle_error(&error)?,
                None => {}
            }
            since_clock_reading = 0;
            let now = Instant::now();
            if now.saturating_duration_since(upkeep_at) >= UPKEEP_INTERVAL {
                upkeep_at = now;
                group.account(&self.consumer, |books| books.tick(now)).map_err(Failure::Journal)?;
                let obstacle = self.access.obstacle();
                let is_receiving = received > received_before;
                if is_receiving {
                    received_before = received;
                    self.access.confirm();
                    group.note_message();
                }
                if is_receiving || group.state().waiting == 0 || obstacle.is_some() {
                    served_at = now;
                }
                self.access.check(self.consumer.client(), false)?;
                self.health.tick();
                let is_starved = now.saturating_duration_since(served_at) > self.health.stall_limit();
                self.health.set_not_alive(is_starved.then_some("messages are waiting but none arrives"));
                let late = self.metrics.fetching().tick(&mut by_partition, obstacle.is_some(), now);
                self.health.set_not_ready(self.not_ready_reason().or(late.as_deref()));
            }
        }
        Ok(())
    }

    /// Why this replica is not ready, if it is not. A replica without partitions is ready: it takes over when another one leaves.
    fn not_ready_reason(&self) -> Option<&'static str> {
        self.access.obstacle().or((!self.is_member()).then_some("not in the group"))
    }

    /// Whether this replica is a member and its latest assignment has arrived.
    pub(crate) fn has_joined(&self) -> bool {
        let generation = generation(&self.consumer);
        let has_assignment = self.consumer.context().state().membership.has_assignment(generation);
        if self.is_classic { has_assignment } else { self.is_member() }
    }

    fn is_member(&self) -> bool {
        let generation = generation(&self.consumer);
        self.consumer.context().state().membership.is_member(generation)
    }

    /// Handles an error that a poll returned. Errors after which librdkafka retries were handled in the context already.
    fn handle_error(&self, error: &KafkaError) -> Result<(), Failure> {
        match error.rdkafka_error_code() {
            Some(Code::AutoOffsetReset) => Err(Failure::NoOffset {
                topic: self.topic.clone(),
                partitions: self.partitions_without_offset(),
                reason: self.consumer.context().state().no_offset.take().unwrap_or_else(|| error.to_string()),
            }),
            Some(Code::PollExceeded) => {
                let next_step = "raise KAFKA_MAX_POLL_INTERVAL_MS if writing the log is that slow";
                warn!(next_step, "max poll interval exceeded, the group reassigns the partitions");
                Ok(())
            }
            _ => {
                debug!(%error, "client reported an error");
                Ok(())
            }
        }
    }

    /// The owned partitions for which the group has no committed offset. Empty if the broker does not answer.
    fn partitions_without_offset(&self) -> Vec<i32> {
        let owned = self.consumer.context().state().positions.owned();
        let mut list = TopicPartitionList::with_capacity(owned.len());
        for partition in &owned {
            list.add_partition(&self.topic, *partition);
        }
        let committed = self.consumer.committed_offsets(list, OFFSETS_TIMEOUT);
        committed
            .iter()
            .flat_map(TopicPartitionList::elements)
            .filter(|element| element.offset().to_raw().is_none_or(|offset| offset < 0))
            .map(|element| element.partition())
            .collect()
    }
}
