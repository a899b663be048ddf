"""The Kafka to measure on: one that is given, or one that is started from a distribution or in Docker."""

import os
import shutil
import subprocess
import time
from pathlib import Path

from comparison.process import Failed

IMAGE = "apache/kafka:4.2.0"
CONTAINER = "kafka-pair-bench"
HEAP = "-Xms2g -Xmx2g"


def settings(port):
    """One node that is broker and controller, on loopback, without a wait for further members of a group."""
    return {
        "node.id": "1",
        "process.roles": "broker,controller",
        "controller.quorum.voters": f"1@127.0.0.1:{port + 1}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{port + 1}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "group.initial.rebalance.delay.ms": "0",
        # Deleted topics free the disk soon.
        "log.segment.delete.delay.ms": "1000",
    }


class Broker:
    """A broker that can be reached at `bootstrap`."""

    def __init__(self, bootstrap, description, stop=lambda: None):
        self.bootstrap = bootstrap
        self.description = description
        self.stop = stop


def given(bootstrap):
    """A broker that exists already."""
    return Broker(bootstrap, "a Kafka that was given with `--bootstrap-servers`")


def from_distribution(home: Path, work: Path, port):
    """Starts a broker from an unpacked distribution of Kafka, with its data in `work`."""
    data = work / "kafka"
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True)
    properties = data / "server.properties"
    lines = {**settings(port), "log.dirs": str(data / "data")}
    properties.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
    environment = {**os.environ, "KAFKA_HEAP_OPTS": HEAP, "LOG_DIR": str(data)}
    log = open(data / "log", "wb")
    quiet = {"stdout": log, "stderr": log, "stdin": subprocess.DEVNULL}
    cluster_id = "a2Fma2EtcGFpci1iZW5jaA"
    format_command = [home / "bin/kafka-storage.sh", "format", "-t", cluster_id, "-c", properties]
    subprocess.run(format_command, check=True, **quiet)
    process = subprocess.Popen([home / "bin/kafka-server-start.sh", properties], env=environment, **quiet)

    def stop():
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(data, ignore_errors=True)

    return Broker(f"127.0.0.1:{port}", f"one node of Apache Kafka from {home.name}, {HEAP}", stop)


def in_docker(port):
    """Starts a broker in a container on the host's network: a forwarded port would cost CPU in the forwarder."""
    names = {name: f"KAFKA_{name.upper().replace('.', '_')}" for name in settings(port)}
    variables = {names[name]: value for name, value in settings(port).items()} | {"KAFKA_HEAP_OPTS": HEAP}
    words = [word for name, value in variables.items() for word in ("-e", f"{name}={value}")]
    # As root, because in some builds of the image its own user may not write the configuration.
    options = ["--detach", "--user", "root", "--network", "host", "--name", CONTAINER]
    command = ["docker", "run", *options, *words, IMAGE]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def stop():
        subprocess.run(["docker", "rm", "--force", CONTAINER], stdout=subprocess.DEVNULL, check=False)

    return Broker(f"127.0.0.1:{port}", f"one node of `{IMAGE}` in Docker, {HEAP}", stop)


class Topics:
    """Creates and deletes topics."""

    def __init__(self, python, script, bootstrap):
        self._command = [python, script, bootstrap]

    def _execute(self, *words):
        return subprocess.run([*self._command, *words], capture_output=True, text=True, check=False)

    def wait_for_broker(self, seconds=90):
        """Waits until the broker answers. Raises Failed after `seconds`."""
        deadline = time.monotonic() + seconds
        while (result := self._execute("list")).returncode != 0:
            if time.monotonic() > deadline:
                raise Failed(f"the broker does not answer: {result.stderr.strip()[-300:]}")
            time.sleep(0.5)

    def create(self, topic, partitions):
        """Creates a topic and waits until each partition has a leader."""
        result = self._execute("create", topic, str(partitions))
        if result.returncode != 0:
            raise Failed(f"topic {topic} could not be created: {result.stderr.strip()[-300:]}")

    def delete(self, topics):
        """Deletes topics, as far as they exist."""
        if topics:
            self._execute("delete", *topics)
