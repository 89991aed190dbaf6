"""How much energy will each account use in the days to come?

One level and one weekday profile per account, learned online when a local day closes; it stands
apart so that a better forecast can take its place behind `Forecast` and `learn` without any other
file noticing.  It does not know money: what the energy will cost is `bill`'s answer, when the
money ends is `runway`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from scoring import calendar
from scoring.cold_start import level_before_days_wh, period_share_by_hours
from scoring.effects import Stage
from scoring.events import Switch
from scoring.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, SLOT_SECONDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scoring.book import Accounts
    from scoring.days import DaysClosed
    from scoring.tariff import Tariffs

HORIZON_DAYS = 35
"""Today and the 34 days after it: a whole billing month ahead of any day, in whole weeks."""

WEEK = 7
MONDAY_OF_ORDINAL = 6
"""(proleptic ordinal + 6) % 7 is 0 on a Monday."""

LEVEL_RATE = 0.15
"""Share of a new day in the level once it is known: about two weeks of memory.  A faster level is
better for tomorrow, a slower one for the month; this is best for sums of a week on real homes."""

WEEKDAY_RATE = 0.08
"""Share of a new week in the weekday profile: about twelve weeks of memory."""

WEEKDAY_PRIOR_WEEKS = 1.0
"""A weekday is believed to be like any other until this many weeks say otherwise."""

LEAST_WEEKDAY_SHARE = np.float32(-0.95)
"""A weekday is never forecast below 5 % of the level: an office may open on one Sunday."""

MAX_DAY_SHARE = 3.0
"""A day above this many levels teaches the profile no more than this: a party, not a habit."""

QUANTILES = (0.10, 0.90)
QUANTILE_RATE = 0.04
"""Pinball gradient step, in levels, once errors are known; 1 / days before that."""

FIRST_ERROR = np.array([-0.45, 0.45], np.float32)
"""P10 and P90 of the day-ahead error of homes, in levels, before the account's own are known."""

COLD_ERROR = np.array([[-0.70], [1.50]], np.float32)
"""P10 and P90 of the error of a level that is guessed from the contract and a few hours."""

LASTING_SHARE = 0.38
"""Part of the variance of a day's error that stays for the days after it (the level is wrong); the
rest is each day's own and evens out."""

DRIFT_SHARE = 0.005
"""Part of the variance of a day's error by which the level walks away with each day ahead.  Both
shares are such that the 80 % interval of sums of 1 to 28 days held about 80 % of the days of homes
in three countries."""

MOST_BELOW = np.float32(0.98)
"""P10 of a sum is never less than 2 % of its median: use does not turn into generation."""

RESTORED_LATELY_SECONDS = 36 * SECONDS_PER_HOUR
"""A day that closes this soon after the supply's stage changed may hold an outage."""

EARLIEST_AS_OF = calendar.FIRST_AT + 2 * SECONDS_PER_DAY
"""Accounts without readings are looked at as of this instant, harmlessly."""

_WEEK_FROM = (np.arange(WEEK)[:, None] + np.arange(WEEK)) % WEEK
"""Row w: the weekdays from w on."""

_KNOWN_DAYS = 32
_TODAY_STEPS = 8
_TODAY_STEP_SECONDS = SECONDS_PER_DAY // _TODAY_STEPS


def _spread_growth() -> NDArray[np.float32]:
    """Relative error of the sum over the rest of today .. day h, in day-ahead errors.

    Row d * _TODAY_STEPS + t: after d learned days, with t + 1 eighths of today to come; column h.
    For a sum of k days: sqrt(lasting + drift x (k - 1) + (1 - lasting) / k).  A level from few days
    is itself wrong by 1 / sqrt(days), which lasts.
    """
    days = np.arange(_KNOWN_DAYS)[:, None, None]
    today = (np.arange(_TODAY_STEPS)[:, None] + 1) / _TODAY_STEPS
    summed = np.arange(HORIZON_DAYS) + today
    lasting = np.maximum(LASTING_SHARE, 1 / (1 + days))
    variance = lasting + DRIFT_SHARE * np.maximum(summed - 1, 0) + (1 - lasting) / summed
    return np.sqrt(variance).astype(np.float32).reshape(-1, HORIZON_DAYS)


_SPREAD_GROWTH = _spread_growth()


