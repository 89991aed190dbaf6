"""Does a simulated utility drive a worker flat out, and is what came of it judged right?"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from deploy.local import Site
from simulator.pace import Pace
from simulator.world import Plan, World

if TYPE_CHECKING:
    from pathlib import Path

HOUR = 3_600


class Standing:
    """What `Pace` asks of a drive: how far its world is, and how far the worker is behind."""

    def __init__(self) -> None:
        self.world = World(Plan(accounts=1))
        self.behind = 0.0

    def behind_seconds(self) -> float:
        return self.behind


def test_flat_out_takes_an_hour_at_a_time_whatever_the_clock_says() -> None:
    drive = Standing()
    for wall in (0.0, 0.001, 1_000.0):
        assert Pace(0.0).next_instant(drive, wall) == drive.world.now + HOUR  # type: ignore[arg-type]


def test_the_world_stands_still_while_the_worker_is_behind_and_does_not_jump_afterwards() -> None:
    drive, pace = Standing(), Pace(600.0)
    starts_at = drive.world.plan.starts_at
    assert not pace.waits(drive, 1.0)  # type: ignore[arg-type]
    drive.behind = 1e6
    assert pace.waits(drive, 2.0)  # type: ignore[arg-type]
    drive.behind = 0.0
    assert pace.waits(drive, 2.1), "asked again only now and then"  # type: ignore[arg-type]
    assert not pace.waits(drive, 12.0)  # type: ignore[arg-type]
    assert pace.next_instant(drive, 14.0) == starts_at + 4 * 600  # type: ignore[arg-type]


@pytest.mark.broker
@pytest.mark.parametrize("speed", ["0", "7200"])
def test_a_day_of_a_small_utility_goes_right(tmp_path: Path, speed: str) -> None:
    with Site(tmp_path, "", 2) as site:
        site.start_broker()
        site.start_worker()
        wanted = ("--accounts", "40", "--speed", speed, "--days", "1", "--json", "--check")
        done = subprocess.run(
            [sys.executable, "-m", "deploy.cli", "simulate", *wanted],
            capture_output=True, text=True, timeout=300, check=False, env=site.environment,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads(done.stdout)
    assert summary["simulatedDays"] == 1.0
    assert summary["readings"] > 40
    assert summary["warnings"] > 0
    assert summary["oracle"]["wrongBalances"] == summary["oracle"]["wrongfulTrips"] == 0
    assert not any(summary["oracle"].values())
