//! The loop: polls librdkafka, accounts for each message, and finally leaves the group (`leaving`).

mod upkeep;

use std::mem::ManuallyDrop;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kafka_config::{ConsumerSettings, GroupProtocol};
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use service::{Access, Ending, Failure, Handles, Health, NativeMessage, Shutdown, drop_in_background};
use tracing::{debug, warn};

use self::upkeep::Upkeep;
use crate::books::Books;
use crate::fetching::ReceivedCounts;
use crate::group::Group;
use crate::metrics::ConsumerMetrics;
use crate::native::generation;
use crate::native::inbox::{BATCH_MAX, Inbox};
use crate::positions::Positions;

/// How long polling the consumer may block while the topic is awaited.
const POLL: Duration = Duration::from_millis(100);
/// Events served at once, so that the loop gets to its other duties however many there are.
const EVENTS_AT_ONCE: usize = 1024;
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
    let group =
        Group::new(Arc::clone(&access), Arc::clone(&metrics), topic, auto_offset_reset, traces, books, positions);
    let consumer: Arc<BaseConsumer<Group>> = match access.properties().client_config().create_with_context(group) {
        Ok(consumer) => Arc::new(consumer),
        Err(error) => return Failure::Settings(access.properties().refused(&error)).into(),
    };
    let inbox = match Inbox::new(Arc::clone(&consumer)) {
        Ok(inbox) => Arc::new(inbox),
        Err(source) => return Failure::Client { step: "create the queue of messages", source }.into(),
    };
    consumer.context().receive_by(&inbox);
    // A panic of the loop must end the service at once. Dropping a consumer closes it, which takes minutes if the broker does not answer.
    let replica = ManuallyDrop::new(Replica {
        inbox,
        consumer,
        access,
        metrics,
        health,
        topic: topic.to_owned(),
        is_classic: group_protocol == GroupProtocol::Classic,
        is_static: group_instance_id.is_some(),
        max_messages: max_messages.map(NonZeroU64::get),
    });
    let mut failure = replica.receive_until_stopped(shutdown).err();
    shutdown.request();
    if let Err(error) = replica.consumer.context().account_and_store(&replica.consumer, Books::write_pending_summary) {
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
    replica.consumer.context().traces().finish(shutdown);
    drop_in_background(ManuallyDrop::into_inner(replica));
    Ending { failure, count, not_delivered: 0, not_committed }
}

/// One member of the consumer group.
pub(crate) struct Replica {
    inbox: Arc<Inbox<Group>>,
    pub(crate) consumer: Arc<BaseConsumer<Group>>,
    pub(crate) access: Arc<Access>,
    metrics: Arc<ConsumerMetrics>,
    health: Arc<Health>,
    topic: String,
    /// Whether the group uses the `classic` protocol, and not `consumer` (KIP-848).
    is_classic: bool,
    /// Whether the replica is a static member (KIP-345), for whose return the group waits.
    pub(crate) is_static: bool,
    /// After how many messages the replica stops by itself.
    max_messages: Option<u64>,
}

impl Replica {
    fn receive_until_stopped(&self, shutdown: &Shutdown) -> Result<(), Failure> {
        // Subscribing only when the topic exists, because librdkafka reports a missing topic once and in its own words.
        let poll = || drop(self.consumer.poll(POLL));
        let Some(found) = self.access.wait_for_topic(self.consumer.client(), poll, &self.health, shutdown)? else {
            return Ok(());
        };
        let group = self.consumer.context();
        group.account_and_store(&self.consumer, |books| books.enter_topic(found)).map_err(Failure::Journal)?;
        let subscribed = self.consumer.subscribe(&[&self.topic]);
        subscribed.map_err(|source| Failure::Client { step: "subscribe to the topic", source })?;

        let mut received = ReceivedCounts::default();
        let mut upkeep = Upkeep::new();
        while !shutdown.is_requested() {
            let before = received.total();
            let left = self.max_messages.map_or(u64::MAX, |max| max - before);
            let max = usize::try_from(left).unwrap_or(BATCH_MAX);
            let errors = group.receive_batch(&self.consumer, &self.inbox, max, &mut received);
            let errors = errors.map_err(Failure::Journal)?;
            if !errors.is_empty() {
                upkeep.note_errors(&received);
            }
            errors.iter().try_for_each(|error| self.stop_or_go_on(error))?;
            let has_events = self.serve_events(&mut received)?;
            if self.max_messages.is_some_and(|max| received.total() >= max) {
                return Ok(());
            }
            if received.total() == before && errors.is_empty() && !has_events {
                self.inbox.wait(upkeep.longest_wait());
            } else {
                upkeep.note_news();
            }
            self.do_upkeep(&mut upkeep, &mut received, Instant::now())?;
        }
        Ok(())
    }

    /// Serves what waits in the consumer's queue: rebalances, results of commits, statistics, errors and log lines. Returns whether there
    /// was anything.
    fn serve_events(&self, received: &mut ReceivedCounts) -> Result<bool, Failure> {
        let has_events = self.inbox.has_events();
        for _ in 0..EVENTS_AT_ONCE {
            if !self.inbox.has_events() {
                break;
            }
            match self.consumer.poll(Duration::ZERO) {
                Some(Ok(message)) => {
                    let message = NativeMessage::from(&message);
                    let accounted = self.consumer.context().receive_one(&self.consumer, message, received);
                    accounted.map_err(Failure::Journal)?;
                }
                Some(Err(error)) => self.stop_or_go_on(&error)?,
                None => {}
            }
        }
        Ok(has_events)
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

    /// Whether an error that librdkafka returned ends the replica. Errors after which librdkafka retries were handled in the context already.
    fn stop_or_go_on(&self, error: &KafkaError) -> Result<(), Failure> {
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
