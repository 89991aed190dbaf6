"""How are the parts of several partitions entered as one block?

Columns cost some 4 ms however few accounts are in them, and a worker has many partitions: so what a
round brought to all of them is scored topic by topic, all partitions at once.  Their accounts know
nothing of each other, and what is written is what each would have written alone.  Which parts make
a round is told in `streams.rounds`; what a partition's clerk hears and writes in `streams.clerk`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scoring.events import Source
from streams import quarantine, wire
from streams.order import ORDER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.clerk import Clerk
    from streams.draft import Begun
    from streams.entry import Entry
    from streams.order import Part

BEFORE_READINGS = ORDER[: ORDER.index(Source.READINGS)]


def enter_together(parts: Sequence[tuple[Clerk, Part]]) -> list[Entry]:
    """Enter a part of each of several partitions (at least one), topics in `ORDER`."""
    begun = [(clerk, clerk.begin(part)) for clerk, part in parts]
    for source in BEFORE_READINGS:
        _hear(source, begun)
    _read(begun)
    return [clerk.finish(each) for clerk, each in begun]


def _hear(source: Source, begun: Sequence[tuple[Clerk, Begun]]) -> None:
    """Enter what one topic told about accounts."""
    heard = []
    for clerk, each in begun:
        records = each.fetched.records.get(source)
        if records:
            found = clerk.hear(source, records, each.draft)
            heard.append((clerk, each, found, clerk.share()))
    told = [(share, found.events) for _, _, found, share in heard if found.events]
    if told:
        quarantine.score_events(told)
    for clerk, each, found, share in heard:
        clerk.note(source, found, share.scored, each.draft)


def _read(begun: Sequence[tuple[Clerk, Begun]]) -> None:
    """Decode and score the readings."""
    reading = [
        (clerk, each, records)
        for clerk, each in begun
        if (records := each.fetched.records.get(Source.READINGS))
    ]
    if not reading:
        return
    partitions = reading[0][0].terms.partitions
    decoded = wire.decode_together([(some, clerk.book) for clerk, _, some in reading], partitions)
    shares = [clerk.share() for clerk, _, _ in reading]
    told = [(share, found.readings) for share, found in zip(shares, decoded, strict=True)]
    quarantine.score_readings(told)
    for (clerk, each, some), found, share in zip(reading, decoded, shares, strict=True):
        clerk.note_readings(some, found, share.scored, each.draft)
