"""In which order are the records of one partition's several topics taken?

Kafka orders records within a topic's partition and nothing else, so the order between topics is
ours to choose: by time as far as the record timestamps tell it, and within what was fetched at once
terms and money first, time last.  It is written down here, apart from the road that makes the
outcome durable (`streams.partition`), and also cuts what is due into parts of bounded work.  It
does not look inside a record; `streams.clerk` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scoring.events import Source
from streams.blocks import Block
from streams.log import Fetched

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from streams.log import Record

ORDER = (
    Source.SETTINGS,
    Source.PAYMENTS,
    Source.OPERATOR_ACTIONS,
    Source.SWITCH_REPORTS,
    Source.DELIVERY_RECEIPTS,
    Source.READINGS,
    Source.TICKS,
)
"""In which order records are taken that no timestamp puts in order.  Terms come before what needs
them, money before the readings that use it up (doubt leaves the power on), people before the
reports and readings that may judge anew, and time last: a tick speaks about all before it."""

LEAVE_ON = (Source.SETTINGS, Source.PAYMENTS, Source.OPERATOR_ACTIONS)
"""Topics that can say "leave the power on": until all that lies in them has been entered, the feed
does not count as caught up, and nobody is tripped (domain.md 8.1)."""

MAX_LAG_MS = 300_000
"""What is so much older than a tick that lies at hand belongs to a standstill that is being made
up for: it is entered on its own, and nobody is tripped by it, for the command would have lost part
of its half hour, or all of it, before it was sent."""

MAX_OVERTAKING_MS = MAX_LAG_MS
"""By how much a payment may be newer than the readings it comes before, where these have not been
read to their end.  Whoever is in the dark and has paid does not wait until a worker that is behind
has scored the readings of a city; in a year that is made up for, money still keeps step."""

RANK = {source: rank for rank, source in enumerate(ORDER)}

MAX_WEIGHT_PER_PART = 8_192
"""How much goes into one entry, counted in readings: below it the fixed cost of columns shows,
above it an entry holds up the event loop, and with it acknowledgements, for over 0.1 s."""

WEIGHT = dict.fromkeys(Source, 8) | {Source.READINGS: 1}
"""One event of another topic costs about as much as eight readings in columns."""


MAX_CUTS = 8
"""Changes of terms in one fetch that are put in exact order with its readings; beyond it whole
cities change at once, and cutting would undo the columns."""

Records = dict[Source, Sequence["Record"]]
_timestamp = attrgetter("timestamp")


class Part(NamedTuple):
    """A piece of what is due that is entered at once."""

    fetched: Fetched
    payments_caught_up: bool


@dataclass(slots=True)
class Desk:
    """What has been fetched for one partition and may not be taken yet.

    A record is due when every other topic is either read up or has shown a record stamped later.
    Live, everything is read up and nothing ever waits.  After an outage, or when a year is
    replayed, terms, payments and time keep step with the readings: no reading meets an account
    before its terms, and nobody is judged late for what waits in the log.
    """

    position: dict[Source, int] = field(default_factory=dict)
    highwater: dict[Source, int] = field(default_factory=dict)
    readable: dict[Source, int] = field(default_factory=dict)
    newest_ms: dict[Source, int] = field(default_factory=dict)
    held: Records = field(default_factory=dict)
    _next_offset: dict[Source, int] = field(default_factory=dict)

    def put(self, fetched: Fetched) -> None:
        """Lay down what a fetch brought, and where it says the topics end."""
        self.position.update(fetched.position)
        self.highwater.update(fetched.highwater)
        self.readable.update(fetched.highwater | fetched.readable)
        for source, some in fetched.records.items():
            # what is read twice after a seek back is taken once
            least, records = self._next_offset.get(source, 0), some
            if records and records[0].offset < least:
                records = [record for record in records if record.offset >= least]
            if records:
                # of all of them: stamps need not ascend, and a topic must never wait for itself
                newest = _newest_ms(records)
                self.newest_ms[source] = max(self.newest_ms.get(source, newest), newest)
                self._next_offset[source] = records[-1].offset + 1
                held = self.held.get(source)
                self.held[source] = [*held, *records] if held else records

    def is_at_end(self, source: Source) -> bool:
        """Whether the topic has been fetched to the end that the broker last told."""
        return source in self.highwater and self.position.get(source, -1) >= self.highwater[source]

    def is_read_up(self, source: Source) -> bool:
        """Whether all that may be read of the topic has been fetched.

        What a producer has not committed yet is not said yet: nothing waits for it, or a producer
        that dies in a transaction would bring the partition to a standstill.  It is no ground for a
        trip either: `is_at_end` is false until then.
        """
        return source in self.readable and self.position.get(source, -1) >= self.readable[source]

    @property
    def is_caught_up(self) -> bool:
        """Whether nothing that may say "leave the power on" lies unread or untaken."""
        is_taken = not any(self.held.get(source) for source in LEAVE_ON)
        return is_taken and all(self.is_at_end(source) for source in (*LEAVE_ON, Source.TICKS))

    @property
    def it_is_ms(self) -> int:
        """What time it is by the ticks on the desk, in milliseconds; -1 if there are none."""
        return max(map(_timestamp, self.held.get(Source.TICKS, ())), default=-1)

    def take_due(self) -> Iterator[Records]:
        """The records that are due, in offset order per topic, taken off the desk.

        One slab after the other, cut where terms change after readings that are due as well: the
        last readings of an exchanged meter belong before its exchange.  What is made up for after a
        standstill is cut off from what is of now.
        """
        of_now_ms = self.it_is_ms - MAX_LAG_MS
        behind = [source for source in ORDER if not self.is_read_up(source)]
        bound = min(((self.newest_ms.get(s, -1), RANK[s]) for s in behind), default=None)
        due, self.held = _cut(self.held, *bound) if bound else (self.held, {})
        if Source.READINGS in behind and Source.PAYMENTS in self.held:
            self._let_money_pass(due, behind)
        cuts = _changes_after_readings(due)
        if any(records[0].timestamp < of_now_ms for records in due.values()):
            cuts = sorted({*cuts, of_now_ms})
        for cut_ms in cuts:
            slab, due = _cut(due, cut_ms, -1)
            yield slab
        yield due

    def _let_money_pass(self, due: Records, behind: Sequence[Source]) -> None:
        """Payments a little newer than the readings they wait for are due too.

        Not those that wait for other topics as well, nor those stamped after terms that wait.
        """
        grace_ms = {Source.READINGS: MAX_OVERTAKING_MS}
        bounds = [(self.newest_ms.get(s, -1) + grace_ms.get(s, 0), RANK[s]) for s in behind]
        bounds += [(each.timestamp, -1) for each in self.held.get(Source.SETTINGS, ())]
        money = {Source.PAYMENTS: self.held.pop(Source.PAYMENTS)}
        passing, left = _cut(money, *min(bounds))
        self.held |= left
        if passing:
            due[Source.PAYMENTS] = [*due.get(Source.PAYMENTS, ()), *passing[Source.PAYMENTS]]


def _cut(held: Records, bound_ms: int, bound_rank: int) -> tuple[Records, Records]:
    """What comes up to (bound_ms, bound_rank), and the rest; stamps need not ascend."""
    before, after = {}, {}
    for source, records in held.items():
        last_ms = bound_ms if RANK[source] <= bound_rank else bound_ms - 1
        count = _count_until(last_ms, records)
        if count:
            before[source] = records[:count]
        if count < len(records):
            after[source] = records[count:]
    return before, after


def _count_until(last_ms: int, records: Sequence[Record]) -> int:
    """How many come before the first that is stamped later."""
    if isinstance(records, Block):
        is_late = records.timestamp > last_ms
        return int(np.argmax(is_late)) if is_late.any() else len(records)
    late = (place for place, each in enumerate(records) if each.timestamp > last_ms)
    return next(late, len(records))


def _newest_ms(records: Sequence[Record]) -> int:
    """The latest stamp of these."""
    if isinstance(records, Block):
        return int(records.timestamp.max())
    newest: int = max(map(_timestamp, records))
    return newest


def _changes_after_readings(due: Records) -> list[int]:
    """When, in milliseconds, terms change that readings due at the same time come before."""
    readings = due.get(Source.READINGS)
    if not readings or Source.SETTINGS not in due:
        return []
    changes = {each.timestamp for each in due[Source.SETTINGS]}
    return sorted(each for each in changes if each > readings[0].timestamp)[:MAX_CUTS]


def parts(desk: Desk) -> Iterator[Part]:
    """What is due, in parts of bounded work, topics in `ORDER`.

    Payments count as caught up only from the part that holds the last record of `LEAVE_ON`, and
    only near the newest tick.
    """
    of_now_ms = desk.it_is_ms - MAX_LAG_MS
    slabs = list(desk.take_due())
    left = sum(_reasons_to_leave_on(records) for records in (desk.held, *slabs))
    all_fetched = all(desk.is_at_end(source) for source in (*LEAVE_ON, Source.TICKS))
    for slab in slabs:
        for fetched in _parts_of(slab):
            left -= _reasons_to_leave_on(fetched.records)
            newest_ms = max(records[-1].timestamp for records in fetched.records.values())
            caught_up = all_fetched and left == 0 and newest_ms >= of_now_ms
            yield Part(fetched, caught_up)


def _reasons_to_leave_on(records: Mapping[Source, Sequence[Record]]) -> int:
    return sum(len(records.get(source, ())) for source in LEAVE_ON)


def _parts_of(due: Records) -> Iterator[Fetched]:
    part, room = Fetched(), MAX_WEIGHT_PER_PART
    for source in ORDER:
        for piece in _pieces(due.get(source, ()), MAX_WEIGHT_PER_PART // WEIGHT[source]):
            weight = len(piece) * WEIGHT[source]
            if weight > room or source in part.records:
                yield part
                part, room = Fetched(), MAX_WEIGHT_PER_PART
            part.records[source] = piece
            room -= weight
    if part.records:
        yield part


def _pieces(records: Sequence[Record], most: int) -> Iterator[Sequence[Record]]:
    for first in range(0, len(records), most):
        yield records[first : first + most]
