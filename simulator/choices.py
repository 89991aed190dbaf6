"""What can a person choose of `kilowatch simulate`?

The options and the world they make; the run itself is `drive`'s.
"""

from __future__ import annotations

import argparse

from scoring.units import instant
from simulator.faults import FaultRates
from simulator.plan import Plan
from streams.command_verifier import CommandVerifier

BEAT_WALL_SECONDS = 0.2
"""A heartbeat and a tick to each partition about so often, within 5 to 15 simulated minutes."""

DESCRIPTION = """Steps a world at a multiple of real time (or flat out), writes what it says to
Kafka under simulated time, feeds what Kilowatch answers back to it, and sums up what happened."""

EXAMPLES = """examples:
  kilowatch simulate                                300 accounts, an hour in a second, until Ctrl-C
  kilowatch simulate --for 60 --json                one minute, then a JSON summary on stdout
  kilowatch simulate --accounts 20000 --speed 0 --days 2      flat out, two days
  kilowatch simulate --faults 10 --seed 8           ten times the faults, another world

The worker must take the producer's time and leave ticks to the simulator:
  KILOWATCH_TIMESTAMPS=producer KILOWATCH_TICKS=outside KILOWATCH_HOLIDAYS=none kilowatch worker
"""


def parser() -> argparse.ArgumentParser:
    """The options of `kilowatch simulate`."""
    options = argparse.ArgumentParser(
        prog="kilowatch simulate",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = options.add_argument
    add("--accounts", type=int, default=300, help="customers (default 300)")
    add("--seed", type=int, default=7, help="everything random follows from it (default 7)")
    add(
        "--speed",
        type=float,
        default=3_600.0,
        help="simulated seconds per second; 0 flat out (default 3600: an hour in a second)",
    )
    add("--for", dest="seconds", type=float, help="stop after so many seconds of real time")
    add("--days", type=float, default=0.0, help="stop after so many simulated days")
    add("--start", default="2026-07-06T00:00:00Z", help="first simulated instant")
    add(
        "--grid",
        type=int,
        default=900,
        choices=(900, 1_800, 3_600),
        help="finest step of energy in seconds (default 900)",
    )
    add(
        "--faults",
        type=float,
        default=1.0,
        help="times the usual rate of repeats, swaps, gaps, broken bytes (default 1; 0 none)",
    )
    add(
        "--opening-days",
        type=float,
        nargs=2,
        default=(0.5, 8.0),
        metavar=("LOW", "HIGH"),
        help="how many days the first payments last",
    )
    add(
        "--check",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="judge the run by the oracle (in a checkout; default: if it is at hand)",
    )
    add("--keys", metavar="KEYS.JSON",
        help="the field carries out only commands signed with one of these keys")  # fmt: skip
    add("--heat", type=int, nargs=2, default=(0, 0), metavar=("DAY", "BEFORE"),
        help="a heat wave in the north on these days, stated by a weather feed")  # fmt: skip
    add("--json", action="store_true", help="print the summary as one JSON object")
    return options


def plan_of(options: argparse.Namespace, partitions: int) -> Plan:
    """The world these options ask for."""
    faults = FaultRates().times(options.faults)
    return Plan(
        seed=options.seed,
        accounts=options.accounts,
        partitions=partitions,
        starts_at=instant(options.start),
        grid_seconds=options.grid,
        faults=faults,
        opening_days=tuple(options.opening_days),
        heat_days=tuple(options.heat),
        areas=("north", "south") if any(options.heat) else (),
        beat_seconds=min(900, max(300, int(options.speed * BEAT_WALL_SECONDS))),
    )


def verifier_of(options: argparse.Namespace) -> CommandVerifier | None:
    """What the field verifies commands with, None if it takes whatever comes."""
    return CommandVerifier.from_file(options.keys) if options.keys else None
