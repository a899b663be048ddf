"""The tables, in Markdown."""

import statistics

OURS = "kafka-pair"


def number(value):
    """About three significant digits, with thousands as people write them."""
    if value >= 1e6:
        return f"{value / 1e6:.2f} M"
    if value >= 1e5:
        return f"{value / 1e3:.0f} k"
    if value >= 1e3:
        return f"{value / 1e3:.1f} k"
    return f"{value:.3g}"


def median(runs, value):
    return statistics.median(value(run) for run in runs)


def spread(runs, value, show=number):
    """The median, and the lowest and the highest value."""
    values = [value(run) for run in runs]
    middle = show(statistics.median(values))
    return f"{middle} ({show(min(values))}–{show(max(values))})" if len(values) > 1 else middle


def ratio(ours, theirs):
    return f"{ours / theirs:.2f}" if ours / theirs < 10 else f"{ours / theirs:.0f}"


def table(peers, runs):
    """`runs` are the runs of each peer, by its name. Ratios are those of the medians."""
    ours = runs.get(OURS)
    lines = [
        "| client | messages | messages/s | whole process, messages/s | CPU-s per million | peak RSS, MB "
        "| kafka-pair is faster by | kafka-pair takes of its CPU |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for peer in peers:
        mine = runs.get(peer.name)
        if not mine:
            continue
        cells = [
            peer.label,
            number(mine[0].messages),
            spread(mine, lambda run: run.rate),
            number(median(mine, lambda run: run.wall_rate)),
            spread(mine, lambda run: run.cpu_per_million),
            spread(mine, lambda run: run.usage.peak_mb, lambda value: f"{value:.0f}"),
        ]
        if ours and peer.name != OURS:
            faster = ratio(median(ours, lambda run: run.rate), median(mine, lambda run: run.rate))
            wall = ratio(median(ours, lambda run: run.wall_rate), median(mine, lambda run: run.wall_rate))
            cpu = ratio(median(ours, lambda run: run.cpu_per_million), median(mine, lambda run: run.cpu_per_million))
            cells += [f"{faster} (whole process {wall})", cpu]
        else:
            cells += ["", ""]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def millis(value):
    return f"{value / 1000:.2f}"


def latency_table(rows):
    """`rows` are (rate, linger, client, runs)."""
    lines = [
        "| messages/s | linger, ms | client | p50, ms | p99, ms | p99.9, ms | highest, ms | handed over late by, ms | wake-ups/s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for rate, linger, client, runs in rows:
        cells = [f"{rate:,}", str(linger), client]
        cells += [spread(runs, lambda run, name=name: getattr(run, name), millis) for name in ("p50", "p99", "p999", "highest")]
        cells += [millis(median(runs, lambda run: run.late)), number(median(runs, lambda run: run.wakes))]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def time_table(rows):
    """`rows` has the seconds of each repetition, by what was measured and the client."""
    lines = ["| | client | ms |", "|---|---|---|"]
    for (what, client), seconds in sorted(rows.items()):
        lines.append(f"| {what} | {client} | {spread(seconds, lambda value: value * 1000, lambda value: f'{value:.0f}')} |")
    return "\n".join(lines)


def idle_table(rows):
    """`rows` are (client, resident MB, anonymous MB, percent of a core)."""
    lines = ["| client | RSS, MB | anonymous memory in it, MB | CPU, % of a core |", "|---|---|---|---|"]
    lines += [f"| {client} | {resident:.1f} | {anonymous:.1f} | {cpu:.2f} |" for client, resident, anonymous, cpu in rows]
    return "\n".join(lines)


def end_to_end_table(rows):
    """`rows` are (rate, linger, runs)."""
    lines = ["| messages/s | linger, ms | p50, ms | p99, ms | p99.9, ms | highest, ms |", "|---|---|---|---|---|---|"]
    for rate, linger, runs in rows:
        columns = zip(*runs, strict=True)
        cells = [spread(values, lambda value: value, lambda value: f"{value:.0f}") for values in columns]
        lines.append("| " + " | ".join([f"{rate:,}", str(linger), *cells]) + " |")
    return "\n".join(lines)


def memory_table(rows, peaks):
    """`rows` are (minute, MB of the producer, MB of the consumer)."""
    lines = ["| after minute | producer-svc, RSS, MB | consumer-svc, RSS, MB |", "|---|---|---|"]
    lines += [f"| {minute} | {producer:.1f} | {consumer:.1f} |" for minute, producer, consumer in rows]
    lines.append(f"| peak | {peaks[0]:.1f} | {peaks[1]:.1f} |")
    return "\n".join(lines)


def crowd_table(runs):
    """`runs` has (latency, crowd) of each run, by what was beside it."""
    lines = ["| | p50, ms | p99, ms | p99.9, ms | peak RSS, MB | slowest probe, ms | opened |", "|---|---|---|---|---|---|---|"]
    for name, measured in runs.items():
        latencies, crowds = zip(*measured, strict=True)
        cells = [spread(latencies, lambda run, field=field: getattr(run, field), millis) for field in ("p50", "p99", "p999")]
        cells.append(spread(latencies, lambda run: run.peak_mb, lambda value: f"{value:.1f}"))
        cells.append(spread(crowds, lambda crowd: crowd.slowest_probe * 1000, lambda value: f"{value:.0f}"))
        cells.append(f"{sum(crowd.opened for crowd in crowds):,}")
        lines.append("| " + " | ".join([name, *cells]) + " |")
    return "\n".join(lines)
