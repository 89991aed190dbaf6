"""Which figures must be reached?

The goals stand beside where each is found in the report, so that a run says itself whether it is
good enough.  A goal whose line was not measured is not judged.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from deploy.local import SESSION_TIMEOUT_SECONDS


class Goal(NamedTuple):
    """A figure at a path of the report, and the least or most it may be."""

    path: str
    limit: float
    is_least: bool


GOALS = {
    "one core does everything with 100,000 readings/s": Goal(
        "kafka.speed.lines.c.readings_per_cpu_second", 100_000, is_least=True
    ),
    "20 times the idiomatic Faust way": Goal("kafka.speed.ratios.c/b", 20.0, is_least=True),
    "twice a Quix Streams running sum": Goal("kafka.speed.ratios.c/b2", 2.0, is_least=True),
    "a quarter of fetching and decoding alone": Goal("kafka.speed.ratios.c/a", 0.25, is_least=True),
    "a hundred tariffs in a partition, over one": Goal("tariffs.many/one", 1.25, is_least=False),
    "reading to warning p99, seconds": Goal("kafka.latency.p99_seconds", 0.25, is_least=False),
    "payment to restore p99, seconds": Goal("kafka.restore.calm.p99_seconds", 1.0, is_least=False),
    "payment to restore p99 in a storm of trips, seconds": Goal(
        "kafka.restore.storm.p99_seconds", 1.0, is_least=False
    ),
    "trips of the storm": Goal("kafka.restore.trips_seen", 10_000, is_least=True),
    "planned restart, seconds without a row of any partition": Goal(
        "kafka.pauses.restart.all_partitions_seconds", 3.0, is_least=False
    ),
    "kill -9 to rows of all partitions, seconds (session timeout + 5)": Goal(
        "kafka.pauses.failover.all_partitions_seconds", SESSION_TIMEOUT_SECONDS + 5, is_least=False
    ),
    "a million accounts back, seconds": Goal("kafka.recovery.seconds", 15.0, is_least=False),
    "worker memory per account, bytes": Goal(
        "kafka.recovery.memory_bytes_per_account", 1_500, is_least=False
    ),
    "forecasts/s of one API process": Goal("api.requests_per_second", 5_000, is_least=True),
    "API p99, milliseconds": Goal("api.paced.p99_ms", 5.0, is_least=False),
}


def judged(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Each goal that was measured, with its figure and whether it was reached."""
    found: dict[str, dict[str, Any]] = {}
    for name, goal in GOALS.items():
        figure = _at(report, goal.path)
        if isinstance(figure, (int, float)):
            is_reached = figure >= goal.limit if goal.is_least else figure <= goal.limit
            side = "at least" if goal.is_least else "at most"
            found[name] = {"figure": figure, side: goal.limit, "reached": is_reached}
    return found


def _at(report: dict[str, Any], path: str) -> Any:
    found: Any = report
    for part in path.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found
