//! The loop: polls, accounts, and at the end leaves the group under a deadline.
//!
//! Sequence at the end: the summary is written and stored; joining is brought to its end; what is stored is committed, while
//! the replica still takes part in the group; the queue is closed, which makes librdkafka revoke and leave. All the time it
//! is polled. Messages that still come are not processed, so the next owner gets them. When the broker does not answer, the
//! deadline ends this, and the client is left as it is.

use std::sync::mpsc::TryRecvError;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use journal::Journal;
use kafka_config::ConsumerSettings;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use service::{Access, Ending, Failure, Health, Shutdown, Traces, release};
use tracing::{debug, warn};

use crate::books::Books;
use crate::group::Group;
use crate::membership::generation;
use crate::metrics::ConsumerMetrics;
use crate::positions::Positions;

/// How long one poll may block: how late a stop is noticed.
const POLL: Duration = Duration::from_millis(100);
const CHORES_EVERY: Duration = Duration::from_millis(200);
/// The clock is read once in so many messages: a chore is late by these at most.
const MESSAGES_PER_CLOCK: u32 = 8;
/// What is in the queue already needs no more than this.
const LAST_ANSWERS: Duration = Duration::from_millis(100);
/// How long the loop may wait at the end for anything, before it looks again.
const ENDING_POLL: Duration = Duration::from_millis(20);
/// Before a commit is tried again that the group has refused.
const COMMIT_PAUSE: Duration = Duration::from_millis(100);
const OFFSETS_TIMEOUT: Duration = Duration::from_secs(3);

pub(crate) fn run(
    settings: ConsumerSettings,
    traces: Traces,
    journal: &Arc<Journal>,
    metrics: ConsumerMetrics,
    health: &Arc<Health>,
    shutdown: &Shutdown,
) -> Ending {
    let ConsumerSettings {
        connection,
        group_id,
        group_instance_id,
        group_protocol,
        max_messages,
        runtime,
        properties,
        ..
    } = settings;
    let topic = connection.topic.as_str();
    let metrics = Arc::new(metrics);
    let books = Books::new(Arc::clone(journal), Arc::clone(&metrics), topic, &group_id, runtime.log_messages);
    let access = Arc::new(Access::new(&connection, properties));
    let group = Group::new(Arc::clone(&access), metrics, books, Positions::new(topic));
    let consumer = match access.properties().client_config().create_with_context(group) {
        Ok(consumer) => Arc::new(consumer),
        Err(error) => {
            let failure = Failure::Settings(access.properties().refused(&error));
            return failure.into();
        }
    };
    let health = Arc::clone(health);
    let (is_classic, is_static) = (group_protocol == "classic", group_instance_id.is_some());
    let replica =
        Replica { consumer, access, health, traces, topic: topic.to_owned(), is_classic, is_static, max_messages };
    let mut failure = replica.until_stopped(shutdown).err();
    shutdown.request();
    if let Err(error) = replica.consumer.context().account(&replica.consumer, Books::close_summary) {
        failure.get_or_insert(Failure::Journal(error));
    }
    // What leaving itself needs is kept.
    let until = Instant::now() + shutdown.time_left() / 2;
    replica.finish_joining(until);
    replica.commit_stored(until);
    let closed = replica.close(shutdown);

    let (count, not_committed) = {
        let mut state = replica.consumer.context().state();
        if let Some(error) = state.write_error.take() {
            failure.get_or_insert(Failure::Journal(error));
        }
        (state.books.count(), state.positions.not_committed())
    };
    if !closed {
        warn!("the broker did not confirm that this replica left the group");
    }
    replica.traces.finish(shutdown);
    release(replica);
    Ending { failure, count, not_delivered: 0, not_committed }
}

struct Replica {
    consumer: Arc<BaseConsumer<Group>>,
    access: Arc<Access>,
    health: Arc<Health>,
    traces: Traces,
    topic: String,
    /// The group protocol.
    is_classic: bool,
    /// The group waits for its return.
    is_static: bool,
    max_messages: u64,
}

impl Replica {
    fn until_stopped(&self, shutdown: &Shutdown) -> Result<(), Failure> {
        // Subscribing to a topic that is missing would be told by librdkafka once, in its own words.
        let poll = || drop(self.consumer.poll(POLL));
        if self.access.wait_for_topic(self.consumer.client(), poll, &self.health, shutdown)?.is_none() {
            return Ok(());
        }
        let subscribed = self.consumer.subscribe(&[&self.topic]);
        subscribed.map_err(|source| Failure::Client { step: "subscribe to the topic", source })?;

        let group = self.consumer.context();
        let (mut received, mut received_at_chores) = (0, 0);
        let mut until_clock = 0;
        let mut chores_at = Instant::now();
        // When a message last came, or there was a reason that none did.
        let mut served_at = chores_at;
        while !shutdown.is_requested() {
            match self.consumer.poll(POLL) {
                Some(Ok(message)) => {
                    let _processing = self.traces.process(&message);
                    group.account(&self.consumer, |books| books.enter(&message)).map_err(Failure::Journal)?;
                    received += 1;
                    if received == self.max_messages {
                        return Ok(());
                    }
                    until_clock += 1;
                    if until_clock < MESSAGES_PER_CLOCK {
                        continue;
                    }
                }
                Some(Err(error)) => self.consider(&error)?,
                None => {}
            }
            until_clock = 0;
            let now = Instant::now();
            if now.saturating_duration_since(chores_at) >= CHORES_EVERY {
                chores_at = now;
                group.account(&self.consumer, |books| books.tick(now)).map_err(Failure::Journal)?;
                let obstacle = self.access.obstacle();
                let is_served = received > received_at_chores;
                if is_served {
                    received_at_chores = received;
                    self.access.worked();
                    group.note_message();
                }
                if is_served || group.state().waiting == 0 || obstacle.is_some() {
                    served_at = now;
                }
                self.access.look_after(self.consumer.client(), false)?;
                self.health.tick();
                let is_deaf = now.saturating_duration_since(served_at) > self.health.stall_limit();
                self.health.set_not_alive(is_deaf.then_some("messages wait, and none arrives"));
                self.health.set_not_ready(self.not_ready());
            }
        }
        Ok(())
    }

