//! librdkafka properties that the services set without a setting of their own, and why. `KAFKA_PROP_*` can change
//! those that break no promise.

/// Property, value, reason.
type Default = (&'static str, &'static str, &'static str);

pub(crate) const BOTH: &[Default] = &[
    ("allow.auto.create.topics", "false", "a misspelt topic must be told, not created with the broker's defaults"),
    ("reconnect.backoff.max.ms", "2000", "back within seconds of a broker's restart instead of 10 s"),
    ("socket.keepalive.enable", "true", "a NAT or load balancer that drops idle connections is noticed"),
    ("topic.metadata.refresh.interval.ms", "30000", "new partitions are found in half a minute instead of 5"),
];

pub(crate) const PRODUCER: &[Default] = &[
    ("enable.idempotence", "true", "without it (librdkafka's default) a retry may write twice and out of order"),
    ("queue.buffering.max.messages", "50000", "as fast as ten times as many, in a sixth of the memory"),
    ("queue.buffering.max.kbytes", "8192", "bounds memory while the broker is away; librdkafka's default is 1 GiB"),
];

pub(crate) const CONSUMER: &[Default] = &[
    ("check.crcs", "true", "a message damaged on the way is not taken for a good one"),
    ("enable.auto.commit", "true", "stored offsets are committed on time, on revocation and on close"),
    ("enable.auto.offset.store", "false", "only what was processed is stored, so only that is committed"),
    ("fetch.queue.backoff.ms", "10", "a full queue pauses a fetch for 10 ms instead of 1 s"),
    ("queued.max.messages.kbytes", "16384", "bounds memory; a quarter of librdkafka's default at the same speed"),
    ("queued.min.messages", "10000", "fewer starve the loop between fetches"),
    (
        "statistics.interval.ms",
        "5000",
        "so fresh is the lag at `/metrics`, and what liveness knows of waiting messages",
    ),
];

/// Only for `group.protocol=classic`: with `consumer` the broker owns them and librdkafka refuses them.
pub(crate) const CLASSIC_GROUP: &[Default] = &[
    (
        "heartbeat.interval.ms",
        "1000",
        "a rebalance waits until each member has heard of it, which is with its next heartbeat",
    ),
    ("partition.assignment.strategy", "cooperative-sticky", "a rebalance stops only the partitions that move"),
];
