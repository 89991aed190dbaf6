"""How is the work of a tick cut, so that nobody who has paid waits behind it?

A window opens and thousands of trips, or holds, are due in the same second; judged at once they
would keep the worker from its payments for seconds.  So a tick's rows are judged some at a time,
and between two slices the worker fetches: a payment waits for few (`rounds.SLICES_AT_ONCE`).
Restores that must be repeated come first.  The tick is committed with its last slice, so a crash in
between repeats it, and it asks about those whom it has not reached.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scoring.effects import Stage
from scoring.scoring import due_at_tick
from streams import quarantine

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scoring.book import Book
    from scoring.scoring import Scored, World
    from streams.wire import Tick

JUDGED_AT_ONCE = 24
"""Accounts judged by one entry of a tick: some 20 ms of work where all are told something.  An
account costs as much as in slices of 64, and a third more in slices of 16 (measured)."""

NO_ROWS = np.zeros(0, np.int64)


class TickRound:
    """The newest tick, and the rows it has still to ask about; `most` None: all at once.

    `next_offset` may be committed once nothing is left.
    """

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._left: NDArray[np.int64] = NO_ROWS
        self._at, self._offset = 0, -1
        self.next_offset = 0

    @property
    def is_unfinished(self) -> bool:
        """Whether rows are left to judge."""
        return bool(len(self._left))

    def begin(self, book: Book, tick: Tick, world: World) -> None:
        """A newer tick: it asks about everything that is due by now, anew."""
        self._at, self._offset = tick.received_at, tick.source_offset
        due, before = due_at_tick(book, self._at, self._offset, world), self._left
        waited = np.isin(due, before)  # whom the tick before did not reach
        to_repeat = book.ledger["stage"][due] == Stage.RESTORE_COMMANDED
        self._left = due[np.lexsort((due, ~waited, ~to_repeat))]

    def score_some(self, book: Book, world: World) -> Scored:
        """Judge the next slice."""
        most = len(self._left) if self._most is None else self._most
        some, self._left = np.sort(self._left[:most]), self._left[most:]
        return quarantine.score_tick(book, some, self._at, self._offset, world)

    def forget(self) -> None:
        """The partition has gone: whoever has it next asks by the next tick."""
        self._left = NO_ROWS
