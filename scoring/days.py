"""Which local days have these readings finished, and with how much energy?

A local day is finished once something is known of a later one.  It is told once and then stays as
it was told, because others have acted on it; so this small book-keeping stands apart from that of
the billing months, which stay open for late data.  Energy is counted in `scoring.usage`; what a
day teaches is told in `scoring.forecast`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from scoring.slots import starts_run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class DaysClosed:
    """Local days finished by a call, those of one account in order; length k each.

    `position` is the account's place in the block, `day` a proleptic ordinal, `estimated_wh` the
    part of `used_wh` of which it is a guess that it belongs to this day.  An account's first day
    is most often a part of a day, and a day of which nothing at all is known is left out.
    """

    position: NDArray[np.int64]
    day: NDArray[np.int64]
    used_wh: NDArray[np.int64]
    estimated_wh: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.position)

    def of(self, rows: NDArray[np.int64]) -> Self:
        """The same days, where this block's accounts are `rows` of a larger one."""
        return replace(self, position=rows[self.position])

    def chosen(self, which: NDArray[np.int64]) -> Self:
        """Those at these places."""
        return replace(self, **{f.name: getattr(self, f.name)[which] for f in fields(self)})

    @classmethod
    def none(cls) -> Self:
        """No days."""
        return cls(*(np.zeros(0, np.int64) for _ in range(4)))

    @classmethod
    def together(cls, parts: Sequence[DaysClosed]) -> Self:
        """The days of several parts of a block that share no account."""
        if not parts:
            return cls.none()
        names = ("position", "day", "used_wh", "estimated_wh")
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def settle_days(ledger: NDArray[Any], reached: NDArray[np.int64], energy: DaysClosed) -> DaysClosed:
    """Count `energy` (its days in order per account) and close the days before `reached` (n,).

    `reached` is the local day of each account's newest fact; the rows' `day` never goes back.
    Energy that belongs to a day which is closed already is counted in the open day and marked
    estimated there, so that the days always add up to what was used.
    """
    day, day_wh, day_estimated = (ledger[c] for c in ("day", "day_wh", "day_estimated_wh"))
    open_day = day.astype(np.int64)
    known = np.flatnonzero(open_day)
    late = energy.day < open_day[energy.position]
    guessed = np.where(late, energy.used_wh, energy.estimated_wh)
    in_order = np.maximum(energy.day, open_day[energy.position])
    position = np.concatenate((known, energy.position))
    days = np.concatenate((open_day[known], in_order))
    used = np.concatenate((day_wh[known], energy.used_wh))
    estimated = np.concatenate((day_estimated[known], guessed))

    order = np.lexsort((days, position))
    position, days = position[order], days[order]
    starts = np.flatnonzero(starts_run(position) | starts_run(days))
    position, days = position[starts], days[starts]
    if len(starts):
        used = np.add.reduceat(used[order], starts)
        estimated = np.add.reduceat(estimated[order], starts)

    reached = np.maximum(reached, open_day)
    is_open = days >= reached[position]
    day[:] = reached
    day_wh[:] = day_estimated[:] = 0
    day_wh[position[is_open]] = used[is_open]
    day_estimated[position[is_open]] = estimated[is_open]
    closed = ~is_open
    return DaysClosed(position[closed], days[closed], used[closed], estimated[closed])
