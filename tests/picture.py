"""Draws the metrics that Prometheus has collected since START, and prints which alerts fired when.

    python3 tests/picture.py PROMETHEUS PICTURE.svg START TIME=EVENT...

PROMETHEUS is a URL. START and each TIME are Unix times in seconds. Each event but the last, which marks the end, is drawn as a vertical
line with its text.
"""

import json
import sys
import time
import urllib.parse
import urllib.request

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402

PROMETHEUS, PICTURE, START = sys.argv[1], sys.argv[2], int(sys.argv[3])
EVENTS = [(int(at), text) for at, text in (event.split("=", 1) for event in sys.argv[4:])]
END = int(time.time())
STEP = 5

GRAPHS = [
    ("messages a second", [
        ("acknowledged", "sum(rate(kafka_producer_messages_acknowledged_total[15s]))", ""),
        ("received", "sum(rate(kafka_consumer_messages_received_total[15s]))", ""),
    ]),
    ("seconds since the last", [
        ("acknowledged", "time() - max(kafka_producer_last_acknowledgement_timestamp_seconds)", ""),
        ("received", "time() - max(kafka_consumer_last_message_timestamp_seconds)", ""),
    ]),
    ("waiting messages", [
        ("in the producer", "sum(kafka_producer_queue_messages)", ""),
        ("in owned partitions", "sum(kafka_consumer_lag_messages)", ""),
    ]),
    ("owned partitions", [("", "kafka_consumer_owned_partitions", "instance")]),
]


def series(query):
    parameters = urllib.parse.urlencode({"query": query, "start": START, "end": END, "step": STEP})
    with urllib.request.urlopen(f"{PROMETHEUS}/api/v1/query_range?{parameters}", timeout=30) as answer:
        return json.load(answer)["data"]["result"]


def points(result):
    """The times in minutes and the values. Where samples are missing, the process did not live, so a gap is drawn there."""
    times, values = [], []
    for at, value in result["values"]:
        minutes = (at - START) / 60
        if times and minutes - times[-1] > 1.5 * STEP / 60:
            times.append(minutes)
            values.append(float("nan"))
        times.append(minutes)
        values.append(float(value))
    return times, values


figure, axes = plt.subplots(len(GRAPHS) + 1, 1, figsize=(10, 12), sharex=True, layout="constrained")
for axis, (title, lines) in zip(axes, GRAPHS):
    for name, query, label in lines:
        for result in series(query):
            legend = name or f"replica {result['metric'][label].split(':')[0]}"
            axis.plot(*points(result), label=legend)
    axis.set_ylabel(title)
    axis.set_ylim(bottom=0)
    axis.legend(loc="upper left", fontsize="small")

fired = {}
for result in series('ALERTS{alertstate="firing"}'):
    fired.setdefault(result["metric"]["alertname"], set()).update(at for at, _ in result["values"])
for row, (name, times) in enumerate(sorted(fired.items())):
    axes[-1].barh([row] * len(times), STEP / 60, left=[(at - START) / 60 for at in sorted(times)], color="tab:red")
    print(f"fired: {name} from {min(times) - START:.0f} s to {max(times) - START:.0f} s")
axes[-1].set_yticks(range(len(fired)), sorted(fired), fontsize="small")
axes[-1].set_ylabel("firing alerts")
axes[-1].set_xlabel("minutes")
for axis in axes:
    for at, _ in EVENTS[:-1]:
        axis.axvline((at - START) / 60, color="grey", linestyle=":")
for at, text in EVENTS[:-1]:
    axes[0].annotate(text, ((at - START) / 60, 1.02), xycoords=("data", "axes fraction"), fontsize="small", rotation=15)
figure.savefig(PICTURE)
