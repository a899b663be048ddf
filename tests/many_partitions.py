"""Measures what the number of a topic's partitions costs: memory, processor time, log, start-up and the size of `/metrics`.

    python3 tests/many_partitions.py --bootstrap-servers HOST:PORT[,...] TOPIC...

Needs cargo, and a Kafka that asks for no account and has the topics, such as one with 200 and one with 2,000 partitions. For each topic it
runs one producer and one consumer for a minute and prints a row for each. "first" is the time from the start of the process to its first
acknowledged or received message; for the consumer it contains what the broker waits for further members of a new group. Processor time is
that of the minute after this, in seconds a second.
"""

import argparse
import json
import os
import resource
import subprocess
import tempfile
import time
import urllib.request
import uuid
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
TICKS = os.sysconf("SC_CLK_TCK")
DEADLINE = 120


class Service:
    """A running service whose output goes to a file."""

    def __init__(self, name, variables, output):
        self.name, self.output, self.started = name, output, time.monotonic()
        environment = {"PATH": os.environ["PATH"], "HTTP_ADDR": "127.0.0.1:0", "LOG_FORMAT": "json", **variables}
        binary = PROJECT / "target" / "release" / name
        self.process = subprocess.Popen([binary], env=environment, stdout=output.open("wb"), stderr=subprocess.STDOUT)

    def wait_for(self, text):
        """Waits until the output contains the text, and returns the seconds since the start and the line."""
        while time.monotonic() - self.started < DEADLINE:
            for line in self.output.read_text(errors="replace").splitlines():
                if text in line and line.endswith("}"):
                    return time.monotonic() - self.started, json.loads(line)
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise SystemExit(f"{self.name} did not say {text!r}:\n{self.output.read_text(errors='replace')[-2000:]}")

    def processor_seconds(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def resident_mb(self):
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * resource.getpagesize() / 1e6

    def metrics_kb(self):
        address = self.wait_for("health endpoints opened")[1]["address"]
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=30) as answer:
            return len(answer.read()) / 1e3

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=60)


def measure(topic, options, directory):
    common = {
        "KAFKA_BOOTSTRAP_SERVERS": options.bootstrap_servers,
        "KAFKA_TOPIC": topic,
        "LOG_MESSAGES": "summary",
    }
    consumer = Service("consumer-svc", common | {"KAFKA_GROUP_ID": f"measured-{uuid.uuid4()}"}, directory / "consumer")
    consumer.wait_for('"partitions assigned"')
    producer = Service("producer-svc", common | {"PRODUCER_RATE_PER_SEC": str(options.rate)}, directory / "producer")
    services = [(producer, "delivered"), (consumer, "received")]
    try:
        first = [service.wait_for(f'{word}"')[0] for service, word in services]
        # A consumer cannot receive a message before it was sent.
        first[1] -= producer.started - consumer.started
        before = [(service.processor_seconds(), service.output.stat().st_size) for service, _ in services]
        time.sleep(options.seconds)
        partitions = producer.wait_for('"topic found"')[1]["partitions"]
        for (service, _), first, (seconds, size) in zip(services, first, before):
            with service.output.open("rb") as output:
                output.seek(size)
                written = output.read()
            lines = written.splitlines()
            longest = max(map(len, lines), default=0)
            print(
                f"| {partitions} | {service.name} | {first:.1f} s | {service.resident_mb():.0f} MB"
                f" | {(service.processor_seconds() - seconds) / options.seconds:.3f}"
                f" | {len(written) / options.seconds / 1e3:.1f} kB/s | {len(lines) / options.seconds:.1f}/s"
                f" | {longest / 1e3:.1f} kB | {service.metrics_kb():.0f} kB |",
                flush=True,
            )
    finally:
        for service, _ in services:
            service.stop()


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("topics", nargs="+", metavar="TOPIC")
    arguments.add_argument("--bootstrap-servers", required=True)
    arguments.add_argument("--rate", type=int, default=1000, help="messages a second (default: %(default)s)")
    arguments.add_argument("--seconds", type=int, default=60, help="length of a measurement (default: %(default)s)")
    options = arguments.parse_args()
    build = ["cargo", "build", "--quiet", "--locked", "--release", "-p", "producer-svc", "-p", "consumer-svc"]
    subprocess.run(build, check=True, cwd=PROJECT)
    print("| partitions | service | first | RSS | CPU | log | lines | longest line | `/metrics` |")
    print("|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as directory:
        for topic in options.topics:
            measure(topic, options, Path(directory))


main()
