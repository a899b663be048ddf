//! Asking the broker for the topic, and waiting until it is there.

use std::time::{Duration, Instant};

use journal::TopicFound;
use rdkafka::client::{Client, ClientContext};
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::metadata::Metadata;

use super::{Access, Right};
use crate::observability::health::Health;
use crate::process::failure::Failure;
use crate::process::shutdown::Shutdown;

const PROBE_TIMEOUT: Duration = Duration::from_secs(1);
/// Pause between two probes while the topic is awaited.
const PROBE_PAUSE: Duration = Duration::from_millis(500);

impl Access {
    /// Requests the metadata of the topic. Returns the number of its partitions, or `None` after noting an obstacle.
    ///
    /// Blocks for at most a second. The errors that explain a failure arrive only when the client is polled.
    pub fn probe<C: ClientContext>(&self, client: &Client<C>) -> Option<usize> {
        self.request_metadata(client, PROBE_TIMEOUT, true)
    }

    /// Like [`probe`](Self::probe), but a broker that does not answer within the second is no obstacle. For a client whose other requests
    /// are answered: a broker that throttles it because of a quota lets this request wait as well.
    pub fn count_partitions<C: ClientContext>(&self, client: &Client<C>) -> Option<usize> {
        self.request_metadata(client, PROBE_TIMEOUT, false)
    }

    /// The number of partitions. Without an answer within `timeout` there is an obstacle if `must_answer`.
    pub(super) fn request_metadata<C: ClientContext>(
        &self,
        client: &Client<C>,
        timeout: Duration,
        must_answer: bool,
    ) -> Option<usize> {
        match client.fetch_metadata(Some(&self.topic), timeout) {
            Ok(metadata) => match partitions(&metadata) {
                Ok(partitions) => {
                    self.state().confirm_metadata();
                    return Some(partitions);
                }
                Err((code, reason)) => {
                    if !self.note_obstacle(Some(code), &reason, Right::Describe) {
                        // Any other error of the topic is waited for like a missing topic.
                        self.note_obstacle(Some(Code::UnknownTopicOrPartition), &reason, Right::Describe);
                    }
                }
            },
            // An error that librdkafka reported by itself is more specific than this one.
            Err(error) if must_answer && self.state().kind().is_none() => {
                self.note_obstacle(Some(Code::BrokerTransportFailure), &error.to_string(), Right::Describe);
            }
            Err(_) => {}
        }
        None
    }

    /// Waits until the broker knows the topic. Returns what it reports, or `None` if the shutdown was requested first. `poll` polls the
    /// client once, blocking for a few tenths of a second at most.
    ///
    /// # Errors
    /// The account is refused, or the client reports a fatal error.
    pub fn wait_for_topic<C: ClientContext>(
        &self,
        client: &Client<C>,
        poll: impl Fn(),
        health: &Health,
        shutdown: &Shutdown,
    ) -> Result<Option<TopicFound>, Failure> {
        while !shutdown.is_requested() {
            health.tick();
            self.renew_login(client);
            // librdkafka does not connect without a token.
            let is_without_token = self.tokens.are_missing();
            if !is_without_token && let Some(partitions) = self.probe(client) {
                // librdkafka remembers the id from the metadata that it has just received.
                let cluster_id = client.fetch_cluster_id(PROBE_TIMEOUT);
                return Ok(Some(TopicFound { topic: self.topic.clone(), partitions, cluster_id }));
            }
            // The errors that explain the failure are delivered by polling.
            let until = Instant::now() + PROBE_PAUSE;
            while Instant::now() < until && !shutdown.is_requested() {
                poll();
                if is_without_token && !self.tokens.are_missing() {
                    break;
                }
            }
            self.fail_or_warn(client)?;
            health.set_not_ready(Some(self.obstacle().unwrap_or("starting")));
        }
        Ok(None)
    }
}

/// How many partitions the topic has that was asked for, or why there is none.
fn partitions(metadata: &Metadata) -> Result<usize, (Code, String)> {
    let Some(topic) = metadata.topics().first() else {
        return Err((Code::UnknownTopicOrPartition, "the broker does not list the topic".to_owned()));
    };
    match topic.error().map(Code::from) {
        Some(code) => Err((code, code.to_string())),
        None if topic.partitions().is_empty() => {
            Err((Code::UnknownTopicOrPartition, "the topic has no partitions".to_owned()))
        }
        None => Ok(topic.partitions().len()),
    }
}
