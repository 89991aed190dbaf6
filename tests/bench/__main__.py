"""`make bench`: every line on both brokers, one JSON object on stdout, progress on stderr.

python -m tests.bench                       all, about fifteen minutes
python -m tests.bench --quick               a tenth of everything, to see that it runs
python -m tests.bench --only kafka --lines speed,latency
"""

from __future__ import annotations

import argparse
import asyncio
import compileall
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.broker import EmbeddedBroker
from deploy.local import Site, metric
from streams import topics
from tests.bench import goals, load, pauses, restores, tariffs, worker_lines
from tests.brokers.kafka_node import KafkaNode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PARTITIONS = 8
LINES = ("speed", "latency", "restore", "pauses", "recovery", "tariffs", "api")
PEER_SECONDS = 20.0
"""The peers (b, b2) would need minutes for the whole backlog; they get so long of it."""

PEER_TIMEOUT_SECONDS = 180.0
LATENCY_SECONDS = 20.0
LATENCY_RATE = 20_000
LATENCY_WARM_UP_SECONDS = 20.0
"""The same load before it counts: a fresh broker translates its own code for so long, which takes
one of two cores from everybody (`warm_up_p99_seconds` tells what that does)."""
OUR_PACKAGES = ("scoring", "streams", "api", "deploy", "simulator")
QUIX_CHANGELOG = f"changelog__bench-b2--{topics.READINGS}--default"


