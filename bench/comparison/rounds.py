"""The rounds of a comparison, and what they measured."""

import json
import random

from comparison import builds, machine, report
from comparison.peers import fresh

PARTITIONS = 10
# Messages of each run before anything counts. A new broker becomes up to twice as fast within some 100 million messages, while its virtual
# machine compiles its code.
WARM_UP_MESSAGES = 10_000_000
# The broker is warm once this many runs in a row have reached this share of the fastest run's speed.
STEADY_RUNS, STEADY_SHARE = 3, 0.9


def is_steady(rates):
    """Whether the last runs were about as fast as the fastest."""
    return len(rates) >= STEADY_RUNS and min(rates[-STEADY_RUNS:]) >= STEADY_SHARE * max(rates)


class Rounds:
    """Measures every client once a round, in random order.

    `ours` are the services; `measured` are the clients in the tables, which may leave ours out. `patience` is how many seconds a run waits
    for a quiet machine.
    """

    def __init__(self, ours, measured, bootstrap, topics, messages, patience, say, compression="none", partitions=PARTITIONS):
        self.ours, self.measured, self.compression, self.partitions = ours, measured, compression, partitions
        self.bootstrap, self.topics, self.messages, self.patience, self.say = bootstrap, topics, messages, patience, say
        self.produced = {peer.name: [] for peer in measured}
        self.consumed = {peer.name: [] for peer in measured}
        # Before each run the cores that were busy, and during it those that were stolen.
        self.conditions = []
        self._raw = builds.CACHE / "runs.jsonl"

    def warm_up(self, runs_max):
        """Sends and receives messages that do not count, until that no longer becomes faster."""
        messages = min(WARM_UP_MESSAGES, self.messages)
        rates = []
        while len(rates) < runs_max and not is_steady(rates):
            topic = self._create()
            run = self.ours.produce(self.bootstrap, topic, messages, self.partitions, self.compression)
            self.ours.consume(self.bootstrap, topic, messages)
            self.topics.delete([topic])
            rates.append(run.rate)
            self.say(f"warming up: {report.number(messages)} messages at {report.number(run.rate)}/s")

    def measure(self, number):
        """One round: the producers, then the consumers of what producer-svc has written, then the proof."""
        # Ours always takes part: the consumers read its messages, and the proof needs both of its logs.
        peers = self.measured if self.ours in self.measured else [self.ours, *self.measured]
        topics = {peer.name: self._create() for peer in peers}
        source = topics[self.ours.name]
        for peer in random.sample(peers, len(peers)):
            self._run(number, peer, "produced", peer.produce, topics[peer.name], self._share(peer), self.partitions, self.compression)
        for peer in random.sample(peers, len(peers)):
            self._run(number, peer, "consumed", peer.consume, source, self._share(peer))
        for peer in peers:
            if peer.keeps_account:
                peer.prove(self.ours.log(source, "producer"), peer.log(source, "consumer"))
                self.say(f"round {number}: PROVEN that {peer.name} received each acknowledged message exactly once")
        self.topics.delete(topics.values())
        for log in self.ours.logs.iterdir():
            log.unlink()

    def consume(self, number, topic):
        """One round of the consumers only. They read a topic that something else has filled."""
        for peer in random.sample(self.measured, len(self.measured)):
            self._run(number, peer, "consumed", peer.consume, topic, self._share(peer))

    def _create(self):
        topic = fresh()
        self.topics.create(topic, self.partitions)
        return topic

    def _share(self, peer):
        return max(int(self.messages * peer.share), 1)

    def _run(self, number, peer, action, execute, topic, messages, *arguments):
        busy = machine.wait_until_quiet(self.patience)
        clock = machine.Clock()
        run = execute(self.bootstrap, topic, messages, *arguments)
        stolen = clock.stolen_cores()
        if peer in self.measured:
            (self.produced if action == "produced" else self.consumed)[peer.name].append(run)
            self.conditions.append((busy, stolen))
        self.say(
            f"round {number}: {peer.name} {action} {report.number(messages)} messages: {report.number(run.rate)}/s, "
            f"{run.cpu_per_million:.3g} CPU-s per million, {run.usage.peak_mb:.0f} MB; before it {busy:.2f} cores were busy"
        )
        entry = {"round": number, "peer": peer.name, "action": action, "messages": run.messages, "seconds": run.seconds}
        entry |= {"wall": run.usage.wall_seconds, "cpu": run.usage.cpu_seconds, "peak_mb": run.usage.peak_mb}
        with open(self._raw, "a", encoding="utf-8") as file:
            file.write(json.dumps(entry | {"busy": busy, "stolen": stolen}) + "\n")
