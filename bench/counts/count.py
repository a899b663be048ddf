#!/usr/bin/env python3
"""Counts the instructions of the code that handles each message, with valgrind.

    python3 bench/counts/count.py             fail if a benchmark takes more instructions than its limit
    python3 bench/counts/count.py --update    write the limits again, for the commit that changes the counts

Says NOT RUN and succeeds where there is no valgrind, as on macOS. Installs the program `gungraun-runner` with cargo if it is not there in the
version that `Cargo.toml` asks for.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
LIMITS = HERE / "src" / "limits.rs"


def install_runner():
    """Both halves of gungraun have to be of one version."""
    version = re.search(r'^gungraun = "=(.+)"$', (HERE / "Cargo.toml").read_text(), re.MULTILINE)[1]
    if shutil.which("gungraun-runner"):
        told = subprocess.run(["gungraun-runner", "--version"], capture_output=True, text=True, check=False).stdout
        if told.strip() == f"gungraun-runner {version}":
            return
    subprocess.run(["cargo", "install", "--locked", "--quiet", "gungraun-runner", "--version", version], check=True)


def bench(*arguments):
    """Counts, and returns whether every benchmark kept its limit, and what was counted: a name and a number for each."""
    command = ["cargo", "bench", "--locked", "--quiet", "-p", "counts", "--no-fail-fast", "--", "--output-format=json", *arguments]
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, cwd=HERE)
    summaries = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
    return result.returncode == 0, [(summary["function_name"], instructions(summary)) for summary in summaries]


def instructions(summary):
    """The number of instructions (`Ir`) of this run in the summary of a benchmark."""
    callgrind = next(profile for profile in summary["profiles"] if profile["tool"] == "Callgrind")
    return callgrind["data"]["total"]["metrics"]["Ir"]["values"]["new"]


def measured():
    """What the limits are based on: a number for each name."""
    return {name: int(number) for name, number in re.findall(r'\("(\w+)", ([\d_]+)\)', LIMITS.read_text())}


def show(counts, before):
    """Prints each count beside the one that its limit is based on."""
    for name, number in counts:
        change = f"{(number / before[name] - 1) * 100:+.2f} %" if before.get(name) else "no limit"
        print(f"{name:<20} {number:>12,} instructions   {change}")


def write(counts):
    head = LIMITS.read_text().partition("= &[")[0]
    LIMITS.write_text(head + "= &[\n" + "".join(f'    ("{name}", {number}),\n' for name, number in counts) + "];\n")
    subprocess.run(["cargo", "fmt", "-p", "counts"], check=True, cwd=HERE)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", action="store_true", help="write what is counted as the new limits")
    options = parser.parse_args()
    if not shutil.which("valgrind"):
        print("NOT RUN: the instructions were not counted, because there is no valgrind.")
        return
    install_runner()
    are_kept, counts = bench()
    if not counts:
        sys.exit("nothing was counted; the reason is above")
    show(counts, measured())
    if options.update:
        write(counts)
        print(f"written: {LIMITS.relative_to(HERE.parent.parent)}")
    elif not are_kept:
        sys.exit("A count exceeds its limit, which is 3 % above the one before. If that is intended, write the limits again with --update.")


if __name__ == "__main__":
    main()
