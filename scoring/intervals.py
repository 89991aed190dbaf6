"""How far from the forecast will the days really be?

P10 and P90 of the energy of the next 1, 3 and 7 days together, learned per account from its own
sums: so days that err together, as they do in a heat wave, are counted as they come, and nothing is
added up that should not be.  What is used only grows, so "the sum of h days is more than the money"
and "the money ends within h days" are one event, and these quantiles are the runway's too.  They
stand apart from `forecast`, whose medians they surround and do not change.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from scoring import days_ahead
from scoring.experts import HISTORY_DAYS, HORIZON_DAYS, LEAST_WH

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

SPANS = (1, 3, 7)
"""Days whose sums are watched."""
WANTED = np.array([[0.095, 0.095, 0.09], [0.905, 0.905, 0.91]], np.float32)
"""P10 and P90 of each span, and a little beyond: a running quantile is always some days late, the
more so the longer a sum takes to be known, and without it 77 to 79 % of sums lay inside on all
real sets instead of 80."""

TOLD_PLACES = sum(SPANS)
"""Sums told and not yet known: of one day one, of three days three, of seven seven."""

QUANTILE_UNIT = np.float32(0.0006)
"""Of a typical error: quantiles are kept in whole ones, of which every usual step is some, so that
rounding favours neither side (sixteen-bit floats did, and 77 % of sums lay inside)."""

SCALE_RATE = np.float32(0.05)
"""Share of a new sum's error in the typical one: about three weeks of memory."""
STEP = np.float32(0.12)
LEAST_STEP_DAYS = 4
"""A quantile steps by 1 / days at first, never by less than STEP, in typical errors."""

FIRST_QUANTILE = np.array([-1.5, 1.5], np.float32)
"""P10 and P90 in typical (mean absolute) errors before the account's own are known: those of the
Laplace distribution are 1.6, of the normal 1.6."""
FIRST_SCALE = np.array([0.3, 0.6, 1.1], np.float32)
"""Typical errors of sums of 1, 3, 7 days of a new account, in days."""

COLD_REACH = np.array([-0.70, 1.50], np.float32)
"""P10 and P90 of a guess from the contract and a few hours, in the guess."""

EXPONENT = np.array(
    [
        -4,
        -2.5,
        -1.6,
        -1.1,
        -0.85,
        -0.7,
        -0.58,
        -0.48,
        -0.4,
        -0.32,
        -0.24,
        -0.16,
        -0.08,
        0,
        0.1,
        0.25,
    ]
)
"""Relative reach goes with the days summed as a power of them, one between 1 and 3 days and another
from 3 on, each kept to the next of these sixteen: days that are each their own have -0.5, a level
that may be wrong 0, one that walks away more; a home that stands empty and may fill tomorrow -4."""
EXPONENTS = len(EXPONENT)
LEAST_OUTSIDE = -0.5
"""Below one day and beyond seven nothing was compared: there days count as independent at most."""
WALKS = 0.2
"""Beyond seven days relative reach grows by this power of the days more than up to there: seasons
and habits go on walking, which a week does not show.  Without it 69 to 79 % of sums of 14 and 28
days lay inside on five real sets, with it 78 to 83 %."""
_BETWEEN = (EXPONENT[1:] + EXPONENT[:-1]) / 2

MOST_BELOW = np.float32(0.98)
"""P10 of a sum is never less than 2 % of its median: use does not turn into generation."""

TODAY_STEPS = 8
STILL_OPEN = 0.4
"""Relative reach of a rest of today close to nothing grows as if these parts of a day were left."""


HALF_WH = np.float32(0.5)
"""Energy is counted in whole watt-hours."""
MOST_QUANTILE = ((-12, 0), (0, 12))
"""Typical errors beyond which no quantile goes, nor to the other side of the median."""
MOST_TOLD_REACH = np.float32(60_000)
"""Sixteen-bit floats end at 65,504."""
LEAST_REACH = np.float32(1e-4)
SIGNS = (np.float32(-1), np.float32(1))


