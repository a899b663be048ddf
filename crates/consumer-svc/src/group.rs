//! librdkafka's callbacks of the consumer: rebalances, commit results, errors, statistics and log lines.

mod sessions;

use std::io;
use std::sync::{Arc, OnceLock, Weak};

use kafka_config::AutoOffsetReset;
use parking_lot::{Mutex, MutexGuard};
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Statistics, TopicPartitionList};
use service::{Access, NativeMessage, Right, Traces};
use tracing::warn;

use crate::beginnings;
use crate::books::{Books, Record};
use crate::fetching::ReceivedCounts;
use crate::membership::Membership;
use crate::metrics::ConsumerMetrics;
use crate::native::inbox::Inbox;
use crate::native::log_start;
use crate::positions::{Commit, Positions};

/// The state shared by the loop and the callbacks. The callbacks run while the loop polls, on the loop's thread.
pub(crate) struct State {
    pub(crate) books: Books,
    pub(crate) positions: Positions,
    pub(crate) membership: Membership,
    /// Whether messages wait to be received in owned partitions whose leader is reachable, according to the last statistics.
    pub(crate) has_waiting: bool,
    /// The first error of writing a line in a callback.
    pub(crate) write_error: Option<io::Error>,
    /// librdkafka's message when it had no offset to start from.
    pub(crate) no_offset: Option<String>,
}

impl State {
    /// Keeps the error of a callback, which has nobody to return it to, for the loop.
    fn keep_error(&mut self, written: io::Result<()>) {
        if let Err(error) = written {
            self.write_error.get_or_insert(error);
        }
    }
}

/// The callbacks.
pub(crate) struct Group {
    access: Arc<Access>,
    metrics: Arc<ConsumerMetrics>,
    topic: String,
    reset: AutoOffsetReset,
    traces: Traces,
    /// Where the messages of assigned partitions go. Weak, because the inbox keeps the consumer, which keeps this.
    inbox: OnceLock<Weak<Inbox<Self>>>,
    state: Mutex<State>,
}

impl Group {
    pub(crate) fn new(
        access: Arc<Access>,
        metrics: Arc<ConsumerMetrics>,
        topic: &str,
        reset: AutoOffsetReset,
        traces: Traces,
        books: Books,
        positions: Positions,
    ) -> Self {
        let state = State {
            books,
            positions,
            membership: Membership::default(),
            has_waiting: false,
            write_error: None,
            no_offset: None,
        };
        let (inbox, state) = (OnceLock::new(), Mutex::new(state));
        Self { access, metrics, topic: topic.to_owned(), reset, traces, inbox, state }
    }

    /// Sends the messages of all partitions that are assigned from now on to `inbox`.
    pub(crate) fn receive_by(&self, inbox: &Arc<Inbox<Self>>) {
        self.inbox.get_or_init(|| Arc::downgrade(inbox));
    }

    /// Where the processing of messages is recorded.
    pub(crate) fn traces(&self) -> &Traces {
        &self.traces
    }

