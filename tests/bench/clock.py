"""How long did it take, and how much of a processor?

A measured program counts for itself from the first record it gets to the last, so that neither
start-up nor joining a group is in the figure.  It prints one JSON line; `report` reads it.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Clock:
    """Counts readings until enough were seen or the time is up."""

    enough: int
    seconds: float
    readings: int = 0
    _wall: float = field(default=0.0)
    _cpu: float = field(default=0.0)

    def count(self, readings: int = 1) -> bool:
        """Some more were done; whether to stop. The first call only starts the watch."""
        if not self._wall:
            self._wall, self._cpu = time.perf_counter(), time.process_time()
            return False
        self.readings += readings
        if self.readings >= self.enough:
            return True
        # looking at the clock for each reading would be part of the figure
        return self.readings % 1024 < readings and time.perf_counter() - self._wall > self.seconds

    def tell(self) -> None:
        """Print what was measured."""
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        line = json.dumps(figures(self.readings, wall, cpu)) + "\n"
        os.write(1, line.encode())  # Faust turns what is printed into log lines


def figures(readings: int, wall_seconds: float, cpu_seconds: float) -> dict[str, float]:
    """The figures of one line of the report."""
    return {
        "readings": readings,
        "wall_seconds": round(wall_seconds, 3),
        "cpu_seconds": round(cpu_seconds, 3),
        "readings_per_second": round(readings / wall_seconds),
        "readings_per_cpu_second": round(readings / cpu_seconds),
    }


def cpu_seconds(pid: int) -> float:
    """Processor time another process has used, all its threads together."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / TICKS_PER_SECOND


def memory_bytes(pid: int, what: str = "VmRSS") -> int:
    """Memory another process holds now (VmRSS) or held at most (VmHWM)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(what):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"no {what} in /proc/{pid}/status")
