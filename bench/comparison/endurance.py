"""Whether the memory of the services stays the same for minutes."""

import time

from comparison import report
from comparison.idle import memory_mb
from comparison.peers import fresh
from comparison.process import Failed, Process
from comparison.rounds import PARTITIONS

RATE = 100_000


def measure(ours, bootstrap, topics, minutes, say):
    """The section of the report: the memory of both services after each minute, and the proof."""
    topic = fresh()
    topics.create(topic, PARTITIONS)
    common = {"KAFKA_BOOTSTRAP_SERVERS": bootstrap, "KAFKA_TOPIC": topic, "LOG_FORMAT": "json"}
    programs = {
        "consumer": ("consumer-svc", {"KAFKA_GROUP_ID": fresh()}),
        "producer": ("producer-svc", {"PRODUCER_RATE_PER_SEC": str(RATE)}),
    }
    processes = {
        name: Process([ours.folder / program], environment=common | more, output=ours.log(topic, name))
        for name, (program, more) in programs.items()
    }
    rows = []
    for minute in range(1, minutes + 1):
        time.sleep(60)
        resident = {name: memory_mb(process)[0] for name, process in processes.items()}
        rows.append((minute, resident["producer"], resident["consumer"]))
        say(f"minute {minute}: producer {rows[-1][1]:.1f} MB, consumer {rows[-1][2]:.1f} MB")
    peaks = {}
    for name in ("producer", "consumer"):
        # The consumer stops a moment after the producer, so that it has received everything.
        processes[name].popen.terminate()
        usage = processes[name].finish(60)
        if usage.exit_code != 0:
            raise Failed(f"the {name} ended with exit code {usage.exit_code}")
        peaks[name] = usage.peak_mb
        time.sleep(2)
    ours.prove(ours.log(topic, "producer"), ours.log(topic, "consumer"))
    topics.delete([topic])
    return f"Memory at {RATE:,} messages/s\n\n" + report.memory_table(rows, (peaks["producer"], peaks["consumer"]))
