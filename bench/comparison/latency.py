"""How long acknowledgements take at low rates, beside C, and how long it takes until messages are received."""

import contextlib
import json
import random
import re
import signal
import socket
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from comparison import builds, idle, report, starts
from comparison.peers import KEY_BYTES, VALUE_BYTES, fresh
from comparison.process import Failed, Process, measure
from comparison.rounds import PARTITIONS

# Messages per second, and linger in milliseconds.
CASES = [(1, 0), *((rate, linger) for rate in (100, 1_000, 10_000) for linger in (0, 5))]
SECONDS, QUICK_SECONDS = 20, 5
# With fewer messages, not even the median says much.
MESSAGES_MIN = 30
# Where the lines of single messages go. On a disk, writing them would now and then take longer than what is measured.
MEMORY = Path("/dev/shm")
# The names of two histograms of producer-svc.
SINCE_DUE = "kafka_producer_acknowledgement_latency_from_due_seconds"
SINCE_HANDED_OVER = "kafka_producer_acknowledgement_latency_seconds"


@dataclass
class Latency:
    """One run: from when messages were due to their acknowledgement, in microseconds."""

    p50: float
    p99: float
    p999: float
    highest: float
    late: float
    """From when a message was due until it was handed to librdkafka, on average. It is part of the others."""
    wakes: float
    """How often the process was woken, per second."""
    peak_mb: float


