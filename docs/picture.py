"""Runs the sandbox, kills a replica on the way, and draws a selection of its lines as SVG. Arguments: the sandbox's binary, the picture.

Of the text only this is relied on: a line of a service begins with its name and `|`, the introduction has the command that kills each
service, an assignment is called one (`assigned`), the report follows an empty line, and the verdict comes last. The rest may change.
"""

import io
import os
import re
import subprocess
import sys

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

SANDBOX, PICTURE = sys.argv[1:]
ARGUMENTS = ["--rate", "2", "--count", "60"]
VICTIM, SURVIVOR = "consumer-2", "consumer-1"
# The victim is killed when each of the two has received that many messages: the group has formed then, and its commits are accepted.
RECEIVED_BEFORE_THE_KILL = 8
COLUMNS = 112

# Background, foreground, the eight colours of a terminal, and their bright forms.
THEME = TerminalTheme(
    (22, 27, 34),
    (201, 209, 217),
    [(72, 79, 88), (255, 123, 114), (63, 185, 80), (210, 153, 34), (88, 166, 255), (188, 140, 255), (57, 197, 207), (177, 186, 196)],
    [(139, 148, 158), (255, 161, 152), (86, 211, 100), (227, 179, 65), (121, 192, 255), (210, 168, 255), (86, 212, 221), (240, 246, 252)],
)

# Like rich's own template, but with the viewer's monospace font instead of one from the network.
SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="Output of the sandbox in a terminal">
<style>
.{unique_id}-matrix {{
  font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px;
  line-height: {line_height}px;
}}
.{unique_id}-title {{ font-family: sans-serif; font-size: 18px; font-weight: bold; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix" xml:space="preserve">
{matrix}
</g>
</g>
</svg>
"""


class Line:
    """A line of output, with its colours and without."""

    def __init__(self, coloured):
        self.coloured = coloured
        self.plain = Text.from_ansi(coloured).plain

    def is_of(self, name):
        return re.match(rf"{name}\s*\|", self.plain) is not None

    def is_of_a_service(self):
        return re.match(r"[\w-]+\s*\|", self.plain) is not None


def watch_sandbox():
    """All lines of a run, and the index of the line about the kill, which is added to them."""
    settings = ("KAFKA_", "PRODUCER_", "CONSUMER_", "LOG_", "RUST_LOG", "HTTP_ADDR", "OTEL_", "SHUTDOWN_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(settings)}
    sandbox = subprocess.Popen(
        [SANDBOX, *ARGUMENTS], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment | {"CLICOLOR_FORCE": "1"}
    )
    lines, kill, received = [], None, {VICTIM: 0, SURVIVOR: 0}
    for text in sandbox.stdout:
        lines.append(Line(text.rstrip("\n")))
        receiver = next((name for name in received if lines[-1].is_of(name) and "num=" in lines[-1].plain), None)
        if receiver:
            received[receiver] += 1
        # Right after a message of the victim, which is not committed yet and will therefore be received again.
        if kill is None and receiver == VICTIM and min(received.values()) >= RECEIVED_BEFORE_THE_KILL:
            kill = len(lines)
            command = ["kill", "-9", process_id(lines, VICTIM, sandbox)]
            subprocess.run(command, check=True)
            lines.append(Line(f"\x1b[3m# in another terminal: {' '.join(command)}\x1b[0m"))
    sandbox.wait()
    if kill is None or sandbox.returncode != 0:
        print("\n".join(line.plain for line in lines))
        sys.exit(f"no picture: the sandbox ended with {sandbox.returncode}, or the replicas did not share the messages")
    return lines, kill


def process_id(lines, name, sandbox):
    """The process id that the sandbox shows for a service. It must be a child of the sandbox: no other process may be killed."""
    number = next(found[1] for line in lines if (found := re.search(rf"kill -9 (\d+)\s+kill {name}\b", line.plain)))
    parent = subprocess.run(["ps", "-o", "ppid=", "-p", number], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    if parent != str(sandbox.pid):
        sys.exit(f"no picture: process {number} is not a service of the sandbox")
    return number


def selection(lines, kill):
    """The lines that are drawn; `None` where others are left out."""
    of_services = [index for index, line in enumerate(lines) if line.is_of_a_service()]
    verdict = next(index for index, line in enumerate(lines) if line.plain.startswith("verdict:"))
    report = max(index for index, line in enumerate(lines[:verdict]) if not line.plain)
    messages = [index for index in of_services if "num=" in lines[index].plain]
    # A message of each replica before the kill, with its delivery.
    before = [index for index in messages if index < kill][-6:]
    # The command, and the sandbox's own line about the end of the victim.
    end_of_victim = [index for index in range(kill, verdict) if VICTIM in lines[index].plain and index not in of_services][:1]
    assigned = [index for index in of_services if index >= kill and lines[index].is_of(SURVIVOR) and "assigned" in lines[index].plain]
    takeover = [index for index in of_services if index >= (assigned or [kill])[0]][:6]
    kept = {*range(of_services[0]), *before, kill, *end_of_victim, *takeover, *range(report, verdict + 1)}
    chosen = []
    for index, line in enumerate(lines[: verdict + 1]):
        if index in kept:
            chosen.append(line)
        elif chosen and chosen[-1] is not None:
            chosen.append(None)
    return chosen


def draw(chosen):
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text(f"$ cargo run -p sandbox -- {' '.join(ARGUMENTS)}", "bold"))
    for line in chosen:
        text = Text("...", "bright_black") if line is None else Text.from_ansi(line.coloured)
        console.print(text, no_wrap=True, overflow="ellipsis", crop=True)
    return console.export_svg(title="kafka-pair", theme=THEME, code_format=SVG, unique_id="sandbox")


with open(PICTURE, "w", encoding="utf-8") as file:
    file.write(draw(selection(*watch_sandbox())))
