"""What traces cost: processor time of both services for the same messages, without the feature, with it, and switched on.

    python3 tests/cost_of_traces.py [--messages N] [--rounds N] [--also NAME=DIRECTORY]...

Needs Docker, cargo and two cores with nothing else to do. Starts a broker and a collector that forgets everything; each round runs every variant
once, in a random order, so that a slow moment of the machine does not fall on one of them alone. Binaries of other versions
are compared by --also. A number is user and system time of the process, its start included; the ratio is that to the first
variant of the same round, and of both the median is shown with the lowest and the highest.
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
    """Takes every export and forgets it."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def command(*words, **options):
    return subprocess.run(words, check=True, timeout=1800, cwd=PROJECT, stdout=subprocess.DEVNULL, **options)


def built(name, *features):
    """The directory of the services' binaries, built with these features."""
    command("cargo", "build", "--quiet", "--locked", "--release", "-p", "producer-svc", "-p", "consumer-svc", *features)
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
    # As root it may write its configuration whoever made the image.
    command("docker", "run", "-d", "--user", "root", "--name", BROKER, "-p", f"{BOOTSTRAP}:29195", *variables, image)


def topic(action, name):
    script = "/opt/kafka/bin/kafka-topics.sh"
    partitions = ["--partitions", "10"] if action == "--create" else []
    command("docker", "exec", BROKER, script, "--bootstrap-server", BOOTSTRAP, action, "--topic", name, *partitions)


def seconds_of(binary, variables):
    """User and system time of a service that must end by itself, and well."""
    basics = {"PATH": os.environ["PATH"], "KAFKA_BOOTSTRAP_SERVERS": BOOTSTRAP, "LOG_MESSAGES": "summary"}
    process = subprocess.Popen([binary], env=basics | variables, stdout=subprocess.DEVNULL)
    patience = threading.Timer(300, process.kill)
    patience.start()
    _, status, usage = os.wait4(process.pid, 0)
    patience.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{binary} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def both(directory, traces, name, messages):
    """Seconds of the producer, and of a consumer that reads the same messages."""
    variables = {"KAFKA_TOPIC": name, **traces}
    topic("--create", name)
    sent = {"PRODUCER_RATE_PER_SEC": "max", "PRODUCER_MAX_MESSAGES": str(messages)}
    received = {"KAFKA_GROUP_ID": name, "CONSUMER_MAX_MESSAGES": str(messages)}
    seconds = (
        seconds_of(directory / "producer-svc", variables | sent),
        seconds_of(directory / "consumer-svc", variables | received),
    )
    topic("--delete", name)
    return seconds


def spread(values, form):
    return f"{statistics.median(values):{form}} ({min(values):{form}}–{max(values):{form}})"


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--messages", type=int, default=1_000_000)
    arguments.add_argument("--rounds", type=int, default=7)
    arguments.add_argument("--also", action="append", default=[], metavar="NAME=DIRECTORY")
    arguments.add_argument("--off-only", action="store_true", help="leave out the variants that trace")
    given = arguments.parse_args()

    without = built("without")
    with_traces = built("with", "--features", "producer-svc/otel,consumer-svc/otel")
    collector = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=collector.serve_forever, daemon=True).start()
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}"}
    ratio = lambda share: endpoint | {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": share}
    variants = {
        "without the feature": (without, {}),
        **{name: (Path(directory).resolve(), {}) for name, directory in (also.split("=", 1) for also in given.also)},
        "with it, no collector": (with_traces, {}),
    }
    traced = {
        "no message traced": (with_traces, endpoint | {"OTEL_TRACES_SAMPLER": "always_off"}),
        "one in a hundred": (with_traces, ratio("0.01")),
        "every message": (with_traces, endpoint),
    }
    variants |= {} if given.off_only else traced

    measured = {name: [] for name in variants}
    subprocess.run(["docker", "rm", "-fv", BROKER], capture_output=True, timeout=60)
    start_broker()
    try:
        # The first round warms the broker up and does not count.
        for round_number in range(given.rounds + 1):
            for name in random.sample(list(variants), len(variants)):
                directory, traces = variants[name]
                seconds = both(directory, traces, f"round-{round_number}-{list(variants).index(name)}", given.messages)
                print(f"{round_number} of {given.rounds}: {name}: {seconds[0]:.2f} s, {seconds[1]:.2f} s", flush=True)
                if round_number > 0:
                    measured[name].append(seconds)
    finally:
        subprocess.run(["docker", "rm", "-fv", BROKER], capture_output=True, timeout=60)

    first = next(iter(variants))
    print("\n| | " + " | ".join(f"{service}, s a million messages | ratio" for service in SERVICES) + " |")
    print("|---|" + "---|" * 2 * len(SERVICES))
    for name, runs in measured.items():
        cells = []
        for service in range(len(SERVICES)):
            cells.append(spread([run[service] / given.messages * 1e6 for run in runs], ".2f"))
            cells.append(spread([run[service] / base[service] for run, base in zip(runs, measured[first])], ".2f"))
        print(f"| {name} | " + " | ".join(cells) + " |")


main()
