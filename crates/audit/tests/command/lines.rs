//! Log lines of one producer and one replica.

pub(crate) const RUN: &str = "0198f0c2a1b27c3d8e4f5a6b7c8d9e0f";
pub(crate) const PRODUCER: &str = "1111111111111111";
pub(crate) const REPLICA: &str = "aaaaaaaaaaaaaaaa";

fn line(instance: &str, seq: usize, content: &str) -> String {
    format!(
        "{{\"timestamp\":\"2026-11-22T10:00:{:02}.000Z\",\"level\":\"INFO\",{content},\"client_id\":\"c\",\"instance\":\"{instance}\",\
         \"account\":true,\"seq\":{seq}}}\n",
        seq % 60
    )
}

/// The log of a producer that sends `count` messages to partition 0.
pub(crate) fn producer(count: usize) -> Vec<String> {
    let start =
        format!(r#""message":"service starting","service":"producer-svc","version":"1","topic":"demo","run":"{RUN}""#);
    let delivered = |num| {
        format!(
            r#""message":"message delivered","num":{num},"ts":"x","topic":"demo","partition":0,"offset":{num},"latency_ms":1.5,"run":"{RUN}","pseq":{}"#,
            num + 1
        )
    };
    let closed = format!(
        r#""message":"run closed","run":"{RUN}","topic":"demo","accepted":{count},"acknowledged":{count},"rejected":0,"unknown":0,"partitions":[{{"partition":0,"last_pseq":{count}}}]"#
    );
    let stopped = format!(r#""message":"service stopped","exit_code":0,"reason":"done","count":{count}"#);
    let content = std::iter::once(start).chain((0..count).map(delivered)).chain([closed, stopped]);
    content.enumerate().map(|(seq, content)| line(PRODUCER, seq, &content)).collect()
}

/// The log of a replica that receives the messages with these numbers, and is then killed.
pub(crate) fn replica(group: &str, numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
    let group = serde_json::to_string(group).expect("a string is JSON");
    let start = format!(
        r#""message":"service starting","service":"consumer-svc","version":"1","topic":"demo","group_id":{group}"#
    );
    let assigned = format!(
        r#""message":"partitions assigned","topic":"demo","group_id":{group},"partitions":[0],"owned":[0],"begin":{{"earliest":[[0,0]]}}"#
    );
    let received = |num| {
        format!(
            r#""message":"message received","num":{num},"ts":"x","topic":"demo","partition":0,"offset":{num},"latency_ms":3.0,"group_id":{group},"run":"{RUN}","pseq":{}"#,
            num + 1
        )
    };
    let content = [start, assigned].into_iter().chain(numbers.into_iter().map(received));
    content.enumerate().map(|(seq, content)| line(REPLICA, seq, &content)).collect()
}

/// The logs of both, in which the group receives everything.
pub(crate) fn proven() -> String {
    producer(5).concat() + &replica("g", 0..5).concat()
}

/// The logs of both, in which the group receives message 2 never and message 1 twice.
pub(crate) fn violated() -> String {
    producer(5).concat() + &replica("g", [0, 1, 1, 3, 4]).concat()
}
