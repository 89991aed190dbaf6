"""How much of today is still to come, and what does today's pace say of the days after it?

The rest of today follows the account's own load by hours, and is told anew at each reading: a day
that runs hot is expected to stay so for a while.  It stands apart from `forecast` because it is all
that is learned between two midnights, and none of it is kept: tomorrow the day as a whole teaches
(`forecast.learn`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scoring.experts import LEAST_WH
from scoring.units import SECONDS_PER_DAY, SLOT_SECONDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

CARRIED_TODAY = np.float32(0.4)
"""Of what today has used beyond what its hours let expect, so much is expected again of its rest,
by the rest's share; best at noon and at 18 h on all real sets at once, over 0.25 to 0.5."""
CARRIED_TOMORROW = np.float32(0.25)
"""Tomorrow is expected higher or lower by this part of today's surplus over a whole day."""
SURPLUS_AT_WORST = np.float32(1.5)
"""P90 allows for days to come that surpass their medians by what today surpasses tomorrow's P90 by,
and half as much again: a heat wave or a new tenant is known by its first afternoon."""
MOST_SURPLUS = np.float32(4)
"""Whole days of surplus beyond which nothing more is expected: tomorrow's median doubles."""


def _quarters_to_come() -> NDArray[np.float32]:
    """Row q, column h: hours of local hour h that are still to come at quarter q of the day."""
    still = np.arange(24) + 1 - np.arange(97)[:, None] / 4
    hours: NDArray[np.float32] = np.clip(still, 0, 1).astype(np.float32)
    return hours


_QUARTERS_TO_COME = _quarters_to_come()


def rest_share(
    hour_load: NDArray[np.float32],
    known: NDArray[np.bool_],
    elapsed_seconds: NDArray[np.int64],
    left_seconds: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Share of today's energy still to come: by the hours' loads, by time while a day is not known.

    On the first day the hours to come have not been seen: they must not look empty.  Exact to a
    quarter of an hour; on the two days a year when clocks change, to an hour.
    """
    quarter = np.minimum(np.maximum(elapsed_seconds // SLOT_SECONDS, 0), 96)
    whole = np.einsum("nh->n", hour_load)
    to_come = np.einsum("nh,nh->n", hour_load, _QUARTERS_TO_COME.take(quarter, axis=0))
    by_time = np.minimum(np.maximum(left_seconds / SECONDS_PER_DAY, 0), 1).astype(np.float32)
    share: NDArray[np.float32] = np.where(
        known & (whole > 0), to_come / np.maximum(whole, 1), by_time
    )
    return share


def leave_the_rest(
    ahead_wh: NDArray[np.float32],
    rest: NDArray[np.float32],
    counted_wh: NDArray[np.float32],
    level_wh: NDArray[np.float32],
    keeps_pace: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """Leave of today (column 0) its rest, and let today's surplus so far speak of what comes next.

    A home that cools today will cool tonight and, less surely, tomorrow.  Only where `keeps_pace`:
    what is estimated says nothing of today's pace.  `rest` (n,) is `rest_share`, `level_wh` (n,) a
    common day.  Returns the surplus in whole days (n,).
    """
    whole_wh, tomorrow_wh = ahead_wh[:, 0], ahead_wh[:, 1]
    surplus_wh = (counted_wh - whole_wh * (1 - rest)) * keeps_pace
    common_wh = np.maximum(np.maximum(whole_wh, level_wh), LEAST_WH)
    surplus: NDArray[np.float32] = np.divide(surplus_wh, common_wh)
    tomorrow_wh *= 1 + CARRIED_TOMORROW * np.minimum(surplus, MOST_SURPLUS)
    rest_wh = (whole_wh + CARRIED_TODAY * surplus_wh) * rest
    np.maximum(rest_wh, 0, out=whole_wh)
    return surplus


def allow_for_worse(high_factor: NDArray[np.float32], beyond: NDArray[np.float32]) -> None:
    """Raise P90 of what is to come (n, H) where today's surplus is `beyond` (n,) tomorrow's P90."""
    few = np.flatnonzero(beyond > 0)
    if len(few):
        worse = np.minimum(beyond[few], MOST_SURPLUS)
        high_factor[few] *= (1 + SURPLUS_AT_WORST * worse)[:, None]