    /// Records the result of a commit of all stored offsets. `NoOffset` means that they had been committed before.
    pub(crate) fn record_commit_of_all(&self, result: &KafkaResult<()>) {
        match result {
            Ok(()) => self.metrics.commits_ok.inc(),
            Err(KafkaError::ConsumerCommit(Code::NoOffset)) => {}
            Err(_) => return self.metrics.commits_failed.inc(),
        }
        self.state().positions.record_all_committed();
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Calls `account` and stores the offsets up to which the books account for messages.
    ///
    /// # Errors
    /// A line could not be written, either now or earlier in a callback.
    pub(crate) fn account_and_store(
        &self,
        consumer: &BaseConsumer<Self>,
        account: impl FnOnce(&mut Books) -> io::Result<()>,
    ) -> io::Result<()> {
        self.account_in(&mut self.state(), consumer, |state| account(&mut state.books))
    }

    fn account_in(
        &self,
        state: &mut State,
        consumer: &BaseConsumer<Self>,
        account: impl FnOnce(&mut State) -> io::Result<()>,
    ) -> io::Result<()> {
        // Storing later offsets would commit past the messages that were not logged.
        if let Some(error) = state.write_error.take() {
            return Err(error);
        }
        let accounted = account(state);
        // After an error these are the messages before the one whose line could not be written.
        state.positions.store(consumer, &state.books.take_accounted());
        accounted
    }

    /// Accounts for a batch of the waiting messages, for `max` at most, and counts them in `received`. Does not block. Returns what librdkafka
    /// reported about partitions instead of messages.
    ///
    /// # Errors
    /// Like [`account_and_store`](Self::account_and_store).
    pub(crate) fn receive_batch(
        &self,
        consumer: &BaseConsumer<Self>,
        inbox: &Inbox<Self>,
        max: usize,
        received: &mut ReceivedCounts,
    ) -> io::Result<Vec<KafkaError>> {
        let mut reports = Vec::new();
        let accounted = self.account_in(&mut self.state(), consumer, |state| {
            state.books.begin_batch();
            let outcome = inbox.take(max, |message| match message.error() {
                None => self.receive(state, consumer, message, received),
                Some(error) => {
                    state.positions.note_unreadable(message.partition(), message.offset());
                    let reason = String::from_utf8_lossy(message.value().unwrap_or_default()).trim().to_owned();
                    reports.push((Code::from(error), reason));
                    Ok(())
                }
            });
            state.books.end_batch();
            outcome
        });
        accounted?;
        // From the consumer's queue, the crate `rdkafka` would pass such an error to the context and return it as well.
        let report = |(code, reason): (Code, String)| {
            self.handle_error(Some(code), &reason, Right::Use);
            KafkaError::MessageConsumption(code)
        };
        Ok(reports.into_iter().map(report).collect())
    }

    fn handle_error(&self, code: Option<Code>, reason: &str, needed: Right) {
        if code == Some(Code::AutoOffsetReset) {
            self.state().no_offset = Some(reason.to_owned());
        }
        self.access.handle_error(code, reason, needed);
    }

    /// Accounts for a message from the consumer's queue, where it arrives only if its partition could not be forwarded.
    ///
    /// # Errors
    /// Like [`account_and_store`](Self::account_and_store).
    pub(crate) fn receive_one(
        &self,
        consumer: &BaseConsumer<Self>,
        message: NativeMessage<'_>,
        received: &mut ReceivedCounts,
    ) -> io::Result<()> {
        self.account_in(&mut self.state(), consumer, |state| {
            state.books.begin_batch();
            let outcome = self.receive(state, consumer, message, received);
            state.books.end_batch();
            outcome
        })
    }

    /// Accounts for a message, and for a jump of the position before it.
    fn receive(
        &self,
        state: &mut State,
        consumer: &BaseConsumer<Self>,
        message: NativeMessage<'_>,
        received: &mut ReceivedCounts,
    ) -> io::Result<()> {
        let _processing = self.traces.process(message);
        let record = Record::from(message);
        let Record { partition, offset, .. } = record;
        if let Some(from) = state.positions.advance(partition, offset) {
            let log_start = log_start(consumer, &self.topic, partition);
            // Offsets without messages are no jump: compaction leaves them, and transactions use them for their markers.
            let is_gap = from.is_some_and(|from| from < offset && log_start.is_none_or(|start| start <= from));
            if !is_gap {
                state.books.enter_reset(partition, from, offset, log_start)?;
            }
        }
        state.books.enter(&record)?;
        received.count(partition);
        Ok(())
    }
}

impl ClientContext for Group {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.access.log(level, facility, text);
    }

    fn stats(&self, statistics: Statistics) {
        let mut state = self.state();
        state.has_waiting = self.metrics.update_lag(state.positions.processed(), &statistics);
        let can_read_all = self.metrics.fetching().update(&state.positions.owned(), &statistics);
        if can_read_all {
            self.access.confirm_reading();
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.handle_error(error.rdkafka_error_code(), reason, Right::Describe);
    }
}

impl ConsumerContext for Group {
    /// Answers a rebalance as the crate `rdkafka` does by default, except that new sessions begin at explicit offsets and that the
    /// beginnings and ends of sessions are written to the log.
    fn rebalance(&self, consumer: &BaseConsumer<Self>, code: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let partitions = partitions_of(list);
        let is_cooperative = matches!(consumer.rebalance_protocol(), RebalanceProtocol::Cooperative);
        let is_assignment = code == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        let new = if is_assignment { partitions.clone() } else { Vec::new() };
        let answered = if is_assignment {
            let begin = self.begin_sessions(consumer, &partitions);
            if let Some(inbox) = self.inbox.get().and_then(Weak::upgrade) {
                inbox.forward(&self.topic, &partitions);
            }
            beginnings::assignment(&self.topic, &begin).and_then(|list| {
                if is_cooperative { consumer.incremental_assign(&list) } else { consumer.assign(&list) }?;
                self.commit_beginnings(consumer, &begin.latest)
            })
        } else {
            // Without `cooperative-sticky`, all partitions are revoked, whatever the list says.
            let ended = if is_cooperative { partitions } else { self.state().positions.owned() };
            self.end_sessions(consumer, &ended);
            if is_cooperative { consumer.incremental_unassign(list) } else { consumer.unassign() }
        };
        if let Err(error) = answered {
            warn!(%error, "rebalance failed");
        }
        if let Err(error) = self.restore_positions(consumer, &new) {
            warn!(%error, "positions not restored");
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, offsets: &TopicPartitionList) {
        // No offset was stored since the last commit.
        if matches!(result, Err(KafkaError::ConsumerCommit(Code::NoOffset))) {
            return;
        }
        match self.state().positions.record_commit(result, offsets) {
            Commit::Succeeded => self.metrics.commits_ok.inc(),
            Commit::Failed => self.metrics.commits_failed.inc(),
            Commit::Redundant => {}
        }
    }
}

fn partitions_of(list: &TopicPartitionList) -> Vec<i32> {
    let mut partitions: Vec<i32> = list.elements().iter().map(|element| element.partition()).collect();
    partitions.sort_unstable();
    partitions
}

#[cfg(test)]
mod tests;