def percentiles(values):
    """p50, p99, p99.9 and the highest. As in `paced`, the first tenth does not count."""
    counted = sorted(values[len(values) // 10 :])
    return [*(counted[int(len(counted) * part)] for part in (0.5, 0.99, 0.999)), counted[-1]]


def of_services(ours, bootstrap, topic, rate, linger, seconds, meanwhile=contextlib.nullcontext):
    """`meanwhile` is called with the address of the service's HTTP endpoints and makes a context for the run.

    producer-svc logs how long each acknowledgement took since the message was handed over, to the microsecond. How late that was is known
    as a mean only, from the sums of two histograms; it is added to each percentile."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = "127.0.0.1:%d" % listener.getsockname()[1]
    environment = {
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "KAFKA_TOPIC": topic,
        "KAFKA_LINGER_MS": str(linger),
        "PRODUCER_RATE_PER_SEC": str(rate),
        "LOG_MESSAGES": "each",
        "LOG_FORMAT": "json",
        "HTTP_ADDR": address,
    }
    with tempfile.NamedTemporaryFile(dir=MEMORY if MEMORY.is_dir() else None) as file:
        log = Path(file.name)
        process = Process([ours.folder / "producer-svc"], environment=environment, output=log)
        with meanwhile(address):
            time.sleep(seconds)
        text = urllib.request.urlopen(f"http://{address}/metrics", timeout=5).read().decode()
        process.popen.send_signal(signal.SIGTERM)
        usage = process.finish(60)
        if usage.exit_code != 0:
            raise Failed(f"producer-svc ended with exit code {usage.exit_code}")
        lines = [json.loads(line) for line in log.read_text().splitlines()]

    def value(name):
        return float(re.search(rf"^{name}(?:{{[^}}]*}})? ([\d.e+-]+)$", text, re.MULTILINE)[1])

    late = (value(f"{SINCE_DUE}_sum") - value(f"{SINCE_HANDED_OVER}_sum")) / value(f"{SINCE_DUE}_count") * 1e6
    latencies = [line["latency_ms"] * 1000 + late for line in lines if line["message"] == "message delivered"]
    return Latency(*percentiles(latencies), late, usage.waits / usage.wall_seconds, usage.peak_mb)


def of_c(folder, bootstrap, topic, rate, linger, seconds):
    """`bench/peers/paced.c` measures from when each message was due."""
    usage = measure([folder / "paced", bootstrap, topic, rate, seconds, linger, KEY_BYTES + VALUE_BYTES])
    values = dict(re.findall(r"(p50|p99|p999|max|late) (\d+)", usage.output))
    numbers = [float(values[name]) for name in ("p50", "p99", "p999", "max", "late")]
    return Latency(*numbers, usage.waits / usage.wall_seconds, usage.peak_mb)


def end_to_end(ours, bootstrap, topic, rate, linger, seconds):
    """p50, p99, p99.9 and the highest time from a record's creation to its processing by consumer-svc, in whole milliseconds: a record
    says no more about its creation."""
    environment = {"KAFKA_BOOTSTRAP_SERVERS": bootstrap, "KAFKA_TOPIC": topic, "LOG_MESSAGES": "each", "LOG_FORMAT": "json"}
    log = ours.log(topic, "end-to-end")
    group = {"KAFKA_GROUP_ID": fresh(), "KAFKA_AUTO_OFFSET_RESET": "latest"}
    consumer = Process([ours.folder / "consumer-svc"], environment=environment | group, output=log)
    time.sleep(idle.SETTLED_SECONDS)
    pace = {"PRODUCER_RATE_PER_SEC": str(rate), "KAFKA_LINGER_MS": str(linger)}
    producer = Process([ours.folder / "producer-svc"], environment=environment | pace, output=ours.log(topic, "sent"))
    time.sleep(seconds)
    for process in (producer, consumer):
        process.popen.terminate()
        if process.finish(60).exit_code != 0:
            raise Failed("a service did not end with exit code 0")
    lines = map(json.loads, log.read_text().splitlines())
    return percentiles([line["latency_ms"] for line in lines if line["message"] == "message received"])


class Latencies:
    """The tables of `--latency`."""

    def __init__(self, peers, bootstrap, topics, python, options, say):
        self.ours, self.c, self.bootstrap, self.topics, self.python = peers.ours, peers.c, bootstrap, topics, python
        self.rounds, self.say = options.rounds, say
        self.cases = [(rate, linger) for rate, linger in CASES if rate in (options.rates or [rate])]
        self.seconds = options.seconds or (QUICK_SECONDS if options.quick else SECONDS)

    def measure_all(self):
        topic = fresh()
        self.topics.create(topic, PARTITIONS)
        rows = [self._compare(topic, *case) for case in self.cases]
        # The consumer decodes what it receives, so C must not send its values there.
        decoded = fresh()
        self.topics.create(decoded, PARTITIONS)
        received = [(*case, self._end_to_end(decoded, *case)) for case in self.cases]
        self.say("start and stop")
        script = builds.PEERS / "clients.py"
        times = starts.measure_all(self.ours, self.c, [self.python, script], self.bootstrap, decoded, topic, self.rounds)
        self.say("one message a second")
        costs = idle.measure_all(self.ours, self.c, self.bootstrap, topic, self.seconds)
        self.topics.delete([topic, decoded])
        latencies = report.latency_table([row for pair in rows for row in pair])
        whole = report.end_to_end_table(received)
        tables = [f"Latency of an acknowledgement\n\n{latencies}", f"From creation to processing\n\n{whole}"]
        return [*tables, f"Start and stop\n\n{times}", f"One message a second\n\n{costs}"]

    def _end_to_end(self, topic, rate, linger):
        self.say(f"{rate:,}/s, linger {linger} ms, from creation to processing")
        seconds = self._seconds(rate)
        return [end_to_end(self.ours, self.bootstrap, topic, rate, linger, seconds) for _ in range(self.rounds)]

    def _seconds(self, rate):
        return max(self.seconds, MESSAGES_MIN // rate)

    def _compare(self, topic, rate, linger):
        """Both clients in random order, several times."""
        arguments = self.bootstrap, topic, rate, linger, self._seconds(rate)
        clients = {self.ours.label: lambda: of_services(self.ours, *arguments)}
        if self.c:
            clients["C: librdkafka, `bench/peers/paced.c`"] = lambda: of_c(self.c.folder, *arguments)
        runs = {client: [] for client in clients}
        for _ in range(self.rounds):
            for client in random.sample(list(clients), len(clients)):
                runs[client].append(clients[client]())
                last = runs[client][-1]
                self.say(f"{rate:,}/s, linger {linger} ms, {client}: p50 {last.p50:,.0f} µs, p99 {last.p99:,.0f} µs")
        return [(rate, linger, client, each) for client, each in runs.items()]
