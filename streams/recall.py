"""Which row of an account is the rightful one, and what of its effects was perhaps never told?

After a crash or a move a partition's book is what its log says, except where a worker that had
already lost the partition wrote late.  Every worker writes a claim before its rows, and the claim's
offset in each row, so the rightful row is the one of the latest claim, and among these the one that
came furthest.  It stands apart from the clerk because it is the one place where the past is read;
how rows look as bytes is told in `streams.rows`.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scoring.effects import Reason, RefusedReading
from streams.rightful import Taken, adopt_learned_rows, adopt_ledger_rows
from streams.rows import KeptEffect, decode_learned_rows, decode_ledger_rows
from streams.topics import REFUSALS
from streams.wire import Encoded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scoring.book import Book
    from scoring.events import Source
    from streams.log import Message, Record

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Owed:
    """Refusals that a durable row hides, but that were perhaps never told.

    A row at offset 9 makes the reading at 7 a repeat, so a refusal of 7 that a crash cut off would
    never be told again.  The row therefore carries (offset, item, reason, month) of such refusals;
    the record itself comes again from the input, since its offset was not committed, and is refused
    then.
    """

    by_row: dict[int, list[KeptEffect]] = field(default_factory=dict)

    @staticmethod
    def kept(source: Source, refused: RefusedReading) -> KeptEffect:
        """A refusal as it stands inside a row."""
        value = f"{refused.reason.value} {refused.item} {refused.month}".encode()
        return KeptEffect(Encoded(REFUSALS, None, value), source, refused.source_offset)

    def due(self, source: Source, records: Sequence[Record]) -> list[RefusedReading]:
        """Those of these records that were refused before the crash."""
        if not self.by_row:
            return []
        first, last = records[0].offset, records[-1].offset
        found = []
        for row, refusals in self.by_row.items():
            for each in refusals:
                if each.source is source and first <= each.offset <= last:
                    reason, item, month = each.effect.value.decode().split()
                    found.append(
                        RefusedReading(each.offset, row, Reason(reason), int(item), int(month))
                    )
        return found

    def keep_owing(self, rows: set[int], kept: dict[int, list[KeptEffect]]) -> None:
        """A row that is written again still carries what is not told yet."""
        for row in self.by_row.keys() & rows:
            kept.setdefault(row, []).extend(self.by_row[row])

    def of(self, rows: list[int]) -> dict[int, list[KeptEffect]]:
        """What these rows still carry."""
        return {row: self.by_row[row] for row in rows if row in self.by_row}

    def forget(self, next_offset: Mapping[Source, int]) -> None:
        """The entry that is being written tells everything before these offsets."""
        for row in list(self.by_row):
            left = [k for k in self.by_row[row] if k.offset >= next_offset.get(k.source, 0)]
            if left:
                self.by_row[row] = left
            else:
                del self.by_row[row]


class Recall:
    """One reading of a partition's log into its book.

    `known_epoch` is the epoch of the rows the book already holds (-1: none), when a worker gets a
    partition back and reads only what was written meanwhile.
    """

    def __init__(self, book: Book, known_epoch: int) -> None:
        self._book = book
        self._taken = Taken(book, known_epoch)
        self._carried: dict[int, list[KeptEffect]] = {}
        self._overtaken: set[int] = set()
        self.interlock: tuple[int, bytes] | None = None
        """Epoch and state of the partition's interlock, as last written by its rightful owner."""

    def ledger(self, records: Sequence[Record]) -> None:
        """Take up a chunk of ledger rows, in log order."""
        decoded = decode_ledger_rows(records)
        for offset, why in decoded.unreadable:
            log.error("ledger-rows: the record at %d is passed over: %s", offset, why)
        for epoch, state in decoded.interlocks:
            if self.interlock is None or epoch >= self.interlock[0]:
                self.interlock = epoch, state
        if not len(decoded.rows):
            return
        adopted = adopt_ledger_rows(self._book, self._taken, decoded)
        # Compaction would keep the newest record, so a rightful row before it is written again.
        overtaken, in_order = adopted.overtaken()
        if self._overtaken:
            self._overtaken.difference_update(in_order)
        self._overtaken.update(overtaken)
        if self._carried or decoded.effects:
            for place, row in zip(adopted.places.tolist(), adopted.changed.tolist(), strict=True):
                self._carried.pop(row, None)
                if place in decoded.effects:
                    self._carried[row] = decoded.effects[place]

    def learned(self, records: Sequence[Record]) -> None:
        """Take up a chunk of learned rows."""
        decoded = decode_learned_rows(records)
        for offset, why in decoded.unreadable:
            log.warning("learned-rows: the record at %d is passed over: %s", offset, why)
        adopt_learned_rows(self._book, decoded)

    def owed(self, committed: Mapping[Source, int], told: dict[str, list[Message]]) -> Owed:
        """Put into `told` every effect beyond the committed offsets; the refusals still owed."""
        owed = Owed()
        for row, carried in self._carried.items():
            for each in carried:
                if each.offset < committed.get(each.source, 0):
                    continue
                if each.effect.topic == REFUSALS:
                    owed.by_row.setdefault(row, []).append(each)
                else:
                    told.setdefault(each.effect.topic, []).append(
                        (each.effect.key, each.effect.value)
                    )
        return owed

    def rows_to_heal(self) -> list[int]:
        """The rows to write again because a late writer's record stands after them."""
        return sorted(self._overtaken)