def _growth() -> Floats:
    """Relative reach of the rest of today .. day h over that of one whole day, flat rows of H.

    Row (early x 16 + later) x TODAY_STEPS + t: exponents of 1 to 3 and of more days, t + 1 eighths
    of today to come.
    """
    today = (np.arange(TODAY_STEPS) + 1) / TODAY_STEPS
    days = np.maximum(np.arange(HORIZON_DAYS) + today[:, None], STILL_OPEN)
    early, later = EXPONENT[:, None, None, None], EXPONENT[:, None, None]
    growth = np.minimum(days, 1) ** np.maximum(early, LEAST_OUTSIDE)
    growth = growth * np.clip(days, 1, 3) ** early * (np.clip(days, 3, 7) / 3) ** later
    growth = growth * (np.maximum(days, 7) / 7) ** (np.maximum(later, LEAST_OUTSIDE) + WALKS)
    rows: Floats = growth.reshape(-1, HORIZON_DAYS).astype(np.float32)
    return rows


GROWTH = _growth()
MOST_GROWTH = GROWTH.max(axis=1)


def begin(rows: NDArray[Any], used_wh: Floats) -> None:
    """The first whole day of accounts."""
    rows["told_wh"] = 0
    rows["sums_told"] = 0
    rows["sum_error_wh"] = FIRST_SCALE * np.maximum(used_wh, LEAST_WH)[:, None]
    first = np.repeat(FIRST_QUANTILE, len(SPANS)).reshape(2, -1)
    rows["error_quantile"] = written_quantile(first)


def teach(rows: NDArray[Any], measured: NDArray[np.bool_]) -> None:
    """Compare what was told of the sums that end with the newest day of the history.

    A sum with a bridged day in it (`measured` False, or a zero in `known_days`) says nothing.
    Conformal in the online sense (Gibbs and Candes 2021): each quantile steps so that in the long
    run the wanted share of sums lies below it, whatever the days do.
    """
    known = (rows["known_days"].astype(np.uint32) << np.uint32(1)) | measured
    rows["known_days"] = known & np.uint32(2**HISTORY_DAYS - 1)
    history = rows["history_wh"]
    used_wh = np.zeros(len(rows), np.float32)
    last = 0
    for number, span in enumerate(SPANS):
        for back in range(SPANS[number - 1] + 1 if number else 1, span + 1):
            used_wh += history[:, -back]
        last += span
        whole = np.uint32(2**span - 1)
        compared = (rows["known_days"] & whole == whole) & (rows["told_wh"][:, last - 1] > 0)
        _teach_span(rows, number, last - 1, compared, used_wh)


def _teach_span(
    rows: NDArray[Any],
    number: int,
    place: int,
    compared: NDArray[np.bool_],
    used_wh: Floats,
) -> None:
    """Move typical error and quantiles of one span by the sum told at `place`, where compared."""
    told_wh = rows["told_wh"][:, place]
    count = rows["sums_told"][:, number].astype(np.float32)
    step = np.where(compared, np.maximum(1 / (count + LEAST_STEP_DAYS), STEP), 0)
    for side, wanted in enumerate(WANTED[:, number]):
        bound_wh = told_wh * (1 + rows["told_reach"][:, side, place].astype(np.float32))
        below = used_wh < bound_wh - HALF_WH if side == 0 else used_wh <= bound_wh + HALF_WH
        quantile = QUANTILE_UNIT * rows["error_quantile"][:, side, number]
        quantile = quantile + step * (wanted - below)
        least, most = MOST_QUANTILE[side]
        quantile = np.minimum(np.maximum(quantile, least), most)
        rows["error_quantile"][:, side, number] = written_quantile(quantile)
    error_wh = np.abs(used_wh - told_wh)
    rate = np.where(compared, np.maximum(1 / (count + 4), SCALE_RATE), 0)
    rows["sum_error_wh"][:, number] += rate * (error_wh - rows["sum_error_wh"][:, number])
    rows["sums_told"][:, number] = np.minimum(count + compared, 255)


