//! Sends one message, as a program that is not ours could: `send <bootstrap servers> <topic> <text>`.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, servers, topic, text] = arguments.as_slice() else { panic!("usage: send SERVERS TOPIC TEXT") };
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", servers).create().expect("the client starts");
    let record = BaseRecord::<[u8], [u8]>::to(topic).payload(text.as_bytes());
    producer.send(record).map_err(|(error, _)| error).expect("librdkafka accepts the message");
    producer.flush(Duration::from_secs(10)).expect("the broker acknowledges the message");
}
