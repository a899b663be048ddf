"""Starts a process and measures it: time, CPU, memory."""

import os
import subprocess
import threading
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

# How often the memory is looked at. The kernel keeps the peak itself, so only a peak in the last interval can be missed.
SAMPLE_SECONDS = 0.02
# Longer than any run takes.
DEADLINE_SECONDS = 1800


@dataclass
class Usage:
    """What a finished process took."""

    exit_code: int
    wall_seconds: float
    cpu_seconds: float
    peak_mb: float
    """Peak of the resident memory. 0 where there is no /proc."""
    waits: int
    """How often the process gave up the CPU by itself: about the number of times it was woken."""
    output: str


class Process:
    """A running process. Its output goes to `output`, or is returned by `finish`."""

    def __init__(self, command, environment=None, output: Path | None = None, scrape=None, piped=False):
        """`scrape` is a URL that is read once a second while the process lives, as Prometheus would."""
        self.command = [str(word) for word in command]
        self.output = output
        self._peak_kb = 0
        self._ended = threading.Event()
        self._file = open(output, "wb") if output else None
        self._started = time.monotonic()
        self.popen = subprocess.Popen(
            self.command,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=self._file or subprocess.PIPE,
            stderr=subprocess.DEVNULL if piped or self._file else subprocess.STDOUT,
        )
        threads = [threading.Thread(target=self._sample, daemon=True)]
        if scrape:
            threads.append(threading.Thread(target=self._scrape, args=[scrape], daemon=True))
        for thread in threads:
            thread.start()

    def _sample(self):
        """Reads the peak from /proc: that of `wait4` would include the memory of this Python process before the exec."""
        status = Path(f"/proc/{self.popen.pid}/status")
        while not self._ended.wait(SAMPLE_SECONDS):
            try:
                fields = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
                self._peak_kb = max(self._peak_kb, int(fields["VmHWM"].split()[0]))
            except (OSError, KeyError):
                # It has ended, or the command has not been executed yet, or this is not Linux.
                continue

    def _scrape(self, url):
        while not self._ended.wait(1):
            try:
                urllib.request.urlopen(url, timeout=5).read()
            except OSError:
                continue

    def finish(self, deadline=DEADLINE_SECONDS) -> Usage:
        """Waits for the end. Past the deadline the process is killed, and its exit code says so."""
        killer = threading.Timer(deadline, self.popen.kill)
        killer.start()
        output = "" if self._file else self.popen.stdout.read().decode(errors="replace")
        _, status, usage = os.wait4(self.popen.pid, 0)
        wall = time.monotonic() - self._started
        killer.cancel()
        self._ended.set()
        self.popen.returncode = os.waitstatus_to_exitcode(status)
        if self._file:
            self._file.close()
        return Usage(self.popen.returncode, wall, usage.ru_utime + usage.ru_stime, self._peak_kb / 1024, usage.ru_nvcsw, output)


class Failed(Exception):
    """A command of the comparison did not do its work."""


def measure(command, **options) -> Usage:
    """Runs a command to its end.

    Raises Failed unless its exit code is 0.
    """
    usage = Process(command, **options).finish()
    if usage.exit_code != 0:
        told = usage.output or (options["output"].read_text(errors="replace") if options.get("output") else "")
        raise Failed(f"exit code {usage.exit_code} of: {' '.join(map(str, command))}\n" + "\n".join(told.splitlines()[-8:]))
    return usage