def _quarters_to_come() -> NDArray[np.float32]:
    """Row q, column h: hours of local hour h that are still to come at quarter q of the day."""
    still = np.arange(24) + 1 - np.arange(97)[:, None] / 4
    hours: NDArray[np.float32] = np.clip(still, 0, 1).astype(np.float32)
    return hours


_QUARTERS_TO_COME = _quarters_to_come()


@dataclass(frozen=True, slots=True)
class Forecast:
    """Energy to come per account, n accounts, H = `HORIZON_DAYS`, R rate periods; all float32.

    `ahead_wh` (n, H): medians of the rest of today and of each local day after it.
    `low_factor`, `high_factor` (n, H): P10 and P90 of the *sum* of column 0 .. h, over its median;
    low <= 1 <= high.  `today_wh` (n,): the whole of today, counted and to come.  `today_hours`
    (n,): hours left of today.  `today_is_new` (n,): not a second of it is gone.  `period_share`
    (n, R): share of each rate period, sum 1.
    """

    ahead_wh: NDArray[np.float32]
    low_factor: NDArray[np.float32]
    high_factor: NDArray[np.float32]
    today_wh: NDArray[np.float32]
    today_hours: NDArray[np.float32]
    today_is_new: NDArray[np.bool_]
    period_share: NDArray[np.float32]


def learn(accounts: Accounts, closed: DaysClosed, tariffs: Tariffs | None) -> NDArray[np.int64]:
    """Learn the closed days of a block of accounts; the positions whose learned row changed.

    Each local day teaches once, whatever is repeated.  The first day of an account is most often a
    part of a day, so it is only a lower bound of the level.  Days that one reading closed together
    and that are mostly estimated do not teach (their split is a guess), nor do days without supply
    (domain.md 4.4: outage days are not reference days).

    >>> from scoring.book import LEARNED, Accounts, empty_ledger
    >>> from scoring.days import DaysClosed
    >>> home = Accounts(empty_ledger(1), np.zeros(1, LEARNED), np.array([-1]))
    >>> for day, used_wh in ((740_000, 700), (740_001, 9_000), (740_002, 11_000)):
    ...     closed = DaysClosed(*(np.array([n]) for n in (0, day, used_wh, 0)))
    ...     changed = learn(home, closed, None)
    >>> float(home.learned["level_wh"][0].round()), int(home.learned["days"][0])
    (10000.0, 2)
    """
    del tariffs  # the coming forecast work needs holidays; this one only weekdays
    position = closed.position
    if not len(position):
        return np.zeros(0, np.int64)
    alone = np.bincount(position, minlength=len(accounts))[position] == 1
    teaches = alone | (2 * closed.estimated_wh <= closed.used_wh)
    teaches &= _had_supply(accounts.ledger)[position]
    used_wh = closed.used_wh.astype(np.float32)
    if alone.all():
        _learn_turn(accounts, position, closed.day, used_wh, teaches)
        return position
    turn = _turn_of(position)
    for number in range(int(turn.max()) + 1):
        now = np.flatnonzero(turn == number)
        _learn_turn(accounts, position[now], closed.day[now], used_wh[now], teaches[now])
    changed: NDArray[np.int64] = np.unique(position)
    return changed


