"""Larger values, and compression."""

from comparison import report
from comparison.peers import fresh
from comparison.process import Failed
from comparison.rounds import PARTITIONS, Rounds

# The name of a size, the size in bytes, and how many messages of it are read. The services decode values of up to 64 KiB, and skip longer
# ones as bad.
SIZES = [("1 KiB", 1024, 1_000_000), ("60 KiB", 60 * 1024, 80_000), ("100 KiB", 100 * 1024, 50_000)]
COMPRESSION = "lz4"


def measure_all(peers, bootstrap, topics, options, patience, say):
    """The sections of the report."""
    if peers.c is None:
        raise Failed("C's tool is needed, because it writes the larger values")
    clients = [peer for peer in peers.all if peer.is_configurable]

    def rounds(messages, compression):
        return Rounds(peers.ours, clients, bootstrap, topics, messages, patience, say, compression)

    numbers = range(1, options.rounds + 1)
    sections = []
    for name, size, messages in SIZES:
        reading = rounds(messages // 10 if options.quick else messages, "none")
        topic = fresh()
        topics.create(topic, PARTITIONS)
        say(f"writing values of {name}")
        peers.c.fill(bootstrap, topic, reading.messages, size)
        for number in numbers:
            reading.consume(number, topic)
        topics.delete([topic])
        sections.append(f"Consumers, values of {name}\n\n" + report.table(clients, reading.consumed))
    both = rounds(options.messages, COMPRESSION)
    for number in numbers:
        both.measure(number)
    sections.append(f"Producers, {COMPRESSION}\n\n" + report.table(clients, both.produced))
    sections.append(f"Consumers, {COMPRESSION}\n\n" + report.table(clients, both.consumed))
    return sections
