"""Measures what traces cost: the processor time that both services need for the same messages, built without the feature `otel`,
built with it, and exporting traces.

    python3 tests/cost_of_traces.py [--messages N] [--rounds N] [--also NAME=DIRECTORY]...

Needs Docker, cargo and two idle cores. Starts a broker, and a collector that discards all spans. Each round measures every variant once,
in a random order, so that a slow phase of the machine does not affect the same variant in every round. --also adds the binaries of
another version as a variant. Each number is the user and system time of the process, including its start. The ratio compares it to the
first variant in the same round. The table shows the median of both, with the lowest and the highest in parentheses.
"""

import argparse
import http.server
import os
import random
import shutil
import statistics
import subprocess
import threading
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
BROKER = "kafka-pair-cost-of-traces"
BOOTSTRAP = "127.0.0.1:29195"
SERVICES = ["producer-svc", "consumer-svc"]


class Collector(http.server.BaseHTTPRequestHandler):
    """Accepts every export and discards it."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def execute(*words, **options):
    return subprocess.run(words, check=True, timeout=1800, cwd=PROJECT, stdout=subprocess.DEVNULL, **options)


def build(name, *features):
    """Builds the services with these features, and returns a directory with copies of their binaries."""
    execute("cargo", "build", "--quiet", "--locked", "--release", "-p", "producer-svc", "-p", "consumer-svc", *features)
    directory = PROJECT / "target" / "cost-of-traces" / name
    directory.mkdir(parents=True, exist_ok=True)
    for service in SERVICES:
        shutil.copy2(PROJECT / "target" / "release" / service, directory)
    return directory


def start_broker():
    settings = {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_LISTENERS": "PLAINTEXT://:29195,CONTROLLER://:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://{BOOTSTRAP}",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
    }
    variables = [word for name, value in settings.items() for word in ("-e", f"{name}={value}")]
    image = "apache/kafka:4.2.0"
    # As root, because in some builds of the image its own user may not write the configuration.
    execute("docker", "run", "-d", "--user", "root", "--name", BROKER, "-p", f"{BOOTSTRAP}:29195", *variables, image)


def topic(action, name):
    script = "/opt/kafka/bin/kafka-topics.sh"
    partitions = ["--partitions", "10"] if action == "--create" else []
    execute("docker", "exec", BROKER, script, "--bootstrap-server", BOOTSTRAP, action, "--topic", name, *partitions)


def seconds_of(binary, variables):
    """Starts a service that must end by itself with exit code 0, and returns its user and system time in seconds."""
    common = {"PATH": os.environ["PATH"], "KAFKA_BOOTSTRAP_SERVERS": BOOTSTRAP, "LOG_MESSAGES": "summary"}
    process = subprocess.Popen([binary], env=common | variables, stdout=subprocess.DEVNULL)
    timer = threading.Timer(300, process.kill)
    timer.start()
    _, status, usage = os.wait4(process.pid, 0)
    timer.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{binary} ended with exit code {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def measure(directory, traces, name, messages):
    """Sends messages to a new topic and receives them again. Returns the processor seconds of the producer and of the consumer."""
    variables = {"KAFKA_TOPIC": name, **traces}
    topic("--create", name)
    producer = {"PRODUCER_RATE_PER_SEC": "max", "PRODUCER_MAX_MESSAGES": str(messages)}
    consumer = {"KAFKA_GROUP_ID": name, "CONSUMER_MAX_MESSAGES": str(messages)}
    seconds = (
        seconds_of(directory / "producer-svc", variables | producer),
        seconds_of(directory / "consumer-svc", variables | consumer),
    )
    topic("--delete", name)
    return seconds


def median_and_range(values, form):
    return f"{statistics.median(values):{form}} ({min(values):{form}}–{max(values):{form}})"


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--messages", type=int, default=1_000_000, help="messages for each measurement (default: %(default)s)")
    arguments.add_argument("--rounds", type=int, default=7, help="rounds that are counted (default: %(default)s)")
    arguments.add_argument("--also", action="append", default=[], metavar="NAME=DIRECTORY",
                           help="also measure the binaries in DIRECTORY, as a variant called NAME")
    arguments.add_argument("--off-only", action="store_true", help="leave out the variants that export traces")
    options = arguments.parse_args()

    without = build("without")
    with_traces = build("with", "--features", "producer-svc/otel,consumer-svc/otel")
    collector = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=collector.serve_forever, daemon=True).start()
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}"}
    ratio = lambda share: endpoint | {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": share}
    variants = {
        "without the feature": (without, {}),
        **{name: (Path(directory).resolve(), {}) for name, directory in (also.split("=", 1) for also in options.also)},
        "with it, no collector": (with_traces, {}),
    }
    traced = {
        "no message traced": (with_traces, endpoint | {"OTEL_TRACES_SAMPLER": "always_off"}),
        "one in a hundred": (with_traces, ratio("0.01")),
        "every message": (with_traces, endpoint),
    }
    variants |= {} if options.off_only else traced

    measured = {name: [] for name in variants}
    subprocess.run(["docker", "rm", "-fv", BROKER], capture_output=True, timeout=60)
    start_broker()
    try:
        # The first round warms up the broker and is not counted.
        for round_number in range(options.rounds + 1):
            for name in random.sample(list(variants), len(variants)):
                directory, traces = variants[name]
                seconds = measure(directory, traces, f"round-{round_number}-{list(variants).index(name)}", options.messages)
                print(f"{round_number} of {options.rounds}: {name}: {seconds[0]:.2f} s, {seconds[1]:.2f} s", flush=True)
                if round_number > 0:
                    measured[name].append(seconds)
    finally:
        subprocess.run(["docker", "rm", "-fv", BROKER], capture_output=True, timeout=60)

    first = next(iter(variants))
    print("\n| | " + " | ".join(f"{service}, s a million messages | ratio" for service in SERVICES) + " |")
    print("|---|" + "---|" * 2 * len(SERVICES))
    for name, rounds in measured.items():
        cells = []
        for service in range(len(SERVICES)):
            cells.append(median_and_range([seconds[service] / options.messages * 1e6 for seconds in rounds], ".2f"))
            ratios = [seconds[service] / base[service] for seconds, base in zip(rounds, measured[first])]
            cells.append(median_and_range(ratios, ".2f"))
        print(f"| {name} | " + " | ".join(cells) + " |")


main()
