"""How long acknowledgements take at low rates, beside C."""

import json
import random
import re
import signal
import socket
import time
import urllib.request
from dataclasses import dataclass

from comparison import builds, idle, report, starts
from comparison.peers import KEY_BYTES, VALUE_BYTES, fresh
from comparison.process import Failed, Process, measure
from comparison.rounds import PARTITIONS

RATES = [100, 1_000, 10_000]
LINGERS_MS = [0, 5]
SECONDS, QUICK_SECONDS = 20, 5
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


def of_services(ours, bootstrap, topic, rate, linger, seconds):
    """producer-svc logs how long each acknowledgement took since the message was handed over, to the microsecond. How late that was is known
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
    log = ours.log(topic, "latency")
    process = Process([ours.folder / "producer-svc"], environment=environment, output=log)
    time.sleep(seconds)
    text = urllib.request.urlopen(f"http://{address}/metrics", timeout=5).read().decode()
    process.popen.send_signal(signal.SIGTERM)
    usage = process.finish(60)
    if usage.exit_code != 0:
        raise Failed(f"producer-svc ended with exit code {usage.exit_code}")

    def value(name):
        return float(re.search(rf"^{name}(?:{{[^}}]*}})? ([\d.e+-]+)$", text, re.MULTILINE)[1])

    late = (value(f"{SINCE_DUE}_sum") - value(f"{SINCE_HANDED_OVER}_sum")) / value(f"{SINCE_DUE}_count") * 1e6
    lines = map(json.loads, log.read_text().splitlines())
    latencies = [line["latency_ms"] * 1000 + late for line in lines if line["message"] == "message delivered"]
    # As in `paced`, the first tenth does not count.
    counted = sorted(latencies[len(latencies) // 10 :])
    parts = [counted[int(len(counted) * part)] for part in (0.5, 0.99, 0.999)]
    return Latency(*parts, counted[-1], late, usage.waits / usage.wall_seconds)


def of_c(folder, bootstrap, topic, rate, linger, seconds):
    """`bench/peers/paced.c` measures from when each message was due."""
    usage = measure([folder / "paced", bootstrap, topic, rate, seconds, linger, KEY_BYTES + VALUE_BYTES])
    values = dict(re.findall(r"(p50|p99|p999|max|late) (\d+)", usage.output))
    numbers = [float(values[name]) for name in ("p50", "p99", "p999", "max", "late")]
    return Latency(*numbers, usage.waits / usage.wall_seconds)


class Latencies:
    """The tables of `--latency`."""

    def __init__(self, peers, bootstrap, topics, python, options, say):
        self.ours, self.c, self.bootstrap, self.topics, self.python = peers.ours, peers.c, bootstrap, topics, python
        self.rounds, self.say = options.rounds, say
        self.seconds = options.seconds or (QUICK_SECONDS if options.quick else SECONDS)

    def measure_all(self):
        topic = fresh()
        self.topics.create(topic, PARTITIONS)
        rows = [self._compare(topic, rate, linger) for rate in RATES for linger in LINGERS_MS]
        self.say("start and stop")
        script = builds.PEERS / "clients.py"
        # The consumers decode what they receive, so C must not send its values there.
        decoded = fresh()
        self.topics.create(decoded, PARTITIONS)
        times = starts.measure_all(self.ours, self.c, [self.python, script], self.bootstrap, decoded, topic, self.rounds)
        self.say("one message a second")
        costs = idle.measure_all(self.ours, self.c, self.bootstrap, topic, self.seconds)
        self.topics.delete([topic, decoded])
        latencies = report.latency_table([row for pair in rows for row in pair])
        return [f"Latency of an acknowledgement\n\n{latencies}", f"Start and stop\n\n{times}", f"One message a second\n\n{costs}"]

    def _compare(self, topic, rate, linger):
        """Both clients in random order, several times."""
        arguments = self.bootstrap, topic, rate, linger, self.seconds
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
