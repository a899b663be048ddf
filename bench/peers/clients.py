"""Producers and consumers with Kafka clients for Python, which do what the services of kafka-pair do with the messages, except for the
account: the producers build the same values and keys, the consumers decode them.

clients.py confluent-kafka|kafka-python produce BROKERS TOPIC MESSAGES PARTITIONS
clients.py confluent-kafka|kafka-python consume BROKERS TOPIC MESSAGES GROUP

Prints the seconds from the first send to the last acknowledgement, or from the first message to the last.
"""

import json
import sys
import time
import uuid

# Consecutive messages to one partition, as in producer-svc.
TURN = 2500
QUEUE_MESSAGES = 500_000
QUEUE_BYTES = 64 * 1024 * 1024
BATCH_BYTES = 1_000_000
LINGER_MS = 5


def messages(count, partitions):
    """Partition, key and value of each message."""
    run = uuid.uuid4().hex
    pseqs = [0] * partitions
    for num in range(count):
        partition = num // TURN % partitions
        pseqs[partition] += 1
        value = json.dumps({"num": num, "ts": time.strftime("%Y-%m-%d %H:%M:%S")})
        yield partition, f"{run}-{pseqs[partition]}".encode(), value.encode()


def decode(key, value):
    """Reads a message as a consumer would. Raises an error if it is not one of ours."""
    run, pseq = key.decode().split("-")
    payload = json.loads(value)
    return run, int(pseq), payload["num"], payload["ts"]


def produce_confluent_kafka(brokers, topic, count, partitions):
    from confluent_kafka import Producer

    failed = 0

    def delivered(error, _):
        nonlocal failed
        failed += error is not None

    producer = Producer(
        {
            "bootstrap.servers": brokers,
            "acks": "all",
            "enable.idempotence": True,
            "linger.ms": LINGER_MS,
            "batch.size": BATCH_BYTES,
            "queue.buffering.max.messages": QUEUE_MESSAGES,
            "queue.buffering.max.kbytes": QUEUE_BYTES // 1024,
        }
    )
    started = time.monotonic()
    for number, (partition, key, value) in enumerate(messages(count, partitions)):
        while True:
            try:
                producer.produce(topic, value, key, partition, on_delivery=delivered)
                break
            except BufferError:
                producer.poll(0.1)
        if number % 1000 == 0:
            producer.poll(0)
    left = producer.flush()
    return time.monotonic() - started, failed + left


def produce_kafka_python(brokers, topic, count, partitions):
    from kafka import KafkaProducer

    failed = 0

    def failure(_):
        nonlocal failed
        failed += 1

    producer = KafkaProducer(
        bootstrap_servers=brokers,
        acks="all",
        enable_idempotence=True,
        linger_ms=LINGER_MS,
        batch_size=BATCH_BYTES,
    )
    started = time.monotonic()
    for partition, key, value in messages(count, partitions):
        producer.send(topic, value, key, partition=partition).add_errback(failure)
    producer.flush()
    elapsed = time.monotonic() - started
    producer.close()
    return elapsed, failed


def consume_confluent_kafka(brokers, topic, count, group):
    from confluent_kafka import Consumer

    consumer = Consumer({"bootstrap.servers": brokers, "group.id": group, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    received, bad, started = 0, 0, None
    while received < count:
        for message in consumer.consume(1000, 0.1):
            started = started or time.monotonic()
            if message.error():
                bad += 1
                continue
            decode(message.key(), message.value())
            received += 1
            if received == 1:
                print("first message received", flush=True)
    elapsed = time.monotonic() - started
    consumer.close()
    return elapsed, bad


def consume_kafka_python(brokers, topic, count, group):
    from kafka import KafkaConsumer

    consumer = KafkaConsumer(topic, bootstrap_servers=brokers, group_id=group, auto_offset_reset="earliest")
    received, started = 0, None
    for message in consumer:
        started = started or time.monotonic()
        decode(message.key, message.value)
        received += 1
        if received == count:
            break
    elapsed = time.monotonic() - started
    consumer.close()
    return elapsed, 0


def main():
    if len(sys.argv) != 7:
        sys.exit(__doc__)
    library, action, brokers, topic, count, last = sys.argv[1:]
    function = globals()[f"{action}_{library.replace('-', '_')}"]
    elapsed, failed = function(brokers, topic, int(count), int(last) if action == "produce" else last)
    if failed:
        sys.exit(f"{failed} messages failed")
    print(f"seconds {elapsed:.6f}")


main()
