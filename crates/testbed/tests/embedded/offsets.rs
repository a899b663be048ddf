//! A coordinator that does not tell where the group has come to.

use std::time::Duration;

use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use testbed::{Broker, Process, consumer, producer};

const REFUSED: RDKafkaRespErr = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_COORDINATOR;

/// A broker on which the group has received and committed 20 messages of two partitions.
fn after_twenty_messages() -> Broker {
    let broker = Broker::start(2);
    let mut replica = consumer(&broker.variables(), "g", &[]);
    send(&broker, "20");
    broker.wait_for_commits("g", 2, 20);
    assert_eq!(replica.stop().0, Some(0));
    broker
}

fn send(broker: &Broker, messages: &str) {
    let settings = [("PRODUCER_RATE_PER_SEC", "100"), ("PRODUCER_MAX_MESSAGES", messages)];
    assert_eq!(producer(&broker.variables(), &settings).wait().code(), Some(0));
}

fn replica(broker: &Broker) -> Process {
    // A replica that receives nothing although it should is no longer alive after the longer of these times.
    let times = [("KAFKA_SESSION_TIMEOUT_MS", "6000"), ("KAFKA_MAX_POLL_INTERVAL_MS", "6000")];
    consumer(&broker.variables(), "g", &[("HTTP_ADDR", "127.0.0.1:0"), times[0], times[1]])
}

#[test]
fn a_coordinator_that_refuses_for_a_moment_is_asked_again_and_sessions_begin_where_the_group_had_come_to() {
    let broker = after_twenty_messages();
    broker.cluster.request_errors(RDKafkaApiKey::OffsetFetch, &[REFUSED; 3]);
    let mut replica = replica(&broker);
    send(&broker, "10");
    replica.wait_until("the new messages", |replica| replica.received_count() >= 10);
    assert_eq!(replica.stop().0, Some(0));
    assert_eq!(replica.received_count(), 10, "{}", replica.text());
    let assigned = &replica.with_message("partitions assigned")[0];
    assert_eq!(assigned["begin"]["committed"].as_array().map(Vec::len), Some(2), "{assigned}");
}

/// librdkafka then waits for an answer that does not come, for as long as the replica has the partitions.
#[test]
fn a_replica_whose_partitions_stay_without_an_offset_says_so_and_ends_its_life() {
    let broker = after_twenty_messages();
    broker.cluster.request_errors(RDKafkaApiKey::OffsetFetch, &[REFUSED; 100]);
    let mut replica = replica(&broker);
    replica.wait_until("the reason", |replica| {
        let (status, reason) = replica.ask("/readyz");
        status == 503 && reason.starts_with("partitions are not received: ")
    });
    replica.wait_for("partitions are not received");
    replica.wait_until("not alive", |replica| replica.ask("/livez").0 == 503);
    assert!(replica.stop().1 < Duration::from_secs(10));
}
