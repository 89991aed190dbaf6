"""In which order are the records of one partition's several topics taken?

Kafka orders records within a topic's partition and nothing else, so the order between topics is
ours to choose and is written down here, apart from the road that makes the outcome durable
(`streams.partition`).  It cuts a fetch into parts of bounded work and holds ticks back until all
they speak about has been seen.  It does not look inside a record; `streams.clerk` does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from scoring.events import Source
from streams.log import Fetched

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from streams.log import Record

ORDER = (
    Source.SETTINGS,
    Source.PAYMENTS,
    Source.SWITCH_REPORTS,
    Source.OPERATOR_ACTIONS,
    Source.DELIVERY_RECEIPTS,
    Source.READINGS,
    Source.TICKS,
)
"""In which order the topics of one fetch are taken.  Terms come before what needs them, money
before the readings that use it up (doubt leaves the power on), reports and people before the
readings that may judge anew, and time last: a tick speaks about everything before it."""

MAX_WEIGHT_PER_PART = 8_192
"""How much goes into one entry, counted in readings: below it the fixed cost of columns shows,
above it an entry holds up the event loop, and with it acknowledgements, for over 0.1 s."""

WEIGHT = dict.fromkeys(Source, 16) | {Source.READINGS: 1}
"""One scalar event costs about as much as 16 readings in columns."""


class Part(NamedTuple):
    """A piece of a fetch that is entered at once."""

    fetched: Fetched
    payments_caught_up: bool


@dataclass(slots=True)
class Seen:
    """How far each topic of the partition has been seen, as of the newest fetch."""

    position: dict[Source, int]
    highwater: dict[Source, int]
    newest_ms: dict[Source, int]
    ticks: list[Record]

    @classmethod
    def nothing(cls) -> Seen:
        """Before the first fetch."""
        return cls({}, {}, {}, [])

    def note(self, fetched: Fetched) -> None:
        """Take down what a fetch says about the topics' ends, and keep its ticks back."""
        self.position.update(fetched.position)
        self.highwater.update(fetched.highwater)
        for source, records in fetched.records.items():
            if records:
                newest = max(self.newest_ms.get(source, 0), records[-1].timestamp)
                self.newest_ms[source] = newest
        self.ticks.extend(fetched.records.get(Source.TICKS, ()))

    def is_caught_up(self, source: Source) -> bool:
        """Whether the topic has been read to the end that the broker last told."""
        return source in self.highwater and self.position.get(source, -1) >= self.highwater[source]

    def due_ticks(self) -> list[Record]:
        """The ticks whose time has come, taken out of those held back.

        A tick is due when every other topic is either read to its end or has shown a record
        stamped later than the tick.  So after an outage, time passes for an account only as fast as
        its readings and payments are read, and nobody is judged late for what waits in the log.
        """
        behind = [s for s in ORDER if s is not Source.TICKS and not self.is_caught_up(s)]
        due_ms = min((self.newest_ms.get(source, -1) for source in behind), default=None)
        count = 0
        while count < len(self.ticks) and (due_ms is None or self.ticks[count].timestamp < due_ms):
            count += 1
        due, self.ticks = self.ticks[:count], self.ticks[count:]
        return due


def parts(fetched: Fetched, seen: Seen) -> Iterator[Part]:
    """The fetch in parts of bounded work, topics in `ORDER`, ticks only where due.

    Payments count as caught up only from the part that holds the last of them.
    """
    records = {source: fetched.records.get(source, ()) for source in ORDER}
    records[Source.TICKS] = seen.due_ticks()
    payments_left = len(records[Source.PAYMENTS])
    part, room = Fetched(), MAX_WEIGHT_PER_PART
    for source in ORDER:
        for piece in _pieces(records[source], MAX_WEIGHT_PER_PART // WEIGHT[source]):
            weight = len(piece) * WEIGHT[source]
            if weight > room or source in part.records:
                yield Part(part, payments_left == 0 and seen.is_caught_up(Source.PAYMENTS))
                part, room = Fetched(), MAX_WEIGHT_PER_PART
            part.records[source] = piece
            room -= weight
            if source is Source.PAYMENTS:
                payments_left -= len(piece)
    if part.records:
        yield Part(part, payments_left == 0 and seen.is_caught_up(Source.PAYMENTS))


def _pieces(records: Sequence[Record], most: int) -> Iterator[Sequence[Record]]:
    for first in range(0, len(records), most):
        yield records[first : first + most]
