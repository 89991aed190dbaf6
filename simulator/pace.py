"""How fast does simulated time go by?

At a multiple of real time, or as fast as all can, and never faster than the worker follows: a
command that reached the field after its expiry because of a slow machine would prove nothing.  What
happens in a step is `drive`'s and `world`'s.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as ProgressBar

from scoring.units import instant_text
from streams import topics

if TYPE_CHECKING:
    import argparse

    from rich.console import Console

    from simulator.drive import Drive

MAX_BEHIND_SECONDS = 4.0
"""The world waits when the worker has not committed what was sent so long ago: else, on a slow
machine, commands would be older than their expiry when the field gets them."""

LOOK_SECONDS = 0.5


def run(drive: Drive, options: argparse.Namespace, console: Console) -> float:
    """Drive until the time given is over or Ctrl-C; the wall seconds it took."""
    plan, started = drive.world.plan, time.monotonic()
    ends_at = plan.starts_at + int(options.days * 86_400) if options.days else 2**62
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    pace = Pace(options.speed)
    with ProgressBar(*columns, console=console, transient=True) as progress:
        task = progress.add_task("simulating", total=options.seconds)
        try:
            while drive.world.now < ends_at:
                wall = time.monotonic() - started
                if options.seconds and wall >= options.seconds:
                    break
                if pace.waits(drive, wall):
                    drive.hear(0.05)
                    continue
                until = min(ends_at, pace.next_instant(drive, wall))
                if until <= drive.world.now:
                    drive.hear(0.02)
                    continue
                drive.step(until)
                progress.update(task, completed=wall, description=_line(drive))
        except KeyboardInterrupt:
            console.print("stopped")
    return time.monotonic() - started


@dataclass(slots=True)
class Pace:
    """How fast simulated time goes: `speed` seconds in a second, 0 as fast as all can.

    It stands still while the worker is behind.
    """

    speed: float
    stood_seconds: float = 0.0
    _looked: float = 0.0
    _stopped_at: float | None = None

    def waits(self, drive: Drive, wall: float) -> bool:
        """Whether the worker must catch up first; asks Kafka now and then."""
        if wall - self._looked > LOOK_SECONDS:
            self._looked = wall
            is_behind = drive.behind_seconds() > MAX_BEHIND_SECONDS
            if is_behind and self._stopped_at is None:
                self._stopped_at = wall
            elif not is_behind and self._stopped_at is not None:
                self.stood_seconds += wall - self._stopped_at
                self._stopped_at = None
        return self._stopped_at is not None

    def next_instant(self, drive: Drive, wall: float) -> int:
        """Up to which instant the world should be by now; flat out it takes an hour at a time."""
        world = drive.world
        if not self.speed:
            return world.now + 3_600
        wanted = world.plan.starts_at + int((wall - self.stood_seconds) * self.speed)
        return min(wanted - wanted % 60, world.now + 6 * 3_600)


def _line(drive: Drive) -> str:
    effects = drive.tally.effects
    return (
        f"{instant_text(drive.world.now)}  {drive.sent[topics.READINGS]:,} readings  "
        f"{effects[topics.LOW_BALANCE_WARNINGS]} warnings  {effects[topics.TRIP_COMMANDS]} trips  "
        f"{effects[topics.RESTORE_COMMANDS]} restores  {sum(drive.tally.refusals.values())} refused"
    )
