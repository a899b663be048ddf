"""What it costs producer-svc when a thousand connections to `HTTP_ADDR` misbehave."""

import contextlib
import random
import socket
import threading
import time
import urllib.error
import urllib.request

from comparison import report
from comparison.latency import of_services
from comparison.peers import fresh
from comparison.rounds import PARTITIONS

RATE, LINGER_MS = 10_000, 0
CONNECTIONS = 1_000
# What a connection sends. It then stays open until the service closes it, or until all others have been opened.
SENT = [
    b"",
    b"GET /livez HT",
    b"GET /livez HTTP/1.1\r\nhost: x\r\nlarge: " + b"x" * 100_000 + b"\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00 rubbish\r\n\r\n",
    # A request whose answer nobody reads.
    b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n",
]


class Crowd:
    """The connections, and a probe of `/livez` ten times a second beside them."""

    def __init__(self, misbehaves):
        self.slowest_probe = 0.0
        self.opened = 0
        self._misbehaves = misbehaves

    @contextlib.contextmanager
    def at(self, address):
        """Runs for as long as the block does."""
        ended = threading.Event()
        threads = [threading.Thread(target=self._probe, args=[address, ended])]
        if self._misbehaves:
            threads.append(threading.Thread(target=self._connect, args=[address, ended]))
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            ended.set()
            for thread in threads:
                thread.join()

    def _probe(self, address, ended):
        while not ended.wait(0.1):
            begun = time.monotonic()
            # The service is still starting at first.
            with contextlib.suppress(ConnectionRefusedError, urllib.error.URLError):
                urllib.request.urlopen(f"http://{address}/livez", timeout=10).read()
                self.slowest_probe = max(self.slowest_probe, time.monotonic() - begun)

    def _connect(self, address, ended):
        host, port = address.split(":")
        connections = []
        while not ended.is_set():
            # A thousand in about ten seconds, over and over.
            time.sleep(0.01)
            with contextlib.suppress(OSError):
                connection = socket.create_connection((host, int(port)), timeout=1)
                connection.setblocking(False)
                connections.append(connection)
                self.opened += 1
                connection.send(SENT[self.opened % len(SENT)])
            if len(connections) > CONNECTIONS:
                connections.pop(0).close()
        for connection in connections:
            connection.close()


def measure(ours, bootstrap, topics, seconds, rounds, say):
    """The section of the report."""
    topic = fresh()
    topics.create(topic, PARTITIONS)
    runs = {"alone": [], f"{CONNECTIONS:,} connections": []}
    for _ in range(rounds):
        for name in random.sample(list(runs), len(runs)):
            crowd = Crowd(misbehaves=name != "alone")
            latency = of_services(ours, bootstrap, topic, RATE, LINGER_MS, seconds, crowd.at)
            runs[name].append((latency, crowd))
            say(f"{name}: {crowd.opened} opened, p99 {latency.p99:,.0f} µs, slowest probe {crowd.slowest_probe * 1000:.0f} ms")
    topics.delete([topic])
    return f"{RATE:,} messages/s, linger {LINGER_MS} ms, beside connections that misbehave\n\n" + report.crowd_table(runs)
