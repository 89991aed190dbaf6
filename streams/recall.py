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

import numpy as np

from scoring.effects import Reason, RefusedReading
from streams.rightful import adopt_learned_rows, progress
from streams.rows import KeptEffect, decode_learned_rows, decode_ledger_rows
from streams.topics import REFUSALS
from streams.wire import Encoded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from scoring.book import Book
    from scoring.events import Source
    from streams.log import Message, Record
    from streams.rows import DecodedRows

log = logging.getLogger(__name__)

_NO_EPOCH = -2
"""Below every epoch a row can carry: of an account about which nothing is known yet."""


@dataclass(slots=True)
class Owed:
    """Refusals that a durable row hides, but that were perhaps never told.

    A row at offset 9 makes the reading at 7 a repeat, so a refusal of 7 that a crash cut off would
    never be told again.  The row therefore carries (offset, item, reason) of such refusals; the
    record itself comes again from the input, since its offset was not committed, and is refused
    then.
    """

    by_row: dict[int, list[KeptEffect]] = field(default_factory=dict)

    @staticmethod
    def kept(source: Source, refused: RefusedReading) -> KeptEffect:
        """A refusal as it stands inside a row."""
        value = f"{refused.reason.value} {refused.item}".encode()
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
                    reason, item = each.effect.value.decode().split()
                    found.append(RefusedReading(each.offset, row, Reason(reason), int(item)))
        return found

    def keep_owing(self, rows: set[int], kept: dict[int, list[KeptEffect]]) -> None:
        """A row that is written again still carries what is not told yet."""
        for row in self.by_row.keys() & rows:
            kept.setdefault(row, []).extend(self.by_row[row])

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
        self._epoch = np.full(max(len(book), 1024), _NO_EPOCH, np.int64)
        self._epoch[: len(book)] = known_epoch
        self._carried: dict[int, list[KeptEffect]] = {}
        self._overtaken: set[int] = set()

    def ledger(self, records: Sequence[Record]) -> None:
        """Take up a chunk of ledger rows, in log order."""
        decoded = decode_ledger_rows(records)
        for offset, why in decoded.unreadable:
            log.error("ledger-rows: the record at %d is passed over: %s", offset, why)
        if not len(decoded.rows):
            return
        add = self._book.add
        rows = np.array([add(account_id) for account_id in decoded.account_ids], np.int64)
        self._grow()
        won = self._winners(rows, decoded)
        winners = rows[won]
        self._book.adopt(winners, decoded.rows, won, decoded.annexes)
        self._epoch[winners] = decoded.epoch[won]
        for place, row in zip(won.tolist(), winners.tolist(), strict=True):
            if place in decoded.effects:
                self._carried[row] = decoded.effects[place]
            elif self._carried:
                self._carried.pop(row, None)

    def _winners(self, rows: NDArray[np.int64], decoded: DecodedRows) -> NDArray[np.int64]:
        """Places in the chunk of the rows that beat all others and the book, one per account."""
        far = progress(decoded.rows)
        order = np.lexsort((far, decoded.epoch, rows))  # stable: later in the log wins a tie
        last = np.r_[rows[order][1:] != rows[order][:-1], True]
        best = order[last]
        epoch, ours = decoded.epoch[best], self._epoch[rows[best]]
        far_ours = progress(self._book.ledger[rows[best]])
        beats = (epoch > ours) | ((epoch == ours) & (far[best] >= far_ours))
        self._note_overtaken(rows, best, beats)
        return np.asarray(best[beats])

    def _note_overtaken(
        self, rows: NDArray[np.int64], best: NDArray[np.int64], beats: NDArray[np.bool_]
    ) -> None:
        """Accounts whose newest record in the log is not the rightful one.

        Compaction would keep the newest, so the rightful row must be written again.
        """
        newest = np.full(len(self._book), -1, np.int64)
        newest[rows] = np.arange(len(rows))  # the last assignment of each row stays
        in_order = beats & (newest[rows[best]] == best)
        if self._overtaken:
            self._overtaken.difference_update(rows[best[in_order]].tolist())
        self._overtaken.update(rows[best[~in_order]].tolist())

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

    def _grow(self) -> None:
        if len(self._book) > len(self._epoch):
            more = np.full(len(self._book) + len(self._book) // 4, _NO_EPOCH, np.int64)
            more[: len(self._epoch)] = self._epoch
            self._epoch = more
