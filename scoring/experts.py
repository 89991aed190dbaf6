"""What do several simple forecasters say of an account's next days, and how far is each trusted?

Each expert is a few floats per account and a line of arithmetic in columns; none is best everywhere
(ARCHITECTURE, "What each expert brings").  They are averaged with weights that fall exponentially
with each one's discounted losses (Kivinen and Warmuth 1997; River's EWARegressor, account by
account).  They stand apart from `forecast`, which says which days teach, and from `pools`, where
the two experts that learn across accounts and days live.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scoring.day_kinds import HOLIDAY

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

WEEK = 7
HORIZON_DAYS = 35
"""Today and the 34 days after it: a whole billing month ahead of any day, in whole weeks."""

HISTORY_DAYS = 28

LEVEL_RATES = np.array([0.05, 0.15, 0.35, 0.7], np.float32)
"""Share of a new day in each smoothed level: memories of a month, a week, three days, one."""
PROFILE_LEVEL = 1
"""The level against which the weekday profile is learned: quick enough to follow the season, slow
enough not to follow the weekday itself."""
BASE_LEVEL = 2
"""The level that the regressions correct."""

EXPERTS = (
    "level-0.05", "level-0.15", "level-0.35", "level-0.70",
    "yesterday", "last-week", "mean-week", "mean-weekday", "pool", "own",
)  # fmt: skip
YESTERDAY, LAST_WEEK, MEAN_WEEK, MEAN_WEEKDAY, POOL, OWN = range(len(LEVEL_RATES), len(EXPERTS))

PROFILE_RATE = 0.07
"""Share of a new week in the weekday profile: about fourteen weeks of memory."""
PROFILE_PRIOR_WEEKS = 2
"""A weekday is believed to be like any other until this many weeks say otherwise."""
HOLIDAY_RATE = 0.15
MOST_SHARE = np.float32(4)
"""A day above this many levels teaches a share no more than this: a party, not a habit."""
LEAST_FIRST_SHARE = np.float32(0.3)
"""An account's first day counts as no smaller a share of its group's week: one day is no week."""
LEAST_SHARE = np.float32(0.02)
"""A weekday is never forecast below 2 % of the level: an office may open on one Sunday."""

ERROR_RATE = np.float32(0.06)
FIRST_ERROR_SHARE = np.float32(0.3)
"""Typical day-ahead error of a new account, in its first day."""
CLIPPED_AT_ERRORS = np.float32(3)
"""A level follows a day no further than this many typical errors: a shutdown is not a season."""

DISCOUNT = np.float32(0.97)
"""What a day-old loss still counts: about a month of memory."""
TRUST_RATE = np.float32(0.5)
"""How fast trust falls with a loss of one typical error.  Both are best on all real sets at once
within 0.1 points of WAPE, over 0.95 to 0.985 and 0.25 to 1."""
MOST_LOSS = np.float32(20)
"""Typical errors a single day may cost an expert."""

RELEARNED_DAYS = 3
"""After a jump (`drift`) levels begin at the mean of so many days, and count no others."""

SLOW_DAYS = 5
MOST_SLOW = 0.8
"""The path leans from the trusted mixture to the two slow levels, by so much from the fifth day on:
trust is earned day-ahead, where quick experts win, and they know little of next week.  Best on all
real sets at once; it cuts the error of 28-day sums by a twelfth to a sixth."""

LEAST_WH = np.float32(1)

FEW_ROWS = 64
"""Up to so many accounts numpy's own running sum is quicker than one call per day (measured)."""

SLOWNESS = (MOST_SLOW * np.minimum(np.arange(HORIZON_DAYS) / SLOW_DAYS, 1)).astype(np.float32)