def forecast(accounts: Accounts, tariffs: Tariffs, as_of: NDArray[np.int64]) -> Forecast:
    """Energy to come for each account as of its newest reading, `as_of` (n,) seconds.

    Today is the local day that holds as_of: at midnight all of the new day is to come.

    >>> from scoring.book import LEARNED, Accounts, empty_ledger
    >>> from scoring.tariff import Tariffs
    >>> home = Accounts(empty_ledger(1), np.zeros(1, LEARNED), np.array([-1]))
    >>> home.learned["days"], home.learned["level_wh"] = 30, 9_000
    >>> forecast(home, Tariffs(), np.array([1_767_225_600 + 18 * 3_600])).ahead_wh[0, :3]
    array([2250., 9000., 9000.], dtype=float32)
    """
    ledger, learned, index = accounts.ledger, accounts.learned, accounts.tariff_index
    as_of = np.maximum(as_of, EARLIEST_AS_OF)
    day = tariffs.day_of(index, as_of)
    day_start, day_end = tariffs.day_start(index, day), tariffs.day_start(index, day + 1)
    hour_load = ledger["hour_load"].astype(np.float32)
    counted_wh = np.where(ledger["day"] == day, ledger["day_wh"], 0).astype(np.float32)
    known = learned["days"] > 0
    level_wh = learned["level_wh"]
    if not known.all():
        cold = level_before_days_wh(ledger, hour_load, np.maximum(level_wh, counted_wh))
        level_wh = np.where(known, level_wh, cold)
    weekday = (day + MONDAY_OF_ORDINAL) % WEEK
    place = np.arange(0, WEEK * len(ledger), WEEK)[:, None] + _WEEK_FROM.take(weekday, axis=0)
    profile = learned["weekday_share"].ravel().take(place)
    profile += 1
    profile *= level_wh[:, None]
    ahead_wh = np.tile(profile, (1, HORIZON_DAYS // WEEK))
    ahead_wh[:, 0] *= _rest_share(hour_load, known, as_of - day_start, day_end - as_of)
    period_share = learned["period_share"]
    unknown = np.flatnonzero(np.einsum("nr->n", period_share) == 0)
    if len(unknown):
        period_share = period_share.copy()
        period_share[unknown] = period_share_by_hours(
            tariffs, index[unknown], hour_load[unknown], day_start[unknown]
        )
    low_factor, high_factor = _spread(learned, known, day_end - as_of)
    return Forecast(
        ahead_wh,
        low_factor,
        high_factor,
        counted_wh + ahead_wh[:, 0],
        ((day_end - as_of) / SECONDS_PER_HOUR).astype(np.float32),
        as_of == day_start,
        period_share,
    )


def _turn_of(position: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each entry, how many entries of the same position stand before it."""
    order = np.argsort(position, kind="stable")
    ordered = position[order]
    first = np.r_[True, ordered[1:] != ordered[:-1]]
    start = np.flatnonzero(first)
    turn = np.empty(len(position), np.int64)
    turn[order] = np.arange(len(position)) - np.repeat(start, np.diff(np.r_[start, len(position)]))
    return turn


def _had_supply(ledger: NDArray[Any]) -> NDArray[np.bool_]:
    off = (ledger["switch"] == Switch.DISCONNECTED) | (
        ledger["switch"] == Switch.READY_FOR_RECONNECTION
    )
    off |= (ledger["stage"] == Stage.TRIPPED) | (ledger["stage"] == Stage.RESTORE_COMMANDED)
    lately = ledger["read_at"] - ledger["stage_since"] < RESTORED_LATELY_SECONDS
    return np.asarray(~(off | (lately & (ledger["stage_since"] > 0))))


def _learn_turn(
    accounts: Accounts,
    position: NDArray[np.int64],
    day: NDArray[np.int64],
    used_wh: NDArray[np.float32],
    teaches: NDArray[np.bool_],
) -> None:
    """One closed day of each of these accounts (each once)."""
    rows = accounts.learned[position]
    new = day > rows["last_day"]
    first = new & (rows["last_day"] == 0)
    taught = new & ~first & teaches
    if taught.all():
        _learn_day(rows, day, used_wh)
    else:
        rows["level_wh"][first] = used_wh[first]
        some = rows[taught]
        _learn_day(some, day[taught], used_wh[taught])
        rows[taught] = some
    rows["last_day"] = np.maximum(rows["last_day"], day)
    _learn_period_share(rows, accounts.ledger["used_wh"][position])
    accounts.learned[position] = rows


def _learn_day(rows: NDArray[Any], day: NDArray[np.int64], used_wh: NDArray[np.float32]) -> None:
    """Level, profile and errors after one whole day."""
    profile = np.ascontiguousarray(rows["weekday_share"])
    today = np.arange(0, profile.size, WEEK) + (day + MONDAY_OF_ORDINAL) % WEEK
    share = profile.take(today)
    days = rows["days"].astype(np.float32)
    started = days > 0
    level_wh = np.where(started, rows["level_wh"], used_wh)
    error_wh = used_wh - level_wh * (1 + share)
    in_turn = started & (day == rows["last_day"] + 1)
    _learn_errors(rows, in_turn, error_wh / np.maximum(level_wh, 1))

    level_wh = smoothed_level(level_wh, used_wh / (1 + share), days)
    lift = np.minimum(used_wh / np.maximum(level_wh, 1), MAX_DAY_SHARE) - 1 - share
    rate = np.maximum(1 / (days / WEEK + WEEKDAY_PRIOR_WEEKS + 1), WEEKDAY_RATE)
    lift *= np.where(started, rate, 0)
    profile.ravel()[today] += lift
    profile -= (lift / WEEK)[:, None]  # the profile's mean stays 0
    rows["weekday_share"] = np.maximum(profile, LEAST_WEEKDAY_SHARE)
    rows["level_wh"] = level_wh
    rows["days"] += 1


def smoothed_level(
    level_wh: NDArray[np.float32], day_wh: NDArray[np.float32], days: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The level after one more day, whose usage without its weekday's share is `day_wh`; (n,) each.

    The plain mean of the first days, then an exponentially weighted one.

    >>> one = np.ones(1, np.float32)
    >>> float(smoothed_level(10_000 * one, 13_000 * one, days=2 * one)[0])
    11000.0
    """
    rate = np.maximum(1 / (days + 1), np.float32(LEVEL_RATE))
    after: NDArray[np.float32] = level_wh + rate * (day_wh - level_wh)
    return after


def pinball_step(
    quantile: NDArray[np.float32], wanted: float, value: NDArray[np.float32], rate: Any
) -> NDArray[np.float32]:
    """A running quantile after one more value: a step down the gradient of the pinball loss.

    (Koenker and Bassett 1978; the quantile rests where a share `wanted` of values lies below it.)

    >>> pinball_step(np.zeros(2), 0.9, np.array([1.0, -1.0]), 0.5)
    array([ 0.45, -0.05])
    """
    after: NDArray[np.float32] = quantile + rate * (wanted - (value < quantile))
    return after


def _learn_errors(
    rows: NDArray[Any], told: NDArray[np.bool_], error_share: NDArray[np.float32]
) -> None:
    """Move P10 and P90 of the day-ahead error, where the day before was learned too."""
    known = rows["error_share"][:, 1] != rows["error_share"][:, 0]
    quantile = np.where(known[:, None], rows["error_share"], FIRST_ERROR)
    rate = np.where(told, np.maximum(1 / (rows["days"] + 1.0), QUANTILE_RATE), 0)
    for column, wanted in enumerate(QUANTILES):
        rows["error_share"][:, column] = pinball_step(
            quantile[:, column], wanted, error_share, rate
        )


def _learn_period_share(rows: NDArray[Any], used_wh: NDArray[np.int64]) -> None:
    """Shares of the open months' usage (k, 2, R), once they hold two days' worth."""
    used = used_wh.sum(axis=1).astype(np.float32)
    total = np.einsum("kr->k", used)
    enough = total > np.maximum(2 * rows["level_wh"], 1)
    share = used / np.maximum(total, 1)[:, None]
    rows["period_share"] = np.where(enough[:, None], share, rows["period_share"])


def _rest_share(
    hour_load: NDArray[np.float32],
    known: NDArray[np.bool_],
    elapsed_seconds: NDArray[np.int64],
    left_seconds: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Share of today's energy still to come: by the hours' loads, by time while a day is not known.

    On the first day the hours to come have not been seen: they must not look empty.  Exact to a
    quarter of an hour; on the two days a year when clocks change, to an hour.
    """
    quarter = np.clip(elapsed_seconds // SLOT_SECONDS, 0, 96)
    whole = np.einsum("nh->n", hour_load)
    to_come = np.einsum("nh,nh->n", hour_load, _QUARTERS_TO_COME.take(quarter, axis=0))
    by_time = (left_seconds / SECONDS_PER_DAY).astype(np.float32)
    share: NDArray[np.float32] = np.where(
        known & (whole > 0), to_come / np.maximum(whole, 1), np.clip(by_time, 0, 1)
    )
    return share


def _spread(
    learned: NDArray[Any], known: NDArray[np.bool_], left_seconds: NDArray[np.int64]
) -> NDArray[np.float32]:
    """P10 and P90 of the sum of days over its median, (2, n, H); P10 stays above nothing at all."""
    error = learned["error_share"].T
    if not known.all():
        error = np.where(known, error, COLD_ERROR)
    today = np.minimum((left_seconds - 1) // _TODAY_STEP_SECONDS, _TODAY_STEPS - 1)
    days = np.minimum(learned["days"], _KNOWN_DAYS - 1).astype(np.int64)
    growth = _SPREAD_GROWTH.take(days * _TODAY_STEPS + today, axis=0)
    reach = np.empty((2, len(learned), 1), np.float32)
    np.clip(error[0], -MOST_BELOW / growth[:, 0], 0, out=reach[0, :, 0])
    np.maximum(error[1], 0, out=reach[1, :, 0])
    factor: NDArray[np.float32] = growth * reach
    factor += 1
    return factor
