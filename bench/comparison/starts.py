"""How long clients take to start and to stop."""

import signal
import time

from comparison import report
from comparison.peers import fresh
from comparison.process import Failed, Process, measure

DEADLINE_SECONDS = 30


def until_line(command, environment, text):
    """The seconds from the start of a process to the first line of its output that contains `text`, and the process."""
    begun = time.monotonic()
    process = Process(command, environment=environment, piped=True)
    for line in process.popen.stdout:
        if text in line:
            return time.monotonic() - begun, process
        if time.monotonic() - begun > DEADLINE_SECONDS:
            break
    process.popen.kill()
    process.finish()
    raise Failed(f"no line with {text!r} in the output of {command[0]}")


def until_stopped(process):
    """The seconds from SIGTERM to the end."""
    begun = time.monotonic()
    process.popen.send_signal(signal.SIGTERM)
    usage = process.finish(DEADLINE_SECONDS)
    if usage.exit_code != 0:
        raise Failed(f"exit code {usage.exit_code} after SIGTERM")
    return time.monotonic() - begun


def measure_all(ours, c, python, bootstrap, topic, other, repetitions):
    """The table. `python` is the command of `bench/peers/clients.py`. C sends to the topic `other`."""
    environment = {"KAFKA_BOOTSTRAP_SERVERS": bootstrap, "KAFKA_TOPIC": topic, "LOG_FORMAT": "json", "LOG_MESSAGES": "each"}
    first, stop, message = "start to first acknowledgement", "SIGTERM to exit", "start to first message of a fresh group"
    whole = "whole process that sends one message"
    rows = {}

    def add(what, client, seconds):
        rows.setdefault((what, client), []).append(seconds)

    for _ in range(repetitions):
        seconds, process = until_line([ours.folder / "producer-svc"], environment, b'"message delivered"')
        add(first, "producer-svc", seconds)
        add(stop, "producer-svc", until_stopped(process))
        group = {"KAFKA_GROUP_ID": fresh()}
        seconds, process = until_line([ours.folder / "consumer-svc"], environment | group, b'"message received"')
        add(message, "consumer-svc", seconds)
        add(stop, "consumer-svc", until_stopped(process))
        command = [*python, "confluent-kafka", "consume", bootstrap, topic, 1, fresh()]
        seconds, process = until_line(command, {}, b"first message received")
        process.finish(DEADLINE_SECONDS)
        add(message, "Python: `confluent-kafka`", seconds)
        environment_of_one = environment | {"PRODUCER_MAX_MESSAGES": "1"}
        add(whole, "producer-svc", measure([ours.folder / "producer-svc"], environment=environment_of_one).wall_seconds)
        if c:
            add(whole, c.label, c.send_one(bootstrap, other).wall_seconds)
    return report.time_table(rows)
