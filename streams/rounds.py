"""Which parts of what a fetch brought to several partitions are entered at once?

A worker has many partitions, and columns cost some milliseconds however little is in them.  So a
round takes the next part of each partition, as many as are bounded work together, and has their
readings scored as one block; from there on each entry goes its own partition's road.  With much at
hand a round is one part of one partition, live it is a little of all.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING

from streams.log import PartitionLost
from streams.order import MAX_WEIGHT_PER_PART, WEIGHT
from streams.together import enter_together

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from streams.log import Fetched
    from streams.order import Part
    from streams.partition import Partition


SLICES_AT_ONCE = 2
"""Slices of ticks judged between two fetches, of the partitions that have waited longest: a slice
in which all are told something takes 30 ms, and for so long a payment waits."""


@dataclass(slots=True, eq=False)
class _Line:
    """The parts of one partition, one behind the other; `part` is the next, None at the end."""

    partition: Partition
    parts: Iterator[Part]
    part: Part | None = None

    def move_up(self) -> None:
        self.part = next(self.parts, None)


async def _at_once() -> None:
    """No pause."""


async def take_together(
    taken: Sequence[tuple[Partition, Fetched]],
    pause: Callable[[], Awaitable[None]] = _at_once,
) -> None:
    """Enter what a fetch brought to these partitions; returns when the next may come.

    `pause` is held after each round.  A partition that is released meanwhile drops out: its records
    come again, to whoever owns them then.  Raises what stopped a road, if one has stopped; if it is
    that a partition is lost, the others have entered theirs first.
    """
    unfinished = [partition for partition, _ in taken if partition.is_unfinished]
    unfinished.sort(key=attrgetter("waited"), reverse=True)
    lines = [_Line(partition, partition.put(fetched)) for partition, fetched in taken]
    for line in lines:
        line.move_up()
    lost: list[PartitionLost] = []
    while any(line.part for line in lines):
        together = await _next_round(lines, lost)
        if not together:
            continue
        with together[0].partition.entering():
            entries = enter_together(
                [(line.partition.clerk, line.part) for line in together if line.part]
            )
        for line, entry in zip(together, entries, strict=True):
            line.partition.enter(entry)
            line.move_up()
        # whom this round had no room for comes first in the next
        lines = [line for line in lines if line not in together] + together
        await pause()
    for place, partition in enumerate(unfinished):
        partition.waited += 1
        if place < SLICES_AT_ONCE and partition.is_unfinished and await partition.has_room():
            partition.enter_more()
            await pause()
    if lost:
        raise lost[0]


async def _next_round(lines: Sequence[_Line], lost: list[PartitionLost]) -> list[_Line]:
    """Whose next parts are entered at once; lines of partitions that have gone are ended."""
    chosen: list[_Line] = []
    room = MAX_WEIGHT_PER_PART
    for line in lines:
        if line.part is None:
            continue
        records = line.part.fetched.records
        weight = sum(WEIGHT[source] * len(some) for source, some in records.items())
        if chosen and weight > room:
            continue
        try:
            is_mine = await line.partition.has_room()
        except PartitionLost as error:
            lost.append(error)
            is_mine = False
        if is_mine:
            chosen.append(line)
            room -= weight
        else:
            line.part = None
    # while one waited for room, another may have been released
    for line in chosen:
        if not line.partition.ready:
            line.part = None
    return [line for line in chosen if line.part is not None]