    /// A replica without partitions is ready, too: it takes over when another goes.
    fn not_ready(&self) -> Option<&'static str> {
        self.access.obstacle().or((!self.is_member()).then_some("not in the group"))
    }

    /// Whether it is a member, and no assignment is on its way.
    fn has_joined(&self) -> bool {
        let generation = generation(&self.consumer);
        let has_assignment = self.consumer.context().state().membership.has_assignment(generation);
        if self.is_classic { has_assignment } else { self.is_member() }
    }

    fn is_member(&self) -> bool {
        let generation = generation(&self.consumer);
        self.consumer.context().state().membership.is_there(generation)
    }

    /// An error of the client. Whatever it retries by itself was heard of in the context already.
    fn consider(&self, error: &KafkaError) -> Result<(), Failure> {
        match error.rdkafka_error_code() {
            Some(Code::AutoOffsetReset) => Err(Failure::NoOffset {
                topic: self.topic.clone(),
                partitions: self.without_offset(),
                reason: self.consumer.context().state().no_offset.take().unwrap_or_else(|| error.to_string()),
            }),
            Some(Code::PollExceeded) => {
                let next_step = "raise KAFKA_MAX_POLL_INTERVAL_MS if the log is written that slowly";
                warn!(next_step, "polled too late, partitions go to others");
                Ok(())
            }
            _ => {
                debug!(%error, "client reported an error");
                Ok(())
            }
        }
    }

    /// The owned partitions for which the group has no committed offset; none where the broker does not tell.
    fn without_offset(&self) -> Vec<i32> {
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

    /// Waits until joining is over and an assignment that is on its way is there. A replica that goes before can't say so: the
    /// group would count it among its members, and wait for it until its session ends.
    fn finish_joining(&self, until: Instant) {
        let is_joining = || self.consumer.subscription().is_ok_and(|list| list.count() > 0) && !self.has_joined();
        while !self.is_static && self.access.obstacle().is_none() && is_joining() && Instant::now() < until {
            drop(self.consumer.poll(ENDING_POLL));
        }
    }

    /// Commits what is stored. To leave commits, too, but takes no part any more in a rebalance that is under way: then the
    /// commit waits behind the request to join until the group has gone on without this replica, and is refused.
    fn commit_stored(&self, until: Instant) {
        let group = self.consumer.context();
        while self.access.obstacle().is_none() && group.state().positions.has_stored() && Instant::now() < until {
            match self.commit_while_polling(until) {
                Some(Ok(())) => return group.committed_all(),
                Some(Err(error)) => debug!(%error, "commit not accepted yet"),
                None => return,
            }
            let pause = Instant::now() + COMMIT_PAUSE;
            while Instant::now() < pause {
                drop(self.consumer.poll(ENDING_POLL));
            }
        }
    }

    /// A commit waits for its answer, and there may be none as long as nobody polls: so it waits on a thread of its own.
    /// Nothing when it took too long.
    fn commit_while_polling(&self, until: Instant) -> Option<KafkaResult<()>> {
        let (done, outcome) = mpsc::channel();
        let consumer = Arc::clone(&self.consumer);
        // Whoever asked is gone when it took too long.
        let commit = move || drop(done.send(consumer.commit_consumer_state(CommitMode::Sync)));
        std::thread::Builder::new().spawn(commit).ok()?;
        loop {
            match outcome.try_recv() {
                Ok(result) => return Some(result),
                Err(TryRecvError::Empty) if Instant::now() < until => drop(self.consumer.poll(ENDING_POLL)),
                Err(_) => return None,
            }
        }
    }

    /// Leaves the group; tells whether that is done.
    ///
    /// Closing alone does not tell the group of a replica that has no partitions (librdkafka 2.12, `cooperative-sticky`): a
    /// rebalance would wait for it until its session ends. To unsubscribe does; but with partitions, closing would overtake
    /// it.
    fn close(&self, shutdown: &Shutdown) -> bool {
        if !self.is_static && self.consumer.context().state().positions.owned().is_empty() {
            self.consumer.unsubscribe();
        }
        if let Err(error) = self.consumer.close_queue() {
            warn!(%error, "could not close the queue");
            return false;
        }
        while !self.consumer.closed() && !shutdown.time_left().is_zero() {
            // Messages are not processed any more: nothing is stored for them.
            drop(self.consumer.poll(ENDING_POLL));
        }
        let closed = self.consumer.closed();
        // The answer to the last commit may still be on its way through the queue.
        let is_committed = || self.consumer.context().state().positions.not_committed().is_empty();
        let until = Instant::now() + LAST_ANSWERS;
        while closed && !is_committed() && Instant::now() < until {
            drop(self.consumer.poll(Duration::from_millis(1)));
        }
        closed
    }
}
