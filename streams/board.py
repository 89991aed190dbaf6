"""Has every partition of the fleet been heard from lately, and is one frozen?

The worker follows the topic `interlock` into this board.  A partition whose word is missing or old
holds everybody's trips: what it has seen nobody knows (fail connected).  Age is by this process's
own clock and counts from hearing, since simulated time runs at any speed; nothing that is decided
is forgotten by it, because decisions are remembered before they are told.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from scoring.effects import NO_HOLD, Hold
from streams.wire_interlock import decode_word

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streams.log import Record

MOST_WORD_AGE_SECONDS = 150.0
"""Five ticks: one or two may be late while a partition moves."""


class Board:
    """The newest word of each partition."""

    def __init__(self, partitions: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._partitions, self._clock = partitions, clock
        self._heard_at: dict[int, float] = {}
        self._frozen: dict[int, bool] = {}
        self.is_live = False

    def take(self, records: Sequence[Record]) -> None:
        """Take up words in the order of the topic; those from before the start prove no life."""
        for record in records:
            word = decode_word(record.value)
            if word is None or not 0 <= word.partition < self._partitions:
                continue
            self._frozen[word.partition] = bool(word.why)
            if self.is_live:
                self._heard_at[word.partition] = self._clock()

    def hold(self) -> Hold:
        """Why no partition may trip, as far as the others are concerned."""
        if any(self._frozen.values()):
            return Hold.INTERLOCK_FROZEN
        since = self._clock() - MOST_WORD_AGE_SECONDS
        heard = sum(at >= since for at in self._heard_at.values())
        return NO_HOLD if heard == self._partitions else Hold.INTERLOCK_SILENT
