//! librdkafka properties that the services set although no setting covers them, and why. `KAFKA_PROP_*` variables can
//! replace these values, except those that `passthrough` refuses.

/// Name and value of a property, and the reason for the value.
pub(crate) type DefaultProperty = (&'static str, &'static str, &'static str);

pub(crate) const BOTH: &[DefaultProperty] = &[
    ("allow.auto.create.topics", "false", "a misspelt topic is reported, not created with the broker's defaults"),
    ("reconnect.backoff.max.ms", "2000", "reconnects within seconds of a broker's restart, instead of within 10 s"),
    ("socket.keepalive.enable", "true", "detects connections that a NAT or load balancer has dropped as idle"),
    ("topic.metadata.refresh.interval.ms", "30000", "finds new partitions within 30 s, instead of within 5 minutes"),
];

pub(crate) const PRODUCER: &[DefaultProperty] = &[
    (
        "batch.num.messages",
        "2500",
        "with ten partitions this many messages of each fit into the queue; a batch that is full does not wait for the linger time",
    ),
    (
        "enable.idempotence",
        "true",
        "without idempotence (librdkafka's default), a retry can write a message twice or out of order",
    ),
    (
        "queue.buffering.max.messages",
        "50000",
        "as fast as a queue of ten times this length, with a sixth of its memory",
    ),
    (
        "statistics.interval.ms",
        "5000",
        "how often the state of the brokers and the leaders of the partitions are updated",
    ),
    ("queue.buffering.max.kbytes", "8192", "limits memory while no broker is reachable; librdkafka's default is 1 GiB"),
];

pub(crate) const CONSUMER: &[DefaultProperty] = &[
    ("check.crcs", "true", "detects messages that were damaged on the way"),
    ("enable.auto.commit", "true", "librdkafka commits stored offsets at intervals, on revocation and on close"),
    (
        "enable.auto.offset.store",
        "false",
        "the service stores an offset after processing the message, so only processed offsets are committed",
    ),
    (
        "fetch.max.bytes",
        "1048576",
        "limits memory: the messages of a response are unpacked at once, into several times its size; raise it to 2097152 for \
         values of a kilobyte and more, see docs/performance.md",
    ),
    ("fetch.queue.backoff.ms", "1", "when the queue is full, the next fetch waits for 1 ms instead of 1 s"),
    ("queued.max.messages.kbytes", "4096", "limits memory when messages are large; librdkafka's default is 64 MiB"),
    ("queued.min.messages", "20000", "with fewer, the loop runs out of messages between two fetches"),
    (
        "statistics.interval.ms",
        "5000",
        "how often the lag and the state of the brokers and of the partitions are updated",
    ),
];

/// Set only with `group.protocol=classic`: with `consumer` the broker decides, and librdkafka rejects these properties.
pub(crate) const CLASSIC_GROUP: &[DefaultProperty] = &[
    (
        "heartbeat.interval.ms",
        "1000",
        "a rebalance waits until every member has learned of it, which happens with a member's next heartbeat",
    ),
    (
        "partition.assignment.strategy",
        "cooperative-sticky",
        "a rebalance interrupts only the partitions that move to another replica",
    ),
];
