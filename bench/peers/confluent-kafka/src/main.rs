//! A producer and a consumer with Confluent's Kafka client for Rust, which do what the services of kafka-pair do with the messages,
//! except for the account: the producer builds the same values and keys, the consumer decodes them.
//!
//! ```text
//! confluent-kafka-peer produce BROKERS TOPIC MESSAGES PARTITIONS
//! confluent-kafka-peer consume BROKERS TOPIC MESSAGES GROUP
//! ```
//!
//! Prints the seconds from the first send to the last acknowledgement, or from the first message to the last.

use std::collections::HashMap;
use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use confluent_kafka::common::Error as KafkaError;
use confluent_kafka::common::serialization::{ByteArraySerializer, BytesDeserializer};
use confluent_kafka::consumer::{Consumer as _, ConsumerConfig, KafkaConsumer};
use confluent_kafka::producer::{KafkaProducer, Producer as _, ProducerConfig, ProducerRecord, RecordMetadata};
use message::{KeyReader, KeyWriter, Payload, RunId, ValueWriter};

/// Consecutive messages to one partition, as in producer-svc.
const TURN: u64 = 2500;
/// How many messages share a reading of the clock, as in producer-svc.
const MESSAGES_PER_CLOCK_READING: u64 = 256;
const POLL: Duration = Duration::from_millis(100);

static ACKNOWLEDGED: AtomicU64 = AtomicU64::new(0);

/// Without captured variables, so that boxing it allocates nothing.
fn count(_: Option<&RecordMetadata>, error: Option<&KafkaError>) {
    if error.is_none() {
        ACKNOWLEDGED.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let elapsed = match arguments[..] {
        ["produce", brokers, topic, messages, partitions] => {
            produce(brokers, topic, messages.parse()?, partitions.parse()?).await?
        }
        ["consume", brokers, topic, messages, group] => consume(brokers, topic, messages.parse()?, group).await?,
        _ => return Err("see the documentation of this program for its arguments".into()),
    };
    println!("seconds {:.6}", elapsed.as_secs_f64());
    Ok(())
}

fn properties(pairs: &[(&str, &str)]) -> HashMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

async fn produce(brokers: &str, topic: &str, messages: u64, partitions: u64) -> Result<Duration, Box<dyn Error>> {
    let config = ProducerConfig::new(&properties(&[
        ("bootstrap.servers", brokers),
        ("acks", "all"),
        ("enable.idempotence", "true"),
        ("linger.ms", "5"),
        ("batch.size", "1000000"),
        ("buffer.memory", "67108864"),
    ]))?;
    let producer =
        KafkaProducer::<Vec<u8>, Vec<u8>>::new(config, ByteArraySerializer::default(), ByteArraySerializer::default())?;
    let mut values = ValueWriter::default();
    let keys = KeyWriter::new(RunId::new());
    let (mut key, mut value) = (Vec::new(), Vec::new());
    let mut timestamp = 0;
    let mut pseqs = vec![0; usize::try_from(partitions)?];
    let started = Instant::now();
    for num in 0..messages {
        let partition = num / TURN % partitions;
        let pseq = &mut pseqs[partition as usize];
        *pseq += 1;
        if num % MESSAGES_PER_CLOCK_READING == 0 {
            timestamp = values.read_clock();
        }
        key.clear();
        keys.append(*pseq, &mut key);
        value.clear();
        values.append(num, &mut value);
        let record = ProducerRecord::with_partition_timestamp_key(
            topic.to_owned(),
            Some(partition as i32),
            Some(timestamp),
            Some(key.as_slice()),
            Some(value.as_slice()),
        )?;
        producer.send(record, Some(Box::new(count))).await?;
    }
    producer.flush().await?;
    let elapsed = started.elapsed();
    producer.close().await?;
    let acknowledged = ACKNOWLEDGED.load(Ordering::Relaxed);
    if acknowledged == messages { Ok(elapsed) } else { Err(format!("only {acknowledged} acknowledged").into()) }
}

async fn consume(brokers: &str, topic: &str, messages: u64, group: &str) -> Result<Duration, Box<dyn Error>> {
    let config = ConsumerConfig::new(&properties(&[
        ("bootstrap.servers", brokers),
        ("group.id", group),
        ("group.protocol", "consumer"),
        ("auto.offset.reset", "earliest"),
    ]))?;
    let mut consumer =
        KafkaConsumer::<Bytes, Bytes>::new(config, BytesDeserializer::default(), BytesDeserializer::default())?;
    consumer.subscribe_with_topics(vec![topic.to_owned()]).await?;
    let mut keys = KeyReader::default();
    let (mut received, mut bad, mut started) = (0, 0, None);
    while received < messages {
        for record in &consumer.poll(POLL).await? {
            started.get_or_insert_with(Instant::now);
            received += 1;
            let key = record.key().and_then(|key| keys.read(key));
            let payload = Payload::decode(record.value().map(|value| &value[..]));
            if key.is_none() || payload.is_err() {
                bad += 1;
            }
        }
    }
    let elapsed = started.map_or(Duration::ZERO, |started| started.elapsed());
    consumer.close().await?;
    if bad == 0 { Ok(elapsed) } else { Err(format!("{bad} messages could not be decoded").into()) }
}
