//! kafka-python as the consumer, and as the producer.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use serde_json::Value;
use testbed::consumer;

use crate::claim::claims;
use crate::pair::{numbers, send};
use crate::python::Python;
use crate::resources::Resources;

claims! {
    a_kafka_python_consumer_reads_messages_sent_by_the_producer(2);
    the_consumer_reads_messages_sent_by_a_kafka_python_producer(2);
}

fn a_kafka_python_consumer_reads_messages_sent_by_the_producer(resources: &Resources) -> Result<String> {
    let topic = resources.topic(3)?;
    let python = Python::with_kafka()?;
    send(&topic, 100)?;
    let output = python.execute(
        &topic,
        "consumer = KafkaConsumer(topic, group_id='python-' + topic, auto_offset_reset='earliest',\n\
         \x20   consumer_timeout_ms=30000, value_deserializer=json.loads, **connection)\n\
         for count, message in enumerate(consumer, 1):\n\
         \x20   assert isinstance(message.value['num'], int) and len(message.value['ts']) == 19\n\
         \x20   print(message.value['num'])\n\
         \x20   if count == 100: break\n",
    )?;
    let mut numbers: Vec<u64> = output.lines().map(str::parse).collect::<Result<_, _>>()?;
    numbers.sort_unstable();
    ensure!(numbers == (0..100).collect::<Vec<_>>(), "kafka-python received {numbers:?}");
    Ok("100 sent, 100 received by kafka-python".to_owned())
}

fn the_consumer_reads_messages_sent_by_a_kafka_python_producer(resources: &Resources) -> Result<String> {
    let topic = resources.topic(3)?;
    let python = Python::with_kafka()?;
    python.execute(
        &topic,
        "import datetime\n\
         producer = KafkaProducer(value_serializer=lambda value: json.dumps(value).encode(), **connection)\n\
         for i in range(100):\n\
         \x20   producer.send(topic, {'num': i, 'ts': datetime.datetime.now().strftime('%Y-%m-%d %H:%M:%S')})\n\
         producer.flush()\n",
    )?;
    let mut replica = consumer(&topic.variables(), &topic.group("g"), &[("CONSUMER_MAX_MESSAGES", "100")]);
    ensure!(replica.wait().code() == Some(0), "{}", replica.text());
    ensure!(numbers([&replica]) == (0..100).collect::<BTreeSet<_>>(), "the replica received {:?}", numbers([&replica]));
    let received = replica.with_message("message received");
    ensure!(received.iter().all(|line| line["pseq"] == Value::Null), "a message of kafka-python has a pseq");
    Ok("100 sent by kafka-python, 100 received".to_owned())
}
