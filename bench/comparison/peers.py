"""What is compared. Each peer knows how it is started, and where its own figure for the time stands."""

import json
import re
import socket
import uuid
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from comparison.process import Failed, Process, Usage, measure

# One limit for the size of a batch and one for the queue, for every client that has the setting. Our services keep their defaults.
BATCH_BYTES = 1_000_000
QUEUE_KILOBYTES = 65_536
QUEUE_MESSAGES = 500_000
LINGER_MS = 5

# As long as key and value of our messages, at the numbers at which most of them are.
KEY_BYTES = len("0192f0c1a2b37c4d8e9f001122334455-1000000")
VALUE_BYTES = len('{"num": 10000000, "ts": "2026-11-22 10:00:00"}')


@dataclass
class Run:
    """One measured run."""

    messages: int
    seconds: float
    """From the first send to the last acknowledgement, or from the first message to the last; for our services, to the last line."""
    usage: Usage

    @property
    def rate(self):
        return self.messages / self.seconds

    @property
    def wall_rate(self):
        return self.messages / self.usage.wall_seconds

    @property
    def cpu_per_million(self):
        return self.usage.cpu_seconds / self.messages * 1e6


class Peer:
    """A client."""

    name: str
    """The name in `--only`."""
    label: str
    share = 1.0
    """The part of the messages that it gets."""
    keeps_account = False
    """Whether its logs can be audited."""
    is_configurable = True
    """Whether it can compress, and reads any value."""

    def produce(self, bootstrap, topic, messages, partitions, compression) -> Run:
        raise NotImplementedError

    def consume(self, bootstrap, topic, messages) -> Run:
        raise NotImplementedError


def fresh(prefix="bench"):
    """A name that nothing else has."""
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


def figure(pattern, usage: Usage):
    """The last number that `pattern` finds in the output of a process."""
    found = re.findall(pattern, usage.output, re.MULTILINE)
    if not found:
        raise Failed("no figure in this output:\n" + "\n".join(usage.output.splitlines()[-8:]))
    return float(found[-1])


class RdkafkaPerformance(Peer):
    """librdkafka's own tool. It sends one constant value, and does not look at what it receives. With a key it would send everything to
    one partition, so the value is as long as our key and value together."""

    def __init__(self, folder: Path, version):
        self.label = f"C: `rdkafka_performance`, librdkafka {version}"
        self.folder = folder
        self.program = folder / "examples" / "rdkafka_performance"

    def produce(self, bootstrap, topic, messages, _, compression):
        return self._send(bootstrap, topic, messages, "x" * (KEY_BYTES + VALUE_BYTES), compression)

    def fill(self, bootstrap, topic, messages, size):
        """Fills a topic with values of this size in bytes, in the form that the services decode."""
        value = '{"num": 1, "ts": "2026-11-22 10:00:00", "padding": "%s"}'
        self._send(bootstrap, topic, messages, value % ("x" * (size - len(value) + 2)), "none")

    def _send(self, bootstrap, topic, messages, value, compression):
        options = {
            "linger.ms": LINGER_MS,
            "enable.idempotence": "true",
            "compression.type": compression,
            "batch.size": BATCH_BYTES,
            "queue.buffering.max.messages": QUEUE_MESSAGES,
            "queue.buffering.max.kbytes": QUEUE_KILOBYTES,
        }
        command = [self.program, "-P", "-q", "-t", topic, "-b", bootstrap, "-c", messages, "-a", "all", "-m", value, "-s", len(value)]
        usage = measure(command + [word for name, value in options.items() for word in ("-X", f"{name}={value}")])
        return Run(messages, figure(r"failed\) in (\d+)ms", usage) / 1000, usage)

    def consume(self, bootstrap, topic, messages):
        options = {
            "auto.offset.reset": "earliest",
            "fetch.queue.backoff.ms": 10,
            "queued.min.messages": 10_000,
            "queued.max.messages.kbytes": 16_384,
        }
        command = [self.program, "-G", fresh(), "-q", "-t", topic, "-b", bootstrap, "-c", messages]
        usage = measure(command + [word for name, value in options.items() for word in ("-X", f"{name}={value}")])
        return Run(messages, figure(r"consumed in (\d+)ms", usage) / 1000, usage)

    def send_one(self, bootstrap, topic):
        """Sends one message; returns what the process took."""
        message = ["-c", 1, "-a", "all", "-m", "x" * VALUE_BYTES, "-X", "enable.idempotence=true"]
        return measure([self.program, "-P", "-q", "-t", topic, "-b", bootstrap, *message])

    def trickle(self, bootstrap, topic, output):
        """Starts to send one message a second."""
        message = ["-r", 1, "-a", "all", "-m", "x" * VALUE_BYTES, "-X", "enable.idempotence=true"]
        return Process([self.program, "-P", "-q", "-t", topic, "-b", bootstrap, *message], output=output)

    def follow(self, bootstrap, topic, output):
        """Starts to receive what is sent from now on, with as many heartbeats and commits as our replica."""
        options = {"auto.offset.reset": "latest", "heartbeat.interval.ms": 1000, "auto.commit.interval.ms": 1000}
        command = [self.program, "-G", fresh(), "-q", "-t", topic, "-b", bootstrap]
        return Process(command + [word for name, value in options.items() for word in ("-X", f"{name}={value}")], output=output)


