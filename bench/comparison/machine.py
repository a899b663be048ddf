"""The machine: what it is, and how busy it is with other work."""

import os
import platform
import time
from pathlib import Path

# A run starts once other processes use less than this many cores, or when its patience is over.
QUIET_CORES = 0.2


def describe():
    """Processor, cores, memory and kernel in one line."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    name = names[0] if names else platform.machine()
    return f"{name}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.release()}"


class Clock:
    """How much CPU time the whole machine has used since the clock was made. Zero where there is no /proc."""

    def __init__(self):
        self._at = time.monotonic()
        self._busy, self._stolen = self._read()

    @staticmethod
    def _read():
        """Seconds in which some process ran, and seconds in which the hypervisor ran something else."""
        stat = Path("/proc/stat")
        if not stat.exists():
            return 0.0, 0.0
        user, nice, system, _, _, irq, softirq, steal = map(int, stat.read_text().split("\n", 1)[0].split()[1:9])
        ticks = os.sysconf("SC_CLK_TCK")
        return (user + nice + system + irq + softirq) / ticks, steal / ticks

    def _seconds(self):
        return max(time.monotonic() - self._at, 0.001)

    def busy_cores(self):
        """How many cores were busy on average."""
        return (self._read()[0] - self._busy) / self._seconds()

    def stolen_cores(self):
        """How many cores the hypervisor gave to others on average."""
        return (self._read()[1] - self._stolen) / self._seconds()


def wait_until_quiet(patience):
    """Waits until little else runs, but for at most `patience` seconds. Returns how many cores were busy in the last second."""
    deadline = time.monotonic() + patience
    while True:
        clock = Clock()
        time.sleep(1)
        busy = clock.busy_cores()
        if busy < QUIET_CORES or time.monotonic() > deadline:
            return busy
