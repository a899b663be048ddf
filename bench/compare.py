#!/usr/bin/env python3
"""Compares producer-svc and consumer-svc with other Kafka clients on one broker.

    python3 bench/compare.py                      all clients, 15 million messages, 5 rounds: a quarter of an hour
    python3 bench/compare.py --quick              few messages: two minutes, once everything is built
    python3 bench/compare.py --only kafka-pair,c  these clients only
    python3 bench/compare.py --latency            latency at low rates, start and stop, and what one message a second costs
    python3 bench/compare.py --values             larger values, and lz4
    python3 bench/compare.py --crowd              latency beside a thousand connections that misbehave
    python3 bench/compare.py --endurance 10       the memory of the services for ten minutes

Needs Rust, a C compiler, make, zlib's headers, Python 3.11 with venv, and a Kafka: one that is given with --bootstrap-servers, or the
distribution in --kafka-home or KAFKA_HOME, or Docker. A client that cannot be built or found is left out, with a line that says so.

Each round creates a topic with ten partitions for each producer, and runs the producers in random order, then the consumers, which all read
what producer-svc has written. After each round the audit proves from the logs that consumer-svc received each message exactly once. The
tables go to the terminal and to --output, with a chart beside it, and each run to target/bench/runs.jsonl.
"""

import argparse
import datetime
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from comparison import broker, builds, chart, crowd, endurance, latency, machine, report, values  # noqa: E402
from comparison.peers import Java, OwnProgram, RdkafkaPerformance, Services  # noqa: E402
from comparison.process import Failed  # noqa: E402
from comparison.rounds import PARTITIONS, Rounds  # noqa: E402

MESSAGES, QUICK_MESSAGES = 15_000_000, 1_500_000
ROUNDS, QUICK_ROUNDS = 5, 3
# How many seconds a run waits for a quiet machine.
PATIENCE, QUICK_PATIENCE = 20, 2
# How many runs may warm up the broker.
WARM_UP_RUNS, QUICK_WARM_UP_RUNS = 24, 2
# The slow clients get a part of the messages, so that a run of theirs takes about as long as one of the others.
PYTHON_SHARE, KAFKA_PYTHON_SHARE = 0.1, 0.02
NAMES = ["kafka-pair", "c", "java", "confluent-kafka-rust", "confluent-kafka-python", "kafka-python"]


