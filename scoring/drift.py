"""Has an account's level jumped, as when a new tenant moves in or a hall is shut?

A Page-Hinkley test per account, in columns (River's `PageHinkley` with alpha 1; a test proves that
both find the same days), of how far each day lay from the slow level.  Where it finds a change,
what was known is scaled to the new level and is learned quickly again, while weekdays, trust and
the size of errors stay.  It stands apart from `experts`, who each follow at their own pace, because
here something is decided: what was before no longer counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scoring.experts import FIRST_ERROR_SHARE, LEAST_WH, RELEARNED_DAYS, share_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

LEAST_DAYS = 14
"""Days from which a mean is taken before a change can be found, at first and after each change."""
ALLOWED = np.float32(1)
"""Typical errors by which days may lie beside their mean for ever (River's delta)."""
THRESHOLD = np.float32(15)
"""Summed typical errors beyond what is allowed that are a change: four days out of reach, or a
fortnight two errors off.  At 10 the sums of a week and a month got worse on real homes."""
LEAST_UNIT = np.float32(0.2)
"""Of the slow level: whose days are even is no new tenant by a fifth more; the experts follow."""
MOST_OFF = np.float32(5)
"""No single day counts as further off: one feast is no new tenant."""
WIDER = np.float32(2)
"""A level known from a few days may be wrong: sums are told so much less surely, until their own
errors have been seen."""
EMPTY_SHARE = np.float32(0.1)
"""A day below this part of the slow level says that nobody is there, not who will be; it is not
counted.  With it a works that shuts for days is not believed to stay shut."""


def notice(rows: NDArray[Any], used_wh: Floats, slow_wh: Floats) -> NDArray[np.bool_]:
    """Take one more day of accounts that have begun; whose level has changed (n,).

    `slow_wh` (n,) is what the slow level said of the day.
    """
    unit_wh = np.maximum(rows["typical_error_wh"], LEAST_UNIT * slow_wh)
    off = (used_wh - slow_wh) / np.maximum(unit_wh, LEAST_WH)
    return page_hinkley(rows, np.clip(off, -MOST_OFF, MOST_OFF), used_wh >= EMPTY_SHARE * slow_wh)


def page_hinkley(rows: NDArray[Any], off: Floats, counts: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Page's test of both sides (1954): one more value of each account where it `counts`."""
    days = np.minimum(rows["drift_days"].astype(np.int64) + 1, 65_535)
    mean = rows["drift_mean"] + (off - rows["drift_mean"]) / days.astype(np.float32)
    beside = off - mean
    up = np.maximum(rows["drift_up"] + beside - ALLOWED, 0)
    down = np.maximum(rows["drift_down"] - beside - ALLOWED, 0)
    changed: NDArray[np.bool_] = (np.maximum(up, down) > THRESHOLD) & (days >= LEAST_DAYS) & counts
    for name, value in (
        ("drift_days", days),
        ("drift_mean", mean),
        ("drift_up", up),
        ("drift_down", down),
    ):
        rows[name] = np.where(counts, np.where(changed, 0, value), rows[name])
    return changed


def begin_anew(rows: NDArray[Any], codes: NDArray[np.uint8]) -> None:
    """Scale what is known to the level of the newest days, of kinds `codes` (n, RELEARNED_DAYS)."""
    newest_wh = rows["history_wh"][:, -RELEARNED_DAYS:].sum(axis=1)
    level_wh = np.maximum(newest_wh / share_of(rows, codes).sum(axis=1), LEAST_WH)
    ratio = level_wh / np.maximum(rows["level_wh"][:, 0], LEAST_WH)
    rows["history_wh"][:, :-RELEARNED_DAYS] *= ratio[:, None]
    rows["level_wh"] = level_wh[:, None]
    most_wh = FIRST_ERROR_SHARE * level_wh
    rows["typical_error_wh"] = np.minimum(rows["typical_error_wh"], most_wh)
    rows["sum_error_wh"] *= WIDER