def written_quantile(quantile: Floats) -> NDArray[np.int16]:
    """Quantiles in typical errors as a row keeps them."""
    units: NDArray[np.int16] = np.rint(quantile / QUANTILE_UNIT).astype(np.int16)
    return units


def was_inside(rows: NDArray[Any], used_wh: Floats) -> NDArray[np.bool_]:
    """Whether the day after the history lay in the interval told of it."""
    reach = rows["told_reach"][:, :, 0].astype(np.float32)
    low, high = (rows["told_wh"][:, 0] * (1 + reach[:, side]) for side in range(2))
    inside: NDArray[np.bool_] = (used_wh >= low - HALF_WH) & (used_wh <= high + HALF_WH)
    return inside


def tell(rows: NDArray[Any]) -> None:
    """Note the sums now told, and their reach over their medians for every reading to come."""
    sums_wh = np.cumsum(days_ahead.read(rows)[:, : SPANS[-1]], axis=1)
    medians = np.maximum(np.stack([sums_wh[:, span - 1] for span in SPANS], axis=1), LEAST_WH)
    rows["told_wh"] = _shifted(rows["told_wh"], [sums_wh[:, span - 1] for span in SPANS])
    for side, sign in enumerate(SIGNS):
        reach = (
            sign * QUANTILE_UNIT * rows["error_quantile"][:, side] * rows["sum_error_wh"] / medians
        )
        reach = np.maximum(reach, LEAST_REACH)
        rows["reach"][:, side] = sign * reach[:, 0]
        shape = np.zeros(len(rows), np.int64)
        for column, (left, right) in enumerate(pairwise(SPANS)):
            exponent = np.log(reach[:, column + 1] / reach[:, column]) / np.log(right / left)
            shape = shape * EXPONENTS + np.searchsorted(_BETWEEN, exponent)
        rows["reach_shape"][:, side] = shape
        told = _reach(rows["reach"][:, side], shape * TODAY_STEPS + TODAY_STEPS - 1, side)
        told = np.minimum(told, MOST_TOLD_REACH)
        rows["told_reach"][:, side] = _shifted(
            rows["told_reach"][:, side], [told[:, span - 1] for span in SPANS]
        )


def _shifted(told: NDArray[Any], newest: list[Floats]) -> NDArray[Any]:
    """Sums told, each a day older, with the newest of each span before them."""
    after = told.copy()
    first = 0
    for span, column in zip(SPANS, newest, strict=True):
        after[:, first + 1 : first + span] = told[:, first : first + span - 1]
        after[:, first] = column
        first += span
    return after


def _reach(reach: Floats, place: NDArray[np.int64], side: int) -> Floats:
    """Relative reach of the sums of the rest of today .. day h, (n, H), by rows of GROWTH."""
    if side == 0:
        reach = np.minimum(np.maximum(reach, -MOST_BELOW / MOST_GROWTH.take(place)), 0)
    growth: Floats = GROWTH.take(place, axis=0)
    growth *= reach[:, None]
    return growth


def factors(
    rows: NDArray[Any], known: NDArray[np.bool_], left_seconds: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """P10 and P90 of the sum of the rest of today .. day h, over its median, (n, H) each."""
    today = (left_seconds - 1) // (86_400 // TODAY_STEPS)
    today = np.minimum(np.maximum(today, 0), TODAY_STEPS - 1)
    both = []
    for side in range(2):
        reach = np.where(known, rows["reach"][:, side], COLD_REACH[side])
        shape = np.where(known, rows["reach_shape"][:, side].astype(np.int64), COLD_SHAPE)
        growth = _reach(reach, shape * TODAY_STEPS + today, side)
        growth += 1
        both.append(growth)
    return both[0], both[1]


_STAYS = EXPONENT.tolist().index(0)
COLD_SHAPE = _STAYS * EXPONENTS + _STAYS
"""A wrong guess of the level stays wrong: its relative error does not fall with the days."""
