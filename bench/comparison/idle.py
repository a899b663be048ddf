"""What clients cost at one message a second."""

import time
from pathlib import Path

from comparison import report
from comparison.peers import fresh
from comparison.process import Process

# After that long a client has started, and joined its group.
SETTLED_SECONDS = 5
FIELDS = ["VmRSS", "RssAnon"]


def cpu_seconds(process):
    """CPU time of all threads so far. The kernel's usual figure counts in hundredths of a second, which is too coarse here."""
    threads = Path(f"/proc/{process.popen.pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


def memory_mb(process):
    """Resident memory, and the anonymous part of it."""
    lines = Path(f"/proc/{process.popen.pid}/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return [int(fields[name].split()[0]) / 1024 for name in FIELDS]


def measure_all(ours, c, bootstrap, topic, seconds):
    """The table. All clients run at once: together they hardly use a core."""
    environment = {"KAFKA_BOOTSTRAP_SERVERS": bootstrap, "KAFKA_TOPIC": topic, "LOG_FORMAT": "json"}
    replica = environment | {"KAFKA_GROUP_ID": fresh(), "KAFKA_AUTO_OFFSET_RESET": "latest"}

    def start(program, variables):
        return Process([ours.folder / program], environment=variables, output=ours.log(topic, f"idle-{program}"))

    processes = {"producer-svc": start("producer-svc", environment), "consumer-svc": start("consumer-svc", replica)}
    if c:
        processes["C producer"] = c.trickle(bootstrap, topic, ours.log(topic, "idle-c-producer"))
        processes["C consumer"] = c.follow(bootstrap, topic, ours.log(topic, "idle-c-consumer"))
    time.sleep(SETTLED_SECONDS)
    before = {name: cpu_seconds(process) for name, process in processes.items()}
    time.sleep(seconds)
    rows = []
    for name, process in processes.items():
        rows.append((name, *memory_mb(process), (cpu_seconds(process) - before[name]) / seconds * 100))
        process.popen.terminate()
        process.finish(30)
    return report.idle_table(rows)