def tell(text: str) -> None:
    """Progress for a person."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


@contextmanager
def broker(kind: str) -> Iterator[str]:
    """A fresh broker; its address."""
    with tempfile.TemporaryDirectory(prefix="kilowatch-bench-") as name:
        node = KafkaNode(Path(name) / "kafka") if kind == "kafka" else EmbeddedBroker(Path(name))
        with node:
            yield node.bootstrap


@contextmanager
def site(kind: str, more: Mapping[str, str] | None = None) -> Iterator[Site]:
    """A broker with all topics, and nothing else yet."""
    with (
        broker(kind) as bootstrap,
        tempfile.TemporaryDirectory() as name,
        Site(Path(name), bootstrap, PARTITIONS, more) as found,
    ):
        found.start_broker()
        yield found


def peer(module: str, *arguments: object) -> dict[str, Any]:
    """Run one of the measured programs; the figures it prints, or why there are none."""
    command = [sys.executable, "-W", "ignore", "-m", f"tests.bench.{module}", *map(str, arguments)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=PEER_TIMEOUT_SECONDS, check=False
    )
    for line in done.stdout.splitlines():
        if line.startswith('{"readings"'):
            figures: dict[str, Any] = json.loads(line)
            return figures
    return {"failed": (done.stderr or done.stdout).strip().splitlines()[-3:]}


def speed(kind: str, accounts: int, rounds: int) -> dict[str, Any]:
    """Lines (a), (b), (b2) and (c) over one backlog on one broker, and their ratios."""
    names = load.by_partition(accounts, PARTITIONS)
    readings = accounts * rounds
    with site(kind) as here:
        tell(f"{kind}: writing {accounts:,} accounts and {readings:,} readings")
        opening = load.Opening(
            load.STARTS_AT, load.STARTS_AT, by_phase=True, lived_days=load.LIVED_DAYS
        )
        asyncio.run(opening.write(here.bootstrap, names))
        for number, some in enumerate(names):
            lines = load.readings(some, range(1, rounds + 1))
            asyncio.run(load.write(here.bootstrap, topics.READINGS, number, lines))
        asyncio.run(load.create_topic(here.bootstrap, QUIX_CHANGELOG, PARTITIONS, compacted=True))
        enough, where = readings // 2, (here.bootstrap, topics.READINGS)
        lines_found: dict[str, Any] = {}
        tell(f"{kind}: (a) fetch and decode only")
        lines_found["a"] = peer("fetch_only", *where, enough, PEER_SECONDS)
        tell(f"{kind}: (b) Faust agent, Table, River model per account")
        lines_found["b"] = peer("faust_agent", *where, enough, PEER_SECONDS, PARTITIONS)
        tell(f"{kind}: (b2) Quix Streams, running sum")
        lines_found["b2"] = peer("quix_sum", *where, enough, PEER_SECONDS)
        tell(f"{kind}: (c) the Kilowatch worker")
        lines_found["c"] = worker_lines.speed(here, readings)
    return {"lines": lines_found, "ratios": ratios(lines_found)}


def ratios(lines: dict[str, Any]) -> dict[str, float | None]:
    """How (c) compares, per processor second: what one core does."""
    what = "readings_per_cpu_second"
    mine = lines["c"][what]
    return {
        f"c/{name}": round(mine / lines[name][what], 2) if what in lines[name] else None
        for name in ("a", "b", "b2")
    }


def latency(kind: str) -> dict[str, Any]:
    """Reading to warning at a steady 20,000 readings a second, each of another account."""
    whole = LATENCY_WARM_UP_SECONDS + LATENCY_SECONDS
    names = load.by_partition(round(LATENCY_RATE * whole), PARTITIONS)
    begins_at = load.BEGINS_AT
    opening = load.Opening(begins_at - 86_400, begins_at - 7_200, worker_lines.LATENCY_WARNING)
    with site(kind) as here:
        asyncio.run(opening.write(here.bootstrap, names))
        worker = here.start_worker()
        # the line is about a worker at work: what taking partitions up costs is `recovery`'s
        worker.wait_until(
            lambda: metric(here.worker_metrics(-1), "recovery_seconds_count") == PARTITIONS, 60.0
        )
        tell(f"{kind}: latency: {LATENCY_RATE:,} readings/s for {LATENCY_SECONDS:g} s")
        terms = (LATENCY_RATE, LATENCY_SECONDS, LATENCY_WARM_UP_SECONDS)
        found: dict[str, Any] = asyncio.run(worker_lines.latency(here.bootstrap, names, *terms))
        worker.stop(seconds=30.0)
    return found


def restore(kind: str, share: int) -> dict[str, Any]:
    """Payment to restore at a steady 20,000 readings a second, and while 10,000 trips are sent."""
    rate, trips = LATENCY_RATE // share, restores.STORM_TRIPS // share
    scene = restores.Scene.of(rate, trips, PARTITIONS)
    with site(kind, restores.WITHOUT_LIMITS) as here:
        asyncio.run(scene.open(here.bootstrap))
        worker = here.start_worker()
        worker.wait_until(
            lambda: metric(here.worker_metrics(-1), "recovery_seconds_count") == PARTITIONS, 60.0
        )
        tell(f"{kind}: restores among {rate:,} readings/s and {trips:,} trips")
        found: dict[str, Any] = asyncio.run(restores.measure(here.bootstrap, scene))
        worker.stop(seconds=30.0)
    return found


def paused(kind: str, accounts: int) -> dict[str, Any]:
    """How long nothing happens when a worker is restarted, and when one of two dies."""
    names = load.by_partition(accounts, PARTITIONS)
    with site(kind, {"KILOWATCH_INSTANCE_ID": "worker-1"}) as here:
        tell(f"{kind}: planned restart of a worker with {accounts:,} accounts")
        restarted = pauses.restart(here, names)
    with site(kind) as here:
        tell(f"{kind}: kill -9 of one of two workers with {accounts:,} accounts")
        return {"restart": restarted, "failover": pauses.failover(here, names)}


def recovery(kind: str, accounts: int) -> dict[str, Any]:
    """A worker that died comes back with so many accounts."""
    with site(kind) as here:
        tell(f"{kind}: recovery of {accounts:,} accounts")
        return worker_lines.recovery(here, accounts, PARTITIONS)


def api(accounts: int) -> dict[str, Any]:
    """Forecasts a second of one API process."""
    from tests.bench_api import measure

    tell(f"API over {accounts:,} accounts")
    return measure(accounts)


def main() -> int:
    """Measure what was asked for; 0 if no goal was missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("--only", choices=("kafka", "embedded"), help="one broker instead of both")
    parser.add_argument("--lines", default=",".join(LINES), help=f"of {', '.join(LINES)}")
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    parser.add_argument("--accounts", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=20, help="readings of each account")
    options = parser.parse_args()
    share = 10 if options.quick else 1
    accounts = options.accounts // share
    lines = options.lines.split(",")
    for name in OUR_PACKAGES:  # as `make install` does: no start of a process compiles it again
        compileall.compile_dir(name, quiet=1)
    report: dict[str, Any] = {
        "machine": {"cores": os.cpu_count(), "python": platform.python_version()},
        "quick": options.quick,
    }
    for kind in [options.only] if options.only else ["kafka", "embedded"]:
        report[kind] = {}
        if "speed" in lines:
            report[kind]["speed"] = speed(kind, accounts, options.rounds)
        if "latency" in lines:
            report[kind]["latency"] = latency(kind)
        if "restore" in lines:
            report[kind]["restore"] = restore(kind, share)
        if "pauses" in lines:
            report[kind]["pauses"] = paused(kind, accounts)
        if "recovery" in lines:
            report[kind]["recovery"] = recovery(kind, 1_000_000 // share)
    if "tariffs" in lines:
        tell(f"{tariffs.MANY} tariffs in one partition")
        report["tariffs"] = tariffs.measure(accounts // 4, options.rounds)
    if "api" in lines:
        report["api"] = api(1_000_000 // share)
    report["load_average"] = os.getloadavg()
    report["goals"] = goals.judged(report)
    print(json.dumps(report, indent=2))
    for name, goal in report["goals"].items():
        tell(f"{'reached' if goal['reached'] else 'MISSED '}  {name}: {goal}")
    return 0 if all(goal["reached"] for goal in report["goals"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
