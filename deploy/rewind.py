"""What would Kilowatch have told, had it lived through these days?

Lives through the days of a file one local midnight after the other with the very functions of the
stream (`forecast.learn`, `forecast.forecast`, `runway.runway_hours`), keeps what was told, and
plays prepaying customers to see which warnings would have come.  How good that was is told in
`marks`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from deploy.outdoors import area
from deploy.purses import Purses
from scoring.book import LEARNED, Accounts, empty_ledger
from scoring.calendar import EPOCH_DAY
from scoring.days import DaysClosed
from scoring.forecast import HORIZON_DAYS, Forecast, Knowledge, forecast, learn
from scoring.pools import Pools
from scoring.tariff import Tariffs
from scoring.units import SECONDS_PER_DAY, SECONDS_PER_HOUR
from scoring.usage import learn_load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from deploy.days import Days
    from deploy.outdoors import Outdoors
    from deploy.purses import Warned
    from scoring.day_kinds import DayKinds

SKIPPED_DAYS = 28
"""Of each customer, from its first whole day on: everyone needs some days to know anybody."""

LONGEST_SPAN = 28
"""Days of the longest sum whose interval is judged."""

NO_TARIFFS = Tariffs()
"""Days are UTC days then: the days of a file are laid out already."""

RULES = ("yesterday", "same day last week", "mean of 7 days", "mean of 4 same weekdays")

LOOK_SECONDS = 3 * SECONDS_PER_HOUR
"""How often a meter is read in a backtest: every quarter-hour would cost minutes and change
little, since ticks warn between readings."""

NOON_SECONDS = SECONDS_PER_DAY // 2


@dataclass(frozen=True, slots=True)
class Told:
    """What was told at the midnight before each day, (d, n) unless said otherwise; NaN: nothing.

    `ahead_wh` (d, n, H) medians; `low_wh`, `high_wh` (d, n, LONGEST_SPAN) P10 and P90 of sums;
    `noon_wh` the whole day as told at noon; `simple_wh` (rules, d, n); `scored` the whole days that
    count.
    """

    ahead_wh: NDArray[np.float32]
    low_wh: NDArray[np.float32]
    high_wh: NDArray[np.float32]
    noon_wh: NDArray[np.float32]
    simple_wh: NDArray[np.float64]
    scored: NDArray[np.bool_]
    warned: Warned


def live_through(
    days: Days,
    kinds: DayKinds,
    seed: int = 0,
    passed: Callable[[], None] = lambda: None,
    outdoors: Outdoors | None = None,
) -> Told:
    """Live through all days; `passed` is called after each."""
    count, n = days.used_wh.shape
    accounts = Accounts(empty_ledger(n), np.zeros(n, LEARNED), np.full(n, -1))
    accounts.ledger["customer_class"] = days.customer_class()
    accounts.ledger["max_power_w"] = days.contract_power_w()
    accounts.ledger["area"] = [area(number) for number in range(n)]
    knowledge = Knowledge(kinds, Pools(), np.arange(n))
    whole = np.isfinite(days.used_wh)
    first = np.where(whole.any(axis=0), whole.argmax(axis=0), count)
    scored = whole & (np.arange(count)[:, None] >= first + SKIPPED_DAYS)
    ahead = np.full((count, n, HORIZON_DAYS), np.nan, np.float32)
    low, high = (np.full((count, n, LONGEST_SPAN), np.nan, np.float32) for _ in range(2))
    noon = np.full((count, n), np.nan, np.float32)
    simple = simple_rules(days.used_wh)
    mean_month = _mean_of(_back(days.used_wh, range(1, 29)))
    purses = Purses(days, simple[2], mean_month, scored, np.random.default_rng(seed))
    for number in range(count):
        day = days.first_day + number
        accounts.ledger["day"], accounts.ledger["day_wh"] = np.where(whole[number], day, 0), 0
        purses.midnight(number)
        look, at_noon = _live_a_day(accounts, days, number, purses)
        known = np.flatnonzero(accounts.learned["days"] > 0)
        ahead[number, known] = look.ahead_wh[known]
        sums = np.cumsum(look.ahead_wh[known, :LONGEST_SPAN], axis=1)
        low[number, known] = sums * look.low_factor[known, :LONGEST_SPAN]
        high[number, known] = sums * look.high_factor[known, :LONGEST_SPAN]
        noon[number, known] = at_noon[known]
        if outdoors is not None:
            knowledge = replace(knowledge, degree_days=outdoors.as_known_after(day))
        _close(accounts, knowledge, day, days.used_wh[number])
        passed()
    scored &= np.isfinite(ahead[..., 0])
    return Told(ahead, low, high, noon, simple, scored, purses.warned())


def _live_a_day(
    accounts: Accounts, days: Days, number: int, purses: Purses
) -> tuple[Forecast, NDArray[np.float32]]:
    """Read the meters every few hours of this day.

    What was told at its midnight, and the whole day (n,) as told when half of it was over.  Between
    two midnights only the ledger changes, so that all looks of a day are one block: a block of few
    accounts costs little less than one of many.
    """
    midnight = (days.first_day + number - EPOCH_DAY) * SECONDS_PER_DAY
    interval_wh, length = days.interval_wh[number], days.interval_seconds
    here = np.flatnonzero(accounts.ledger["day"])
    at_once = max(1, LOOK_SECONDS // length)
    seconds, ledgers = [], []
    for slot in range(0, len(interval_wh), at_once):
        if slot * length < SECONDS_PER_DAY:  # the 25th hour of a day is used, not looked at
            seconds.append(slot * length)
            ledgers.append(accounts.ledger.copy())
        part = interval_wh[slot : slot + at_once]
        _count(accounts, here, part, midnight + slot * length, length)
    n, looks = len(accounts), len(seconds)
    learned, tariff = np.tile(accounts.learned, looks), np.tile(accounts.tariff_index, looks)
    block = Accounts(np.concatenate(ledgers), learned, tariff)
    told = forecast(block, NO_TARIFFS, np.repeat(midnight + np.array(seconds), n))
    purses.live(number, [each / SECONDS_PER_HOUR for each in seconds], told, interval_wh, at_once)
    noon = sum(each <= NOON_SECONDS for each in seconds) - 1
    return told, told.today_wh[noon * n : (noon + 1) * n]


def _count(
    accounts: Accounts,
    here: NDArray[np.int64],
    interval_wh: NDArray[np.float32],
    start: int,
    length: int,
) -> None:
    """Count intervals (s, n) of the accounts `here` toward today and their hours' loads."""
    rows = accounts.ledger[here]
    for number, energy in enumerate(np.rint(interval_wh[:, here]).astype(np.int64)):
        rows["day_wh"] += energy
        begin = np.full(len(rows), start + number * length)
        learn_load(rows, energy, begin, begin // SECONDS_PER_HOUR % 24, begin + length)
    accounts.ledger[here] = rows


def _close(
    accounts: Accounts, knowledge: Knowledge, day: int, used_wh: NDArray[np.float64]
) -> None:
    """Close the whole ones of this day; an account's first is preceded by a part of a day."""
    here = np.flatnonzero(np.isfinite(used_wh))
    new = here[accounts.learned["last_day"][here] == 0]
    for position, when in ((new, day - 1), (here, day)):
        nothing = np.zeros(len(position), np.int64)
        wh = nothing if when < day else used_wh[position].astype(np.int64)
        accounts.ledger["used_wh"][position, 0, 0] += np.asarray(wh, np.int64)
        learn(accounts, DaysClosed(position, nothing + when, wh, nothing), knowledge)
    knowledge.pools.learn()


def simple_rules(used_wh: NDArray[np.float64]) -> NDArray[np.float64]:
    """What the simple RULES say of each day, (rules, d, n), from what is known of their days.

    Where all of a rule's days are unknown it says the last known day.
    """
    last = _back(used_wh, (1,))[0]
    for number in range(1, len(last)):
        last[number] = np.where(np.isnan(last[number]), last[number - 1], last[number])
    said = [_mean_of(_back(used_wh, days)) for days in ((1,), (7,), range(1, 8), (7, 14, 21, 28))]
    return np.stack([np.where(np.isnan(each), last, each) for each in said])


def _back(used_wh: NDArray[np.float64], days: Iterable[int]) -> NDArray[np.float64]:
    """The days so far back, (k, d, n)."""
    past = np.full_like(used_wh, np.nan)
    return np.stack([np.vstack([past[:back], used_wh[:-back]])[: len(past)] for back in days])


def _mean_of(days: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of the known ones of k days (k, d, n), NaN where none is."""
    known = np.isfinite(days)
    seen = known.sum(axis=0)
    total = np.where(known, days, 0).sum(axis=0)
    return np.where(seen > 0, total / np.maximum(seen, 1), np.nan)
