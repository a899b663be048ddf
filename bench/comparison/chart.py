"""The chart, as SVG: messages per second of each client, and the CPU that it takes."""

import statistics
from html import escape

from comparison.report import OURS, number

WIDTH, LABEL, ROW, BAR, PANEL_GAP = 900, 250, 26, 16, 44
# Two columns of bars: messages/s, and CPU-seconds per million messages.
COLUMN = (WIDTH - LABEL - 40) // 2

# Readable on white and on dark pages: GitHub shows an image in the colours that the viewer's system prefers.
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328; }
.title { font-weight: 600; font-size: 15px; }
.head, .value { fill: #59636e; font-size: 12px; }
.ours { font-weight: 600; }
.bar { fill: #8c959f; }
.bar.ours { fill: #0969da; }
.spread { stroke: #1f2328; stroke-width: 1.5; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .head, .value { fill: #9198a1; }
  .bar { fill: #656c76; }
  .bar.ours { fill: #4493f8; }
  .spread { stroke: #e6edf3; }
}
"""


def plain(label):
    """A label without the marks of Markdown."""
    return label.replace("*", "").replace("`", "")


def bars(x, y, peers, runs, value, limit=None):
    """A column of bars, with the median as length and a line from the lowest to the highest run. Bars beyond `limit` are cut."""
    medians = {name: statistics.median(map(value, each)) for name, each in runs.items()}
    scale = (COLUMN - 70) / min(max(medians.values()), limit or float("inf"))
    parts = []
    for row, peer in enumerate(peers):
        values = [value(run) for run in runs[peer.name]]
        top = y + row * ROW
        length = max(medians[peer.name] * scale, 1)
        is_cut = length > COLUMN - 70 + 0.5
        length = min(length, COLUMN - 70)
        kind = "bar ours" if peer.name == OURS else "bar"
        parts.append(f'<rect class="{kind}" x="{x}" y="{top}" width="{length:.1f}" height="{BAR}"/>')
        right = x + length
        if not is_cut:
            low, high = x + min(values) * scale, min(x + max(values) * scale, x + COLUMN - 60)
            right = max(right, high)
            parts.append(f'<path class="spread" d="M{low:.1f} {top + BAR / 2}H{high:.1f}"/>')
        told = number(medians[peer.name]) + (" →" if is_cut else "")
        parts.append(f'<text class="value" x="{right + 6:.1f}" y="{top + 12}">{told}</text>')
    return parts


def panel(title, y, peers, runs):
    """One table of the report as bars: the fastest client first."""
    shown = sorted(
        (peer for peer in peers if runs.get(peer.name)),
        key=lambda peer: -statistics.median(run.rate for run in runs[peer.name]),
    )
    runs = {peer.name: runs[peer.name] for peer in shown}
    cpu = sorted(statistics.median(run.cpu_per_million for run in each) for each in runs.values())
    # The slow clients take a hundred times the CPU; a bar for them to scale would leave nothing to see of the others.
    limit = max((value for value in cpu if value <= 8 * cpu[0]), default=cpu[-1])
    parts = [f'<text class="title" x="10" y="{y}">{escape(title)}</text>']
    parts.append(f'<text class="head" x="{LABEL}" y="{y}">messages per second</text>')
    cut = ", → longer than drawn" if limit < cpu[-1] else ""
    parts.append(f'<text class="head" x="{LABEL + COLUMN + 20}" y="{y}">CPU-seconds per million messages{cut}</text>')
    top = y + 14
    for row, peer in enumerate(shown):
        kind = ' class="ours"' if peer.name == OURS else ""
        parts.append(f'<text{kind} x="10" y="{top + row * ROW + 12}">{escape(plain(peer.label))}</text>')
    parts += bars(LABEL, top, shown, runs, lambda run: run.rate)
    parts += bars(LABEL + COLUMN + 20, top, shown, runs, lambda run: run.cpu_per_million, limit)
    return parts, top + len(shown) * ROW


def draw(peers, produced, consumed):
    """The whole picture."""
    parts, y = [], 26
    for title, runs in (("Producers", produced), ("Consumers", consumed)):
        if any(runs.values()):
            drawn, bottom = panel(title, y, peers, runs)
            parts += drawn
            y = bottom + PANEL_GAP
    height = y - PANEL_GAP + 12
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="Messages per second and CPU of Kafka clients">\n<style>{STYLE}</style>\n' + "\n".join(parts) + "\n</svg>\n"
    )
