//! librdkafka's reports to this replica: assignments, commits, errors, log lines.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::{Statistics, TopicPartitionList};
use service::Access;
use tracing::{info, warn};

use crate::books::{Books, Next};
use crate::membership::{Membership, generation};
use crate::metrics::ConsumerMetrics;
use crate::positions::Positions;

/// What the loop and the callbacks share. The callbacks run while the loop polls, on the loop's thread.
pub(crate) struct State {
    pub(crate) books: Books,
    pub(crate) positions: Positions,
    pub(crate) membership: Membership,
    /// Messages that owned partitions hold for this replica, as it last heard, of partitions whose broker it can reach.
    pub(crate) waiting: i64,
    /// The first line that a callback could not write.
    pub(crate) write_error: Option<io::Error>,
    /// What librdkafka said when it had no offset to start from.
    pub(crate) no_offset: Option<String>,
}

/// This replica's membership in the group.
pub(crate) struct Group {
    access: Arc<Access>,
    metrics: Arc<ConsumerMetrics>,
    state: Mutex<State>,
}

impl Group {
    pub(crate) fn new(access: Arc<Access>, metrics: Arc<ConsumerMetrics>, books: Books, positions: Positions) -> Self {
        let state = State {
            books,
            positions,
            membership: Membership::default(),
            waiting: 0,
            write_error: None,
            no_offset: None,
        };
        Self { access, metrics, state: Mutex::new(state) }
    }

    /// A message has come since this was last said.
    pub(crate) fn note_message(&self) {
        self.metrics.last_message.is_now();
    }

    /// Everything that was stored of owned partitions is committed.
    pub(crate) fn committed_all(&self) {
        self.state().positions.committed_all();
        self.metrics.commits_ok.inc();
    }

    fn show_owned(&self, owned: &[i32]) {
        self.metrics.owned.set(i64::try_from(owned.len()).unwrap_or(i64::MAX));
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `account`, and stores what it accounted for.
    ///
    /// # Errors
    /// The line, or one of a callback before, could not be written, so nothing is stored.
    pub(crate) fn account(
        &self,
        consumer: &BaseConsumer<Self>,
        account: impl FnOnce(&mut Books) -> io::Result<Vec<Next>>,
    ) -> io::Result<()> {
        let mut state = self.state();
        // Whoever stored more now would pass over what was lost with that line.
        if let Some(error) = state.write_error.take() {
            return Err(error);
        }
        let next = account(&mut state.books)?;
        if !next.is_empty() {
            state.positions.store(consumer, &next);
        }
        Ok(())
    }
}

impl ClientContext for Group {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.access.log(level, facility, text);
    }

    fn stats(&self, statistics: Statistics) {
        let mut state = self.state();
        state.waiting = self.metrics.take_lag(&state.positions.owned(), &statistics);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code();
        if code == Some(Code::AutoOffsetReset) {
            self.state().no_offset = Some(reason.to_owned());
        }
        self.access.complain(code, reason);
    }
}

impl ConsumerContext for Group {
    /// Sequence on a revocation: the summary that is being collected is written and stored here; then librdkafka
    /// commits what is stored, and only then gives the partitions back.
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(list) => {
                self.access.worked();
                let partitions = partitions_of(list);
                let mut state = self.state();
                state.membership.assigned(generation(consumer));
                state.positions.assign(&partitions);
                let owned = state.positions.owned();
                drop(state);
                self.metrics.assigned.inc();
                self.show_owned(&owned);
                info!(?partitions, ?owned, "partitions assigned");
            }
            Rebalance::Revoke(list) => {
                if let Err(error) = self.account(consumer, Books::close_summary) {
                    self.state().write_error.get_or_insert(error);
                }
                let is_lost = consumer.assignment_lost();
                let partitions = partitions_of(list);
                let mut state = self.state();
                if is_lost {
                    state.membership.lost();
                }
                state.positions.revoke(&partitions);
                let owned = state.positions.owned();
                let not_committed = state.positions.not_committed();
                drop(state);
                if is_lost { &self.metrics.lost } else { &self.metrics.revoked }.inc();
                self.metrics.forget_lag(&partitions);
                self.show_owned(&owned);
                if is_lost {
                    // Others go on from the last commit: from here, these are repeats.
                    let not_committed: Vec<[i64; 2]> =
                        not_committed.iter().map(|next| [i64::from(next.partition), next.offset]).collect();
                    warn!(?partitions, ?owned, ?not_committed, "partitions lost");
                } else {
                    info!(?partitions, ?owned, "partitions revoked");
                }
            }
            Rebalance::Error(error) => warn!(%error, "rebalance failed"),
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, offsets: &TopicPartitionList) {
        // There was nothing to commit.
        if matches!(result, Err(KafkaError::ConsumerCommit(Code::NoOffset))) {
            return;
        }
        if self.state().positions.committed(result, offsets) {
            self.metrics.commits_ok.inc();
        } else {
            self.metrics.commits_failed.inc();
        }
    }
}

fn partitions_of(list: &TopicPartitionList) -> Vec<i32> {
    let mut partitions: Vec<i32> = list.elements().iter().map(|element| element.partition()).collect();
    partitions.sort_unstable();
    partitions
}

#[cfg(test)]
mod tests {
    use kafka_config::{ConsumerSettings, Environment, LogMessages};
    use service::Metrics;

    use super::*;

    #[test]
    fn after_a_line_that_a_callback_could_not_write_nothing_more_is_accounted_for() {
        let variables = [("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1"), ("KAFKA_TOPIC", "t"), ("KAFKA_GROUP_ID", "g")];
        let settings = ConsumerSettings::from_environment(&Environment::from_pairs(variables)).unwrap();
        let access = Arc::new(Access::new(&settings.connection, settings.properties));
        let journal = journal::Journal::new(journal::Format::Json, "c", "0a1b2c3d", Box::new(io::sink()));
        let metrics = Arc::new(ConsumerMetrics::new(&Metrics::new(&[], &service::Identity::default())));
        let books = Books::new(Arc::new(journal), Arc::clone(&metrics), "t", "g", LogMessages::Each);
        let group = Group::new(Arc::clone(&access), metrics, books, Positions::new("t"));
        let consumer: BaseConsumer<Group> = access.properties().client_config().create_with_context(group).unwrap();

        let mut is_asked = false;
        consumer.context().state().write_error = Some(io::Error::other("no space left"));
        let outcome = consumer.context().account(&consumer, |_| {
            is_asked = true;
            Ok(Vec::new())
        });
        assert!(outcome.is_err() && !is_asked);
    }
}