def say(text):
    print(f"{datetime.datetime.now():%H:%M:%S} {text}", flush=True)


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    home = os.environ.get("KAFKA_HOME")
    parser.add_argument("--bootstrap-servers", metavar="HOST:PORT", help="a Kafka to use; topics `bench-*` are created and deleted there")
    parser.add_argument("--kafka-home", type=Path, default=home and Path(home), help="a distribution of Kafka, also for Java's tools")
    parser.add_argument("--port", type=int, default=29392, help="port for a broker that is started here; it also takes the next one")
    parser.add_argument("--quick", action="store_true", help="few messages and rounds, for a first look")
    parser.add_argument("--messages", type=int, help=f"messages of a fast client in a run; default {MESSAGES:,}")
    parser.add_argument("--rounds", type=int, help=f"default {ROUNDS}")
    parser.add_argument("--partitions", type=int, default=PARTITIONS, help=f"of each topic of a comparison of throughput; default {PARTITIONS}")
    parser.add_argument("--only", metavar="NAMES", type=lambda text: text.split(","), default=NAMES, help=f"some of {','.join(NAMES)}")
    parser.add_argument(
        "--also",
        action="append",
        default=[],
        metavar="NAME=FOLDER",
        help="another version of the services: a folder with producer-svc, consumer-svc and audit",
    )
    parser.add_argument("--latency", action="store_true", help="measure latency, start and stop instead of throughput")
    parser.add_argument("--values", action="store_true", help="measure larger values and lz4")
    parser.add_argument("--crowd", action="store_true", help="measure latency while a thousand connections misbehave")
    parser.add_argument("--endurance", type=int, metavar="MINUTES", help="measure the memory of the services for so long")
    parser.add_argument("--rates", type=lambda text: [int(rate) for rate in text.split(",")], help="with --latency: these rates only")
    parser.add_argument("--seconds", type=int, help="with --latency and --crowd: how long each rate is kept up")
    parser.add_argument("--output", type=Path, default=builds.CACHE / "report.md", help="file for the tables; the chart is named .svg")
    options = parser.parse_args()
    if unknown := set(options.only) - set(NAMES):
        parser.error(f"unknown client {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    if options.partitions != PARTITIONS and (options.latency or options.values or options.crowd or options.endurance):
        parser.error(f"--partitions is for the comparison of throughput; all else has {PARTITIONS}")
    if wrong := [each for each in options.also if "=" not in each]:
        parser.error(f"--also needs NAME=FOLDER, not {wrong[0]}")
    options.messages = options.messages or (QUICK_MESSAGES if options.quick else MESSAGES)
    options.rounds = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
    return options


class Peers:
    """The clients that can be built or found."""

    def __init__(self, options, python):
        self.missing = []
        """What is left out, and why."""
        logs = builds.CACHE / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        say("building the services")
        folder = builds.services()
        self.ours = Services(folder, logs)
        self.all = []
        self._add(options, "kafka-pair", lambda: self.ours)
        for name, _, other in (each.partition("=") for each in options.also):
            self.all.append(Services(Path(other).resolve(), logs, name, f"kafka-pair, version `{name}`"))
        self.c = self._add(options, "c", lambda: RdkafkaPerformance(*builds.librdkafka()))
        self._add(options, "java", lambda: Java(options.kafka_home))
        self._add(options, "confluent-kafka-rust", lambda: OwnProgram("Rust: `confluent-kafka` 1.0.0", [builds.confluent_kafka_rust()]))
        for name, share in (("confluent-kafka", PYTHON_SHARE), ("kafka-python", KAFKA_PYTHON_SHARE)):
            version = next(package for package in builds.PYTHON_PACKAGES if package.startswith(name)).partition("==")[2]
            command = [python, builds.PEERS / "clients.py", name]
            peer = OwnProgram(f"Python: `{name}` {version}", command, share)
            self._add(options, name if name == "kafka-python" else f"{name}-python", lambda peer=peer: peer)

    def _add(self, options, name, prepare):
        """Adds a client if it is wanted, under the name that it is asked for with."""
        if name not in options.only:
            return None
        say(f"preparing {name}")
        try:
            peer = prepare()
        except (Failed, OSError) as error:
            self.missing.append(f"{name}, because of: {error}")
            say(f"LEFT OUT: {self.missing[-1]}")
            return None
        peer.name = name
        self.all.append(peer)
        return peer


def find_broker(options):
    if options.bootstrap_servers:
        return broker.given(options.bootstrap_servers)
    if options.kafka_home:
        say("starting a broker from the distribution")
        return broker.from_distribution(options.kafka_home, builds.CACHE, options.port)
    say("starting a broker in Docker")
    return broker.in_docker(options.port)


def describe(options, kafka, conditions):
    """What has to be known to read the figures."""
    text = f"{datetime.date.today()}, {machine.describe()}; {kafka.description}; {options.partitions} partitions."
    if conditions:
        busiest, stolen = (max(values) for values in zip(*conditions, strict=True))
        text += f" Before a run, at most {busiest:.2f} cores were busy; during one, at most {stolen:.2f} were stolen."
    return text


def write(options, sections, missing):
    """Writes the report and prints it."""
    text = "\n\n".join([*sections, *(f"Left out: {each.splitlines()[0]}" for each in missing)]) + "\n"
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(text, encoding="utf-8")
    print("\n" + text)
    say(f"written: {options.output}")


def main():
    options = parse()
    say("preparing Python")
    python = builds.python()
    peers = Peers(options, python)
    kafka = find_broker(options)
    try:
        topics = broker.Topics(python, builds.PEERS / "topics.py", kafka.bootstrap)
        topics.wait_for_broker()
        patience = QUICK_PATIENCE if options.quick else PATIENCE
        rounds = Rounds(peers.ours, peers.all, kafka.bootstrap, topics, options.messages, patience, say, partitions=options.partitions)
        rounds.warm_up(QUICK_WARM_UP_RUNS if options.quick else WARM_UP_RUNS)
        sections = None
        if options.latency:
            sections = latency.Latencies(peers, kafka.bootstrap, topics, python, options, say).measure_all()
        elif options.values:
            sections = values.measure_all(peers, kafka.bootstrap, topics, options, patience, say)
        elif options.crowd:
            seconds = options.seconds or latency.SECONDS
            sections = [crowd.measure(peers.ours, kafka.bootstrap, topics, seconds, options.rounds, say)]
        elif options.endurance:
            sections = [endurance.measure(peers.ours, kafka.bootstrap, topics, options.endurance, say)]
        if sections:
            write(options, [describe(options, kafka, []), *sections], peers.missing)
            return
        for number in range(1, options.rounds + 1):
            rounds.measure(number)
        tables = [
            "Producers\n\n" + report.table(peers.all, rounds.produced),
            "Consumers\n\n" + report.table(peers.all, rounds.consumed),
        ]
        write(options, [describe(options, kafka, rounds.conditions), *tables], peers.missing)
        picture = options.output.with_suffix(".svg")
        picture.write_text(chart.draw(peers.all, rounds.produced, rounds.consumed), encoding="utf-8")
        say(f"written: {picture}")
    finally:
        kafka.stop()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("the comparison was interrupted")
    except Failed as error:
        sys.exit(f"the comparison has failed: {error}")