def weekday_of(codes: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The weekday that days act as."""
    return (codes % HOLIDAY).astype(np.int64)


def share_of(rows: NDArray[Any], codes: NDArray[np.uint8]) -> Floats:
    """Usage of days of these kinds over the level, (n, k) for codes (n, k).

    A holiday not met yet is guessed half-way from its weekday to the Sunday, if that is less; each
    one met makes its learned share count more.
    """
    profile = np.ascontiguousarray(rows["weekday_share"])
    place = np.arange(0, profile.size, WEEK)[:, None] + weekday_of(codes)
    share: Floats = profile.take(place)
    is_holiday = codes >= HOLIDAY
    if is_holiday.any():
        sunday = profile[:, WEEK - 1 :]
        guess = (np.minimum(sunday, share) + share) / 2
        met = rows["kind_days"][:, WEEK:].astype(np.float32)
        learned = rows["holiday_share"][:, None] * share
        share = np.where(is_holiday, (learned * met + guess) / (met + 1), share)
    return share


def day_ahead(rows: NDArray[Any], code: NDArray[np.uint8]) -> Floats:
    """What each expert says of the first day that is not in the history, (E, n); pool and own as
    they were told when the day before closed.
    """
    history = rows["history_wh"]
    share = share_of(rows, code[:, None])[:, 0]
    said = np.empty((len(EXPERTS), len(rows)), np.float32)
    for number in range(len(LEVEL_RATES)):
        np.multiply(rows["level_wh"][:, number], share, out=said[number])
    said[YESTERDAY] = history[:, -1]
    said[LAST_WEEK] = history[:, -WEEK]
    said[MEAN_WEEK] = _sum_of(history, range(HISTORY_DAYS - WEEK, HISTORY_DAYS)) / WEEK
    said[MEAN_WEEKDAY] = _sum_of(history, range(0, HISTORY_DAYS, WEEK)) / 4
    said[POOL:] = rows["regressed_wh"].T
    return said


def mean_history_wh(rows: NDArray[Any]) -> Floats:
    """The mean day of the last four weeks, at least 1 Wh."""
    mean = _sum_of(rows["history_wh"], range(HISTORY_DAYS)) / np.float32(HISTORY_DAYS)
    at_least: Floats = np.maximum(mean, LEAST_WH)
    return at_least


def _sum_of(history: Floats, days: range) -> Floats:
    """Sum of these columns, one after the other: the same to the last bit in any block."""
    if len(history) <= FEW_ROWS:
        columns = history[:, days.start : days.stop : days.step]
        summed: Floats = np.add.accumulate(columns, axis=1)[:, -1]
        return summed
    total = history[:, days[0]].copy()
    for day in days[1:]:
        total += history[:, day]
    return total


def trust(loss: Floats) -> Floats:
    """Weights of the experts from their discounted losses (E, n), sum 1.

    >>> trust(np.array([[0.0], [2 * np.log(3)]], np.float32))[:, 0]
    array([0.75, 0.25], dtype=float32)
    """
    weight: Floats = np.exp(-TRUST_RATE * (loss - loss.min(axis=0)))
    total = weight[0].copy()
    for more in weight[1:]:
        total += more
    weight /= total
    return weight


def suffer(loss: Floats, said: Floats, used_wh: Floats, typical_error_wh: Floats) -> Floats:
    """The experts' discounted losses (E, n) after one more day, in the account's typical errors."""
    fresh = np.abs(said - used_wh) / np.maximum(typical_error_wh, LEAST_WH)
    after: Floats = DISCOUNT * loss + np.minimum(fresh, MOST_LOSS)
    return after


def begin(rows: NDArray[Any], code: NDArray[np.uint8], used_wh: Floats) -> None:
    """The first whole day of accounts, of kind `code`: until they show otherwise they live by it.

    Where their group's week is known (`weekday_share`) it is theirs, else all days are alike.
    """
    alike = ~rows["weekday_share"].any(axis=1)
    rows["weekday_share"][alike] = rows["holiday_share"][alike] = 1
    week = np.maximum(rows["weekday_share"], LEAST_FIRST_SHARE)
    day = weekday_of(code)
    each = np.arange(len(rows))
    level_wh = used_wh / week[each, day]
    back = np.arange(HISTORY_DAYS - 1, -1, -1)
    rows["history_wh"] = level_wh[:, None] * week[each[:, None], (day[:, None] - back) % WEEK]
    rows["level_wh"] = level_wh[:, None]
    rows["regressed_wh"] = used_wh[:, None]
    rows["typical_error_wh"] = FIRST_ERROR_SHARE * level_wh
    for name in ("drift_mean", "drift_up", "drift_down", "drift_days"):
        rows[name] = 0


def teach(rows: NDArray[Any], code: NDArray[np.uint8], used_wh: Floats) -> None:
    """One more whole day of accounts that have begun; the regressions are `pools`' to teach."""
    said = day_ahead(rows, code)
    rows["loss"] = suffer(rows["loss"].T, said, used_wh, rows["typical_error_wh"]).T
    share = share_of(rows, code[:, None])[:, 0]
    days = np.minimum(rows["days"], rows["drift_days"].astype(np.int64) + RELEARNED_DAYS)
    days = days.astype(np.float32)
    limit = CLIPPED_AT_ERRORS * rows["typical_error_wh"]
    pull = _pull(rows["weekday_share"], share)
    level_wh = np.ascontiguousarray(rows["level_wh"].T)
    for number, rate in enumerate(LEVEL_RATES):
        error = np.minimum(np.maximum(used_wh - said[number], -limit), limit)
        level_wh[number] += np.maximum(rate, 1 / (days + 1)) * pull * error
    np.maximum(level_wh, 0, out=level_wh)
    error_wh = np.abs(used_wh - said[BASE_LEVEL])
    rows["typical_error_wh"] += ERROR_RATE * (error_wh - rows["typical_error_wh"])
    _teach_profile(rows, code, used_wh, level_wh)
    rows["level_wh"] = level_wh.T
    append(rows, used_wh)


def slow_wh(rows: NDArray[Any], code: NDArray[np.uint8]) -> Floats:
    """What the slowest level says of a day of this kind, (n,)."""
    said: Floats = rows["level_wh"][:, 0] * share_of(rows, code[:, None])[:, 0]
    return said


def _pull(profile: Floats, share: Floats) -> Floats:
    """How much of an error belongs to the level: a day with a small share says little about it.

    The step of least mean squares, share / mean of squared shares, but never beyond the day.
    """
    squares = profile * profile
    mean_square = _sum_of(squares, range(WEEK)) / WEEK
    pull: Floats = np.minimum(
        share / np.maximum(mean_square, np.float32(1e-6)), 1 / np.maximum(share, LEAST_SHARE)
    )
    return pull


def _teach_profile(
    rows: NDArray[Any], code: NDArray[np.uint8], used_wh: Floats, level_wh: Floats
) -> None:
    """Move the share of the day's kind; weekdays' shares keep the mean 1, and levels follow."""
    level = np.maximum(level_wh[PROFILE_LEVEL], LEAST_WH)
    lift = np.minimum(used_wh / level, MOST_SHARE)
    weekday, is_holiday = weekday_of(code), code >= HOLIDAY
    each = np.arange(len(rows))
    profile, counts = rows["weekday_share"].copy(), rows["kind_days"]
    column = np.where(is_holiday, WEEK, weekday)
    met = counts[each, column].astype(np.float32)
    counts[each, column] = np.minimum(met + 1, 255)

    share = profile[each, weekday]
    rate = np.maximum(1 / (met + PROFILE_PRIOR_WEEKS), np.float32(PROFILE_RATE))
    profile[each, weekday] += np.where(is_holiday, 0, rate * (lift - share))
    np.maximum(profile, LEAST_SHARE, out=profile)
    mean = _sum_of(profile, range(WEEK)) / WEEK
    profile /= mean[:, None]
    level_wh *= mean
    rows["weekday_share"] = profile

    rate = np.maximum(1 / (met + 1), np.float32(HOLIDAY_RATE))
    seen = np.minimum(lift / np.maximum(share, LEAST_SHARE), MOST_SHARE)
    rows["holiday_share"] += np.where(is_holiday, rate * (seen - rows["holiday_share"]), 0)


def append(rows: NDArray[Any], day_wh: Floats) -> None:
    """One more day in the history of four weeks, measured or bridged."""
    history = rows["history_wh"].copy()
    history[:, :-1] = history[:, 1:]
    history[:, -1] = day_wh
    rows["history_wh"] = history


def path(rows: NDArray[Any], codes: NDArray[np.uint8], more_wh: Floats | None = None) -> Floats:
    """The trusted forecast of the coming days, (n, H) for their kinds `codes` (n, H).

    The first day is the experts' average.  For the days after it the simple experts repeat what
    they know, of the regressions' correction of the base level only the first day is known, and
    all lean towards the slow levels.  `more_wh` (n, H) is what the own regression knows of the
    weather of these days; its first day is in the regression already.
    """
    weight = trust(np.ascontiguousarray(rows["loss"].T))
    history = rows["history_wh"]
    level_wh = weight[0] * rows["level_wh"][:, 0]
    for number in range(1, len(LEVEL_RATES)):
        level_wh += weight[number] * rows["level_wh"][:, number]
    base_wh = rows["level_wh"][:, BASE_LEVEL]
    level_wh += (weight[POOL] + weight[OWN]) * base_wh
    share = share_of(rows, codes)
    ahead: Floats = share * level_wh[:, None]
    regressed = rows["regressed_wh"]
    for number in (POOL, OWN):
        ahead[:, 0] += weight[number] * (regressed[:, number - POOL] - base_wh * share[:, 0])
    mean_week = _sum_of(history, range(HISTORY_DAYS - WEEK, HISTORY_DAYS)) / WEEK
    flat = weight[YESTERDAY] * history[:, -1] + weight[MEAN_WEEK] * mean_week
    weeks = history.reshape(-1, HISTORY_DAYS // WEEK, WEEK)
    weekly = weight[MEAN_WEEKDAY][:, None] * (
        (weeks[:, 0] + weeks[:, 1] + weeks[:, 2] + weeks[:, 3]) / 4
    )
    weekly += weight[LAST_WEEK][:, None] * weeks[:, -1] + flat[:, None]
    ahead += np.tile(weekly, (1, HORIZON_DAYS // WEEK))
    slow_wh = (rows["level_wh"][:, 0] + rows["level_wh"][:, 1]) / 2
    ahead *= 1 - SLOWNESS
    ahead += SLOWNESS * share * slow_wh[:, None]
    if more_wh is not None:
        ahead[:, 1:] += weight[OWN][:, None] * more_wh[:, 1:]
    np.maximum(ahead, 0, out=ahead)
    return ahead