class OwnProgram(Peer):
    """A program of `bench/peers`, which prints the seconds."""

    is_configurable = False

    def __init__(self, label, command, share=1.0):
        self.label, self.command, self.share = label, command, share

    def produce(self, bootstrap, topic, messages, partitions, _):
        usage = measure([*self.command, "produce", bootstrap, topic, messages, partitions])
        return Run(messages, figure(r"seconds ([\d.]+)", usage), usage)

    def consume(self, bootstrap, topic, messages):
        usage = measure([*self.command, "consume", bootstrap, topic, messages, fresh()])
        return Run(messages, figure(r"seconds ([\d.]+)", usage), usage)


class Java(Peer):
    """Kafka's own perf tools. They send one constant value without a key, and do not look at what they receive."""

    def __init__(self, home: Path | None):
        if home is None:
            raise Failed("no distribution of Kafka is named, neither by --kafka-home nor by KAFKA_HOME")
        self.label = f"Java: perf tools of {home.name}"
        self.home = home
        # Kafka 4.2 renamed the options and kept the old names for a while.
        told = Process([home / "bin/kafka-consumer-perf-test.sh", "--help"]).finish(60).output
        self.is_new = "--num-records" in told

    def produce(self, bootstrap, topic, messages, _, compression):
        properties = {
            "bootstrap.servers": bootstrap,
            "acks": "all",
            "enable.idempotence": "true",
            "linger.ms": LINGER_MS,
            "batch.size": BATCH_BYTES,
            "buffer.memory": QUEUE_KILOBYTES * 1024,
            "compression.type": compression,
        }
        pairs = [f"{name}={value}" for name, value in properties.items()]
        command = [self.home / "bin/kafka-producer-perf-test.sh", "--topic", topic, "--num-records", messages]
        command += ["--record-size", KEY_BYTES + VALUE_BYTES, "--throughput", -1]
        command += ["--bootstrap-server", bootstrap, "--command-property", *pairs] if self.is_new else ["--producer-props", *pairs]
        usage = measure(command)
        # The last line sums up the run; those before it are about an interval each.
        return Run(messages, messages / figure(rf"^{messages} records sent, ([\d.]+) records/sec", usage), usage)

    def consume(self, bootstrap, topic, messages):
        count = "--num-records" if self.is_new else "--messages"
        command = [self.home / "bin/kafka-consumer-perf-test.sh", "--bootstrap-server", bootstrap, "--topic", topic]
        usage = measure([*command, count, messages, "--group", fresh(), "--timeout", 60_000])
        # The last line: start, end, MB, MB/s, messages, messages/s, join ms, fetch ms, fetch MB/s, fetch messages/s.
        fields = usage.output.strip().splitlines()[-1].split(", ")
        if len(fields) != 10:
            raise Failed("no figures in this output:\n" + usage.output[-500:])
        return Run(int(fields[4]), int(fields[4]) / float(fields[9]), usage)


class Services(Peer):
    """producer-svc and consumer-svc with their default settings, with the account and with `/metrics` scraped once a second."""

    keeps_account = True

    def __init__(self, folder: Path, logs: Path, name="kafka-pair", label="**kafka-pair**"):
        self.name, self.label, self.folder, self.logs = name, label, folder, logs

    def _run(self, program, log, messages, environment, begin, end):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            address = "127.0.0.1:%d" % listener.getsockname()[1]
        environment = {**environment, "HTTP_ADDR": address, "LOG_FORMAT": "json"}
        usage = measure([self.folder / program], environment=environment, output=log, scrape=f"http://{address}/metrics")
        times = {}
        for line in log.read_text().splitlines():
            fields = json.loads(line)
            if fields["message"] == begin:
                times.setdefault(begin, datetime.fromisoformat(fields["timestamp"]))
            elif fields["message"] == end:
                times[end] = datetime.fromisoformat(fields["timestamp"])
        return Run(messages, (times[end] - times[begin]).total_seconds(), usage)

    def log(self, topic, program):
        return self.logs / f"{topic}-{self.name}-{program}.log"

    def produce(self, bootstrap, topic, messages, _, compression):
        """From the line before the first send to the line that closes the run."""
        environment = {
            "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
            "KAFKA_TOPIC": topic,
            "PRODUCER_RATE_PER_SEC": "max",
            "PRODUCER_MAX_MESSAGES": str(messages),
            "KAFKA_COMPRESSION_TYPE": compression,
        }
        log = self.log(topic, "producer")
        return self._run("producer-svc", log, messages, environment, "topic found", "run closed")

    def consume(self, bootstrap, topic, messages):
        """From the line about the assignment, which precedes the first fetch, to the line that accounts for the last message."""
        environment = {
            "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
            "KAFKA_TOPIC": topic,
            "KAFKA_GROUP_ID": fresh(),
            "CONSUMER_MAX_MESSAGES": str(messages),
        }
        log = self.log(topic, "consumer")
        return self._run("consumer-svc", log, messages, environment, "partitions assigned", "messages received")

    def prove(self, producer_log, consumer_log):
        """Raises Failed unless the audit proves from the logs that each message was received exactly once."""
        usage = measure([self.folder / "audit", "--complete", producer_log, consumer_log])
        if "verdict: PROVEN" not in usage.output:
            raise Failed(usage.output)
