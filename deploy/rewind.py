"""What would Kilowatch have told, had it lived through these days?

Lives through the days of a file one local midnight after the other with the very functions of the
stream (`forecast.learn`, `forecast.forecast`, `runway.runway_hours`), keeps what was told, and
plays prepaying customers to see which warnings would have come.  How good that was is told in
`marks`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scoring.book import LEARNED, Accounts, empty_ledger
from scoring.calendar import EPOCH_DAY
from scoring.days import DaysClosed
from scoring.forecast import HORIZON_DAYS, Forecast, Knowledge, forecast, learn
from scoring.pools import Pools
from scoring.runway import P10, runway_hours
from scoring.tariff import Tariffs
from scoring.units import SECONDS_PER_DAY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from deploy.days import Days
    from scoring.day_kinds import DayKinds

SKIPPED_DAYS = 28
"""Of each customer, from its first whole day on: everyone needs some days to know anybody."""

RULES = ("yesterday", "same day last week", "mean of 7 days", "mean of 4 same weekdays")

WARN_HOURS = tuple(range(26, 241, 2))
"""Thresholds of the runway at which a warning may be given, tried side by side."""

LEAST_PURCHASE_DAYS, MOST_PURCHASE_DAYS = 7, 35
"""The stated prepayment behaviour: a customer buys energy for so many of its mean days, drawn anew
each time, and buys again the midnight after the money has run out; no warning changes that, so
that every warning can be judged."""


@dataclass(frozen=True, slots=True)
class Told:
    """What was told at the midnight before each day, (d, n) unless said otherwise; NaN: nothing.

    `ahead_wh` (d, n, H) medians; `low_wh`, `high_wh` (d, n, 7) P10 and P90 of sums; `simple_wh`
    (rules, d, n); `scored` the whole days that count.
    """

    ahead_wh: NDArray[np.float32]
    low_wh: NDArray[np.float32]
    high_wh: NDArray[np.float32]
    simple_wh: NDArray[np.float64]
    scored: NDArray[np.bool_]
    warned: Warned


@dataclass(slots=True)
class Warned:
    """Lead times of the warnings of exhaustions, hours: (exhaustions, thresholds), NaN never.

    `ours` warns by P10 of the runway, `mean_week` by what is left over the mean of 7 days.
    """

    ours: NDArray[np.float64]
    mean_week: NDArray[np.float64]
    account_days: int


def live_through(
    days: Days, kinds: DayKinds, seed: int = 0, passed: Callable[[], None] = lambda: None
) -> Told:
    """Live through all days; `passed` is called after each."""
    count, n = days.used_wh.shape
    accounts = Accounts(empty_ledger(n), np.zeros(n, LEARNED), np.full(n, -1))
    accounts.ledger["customer_class"] = days.customer_class()
    knowledge = Knowledge(kinds, Pools(), np.arange(n))
    whole = np.isfinite(days.used_wh)
    first = np.where(whole.any(axis=0), whole.argmax(axis=0), count)
    scored = whole & (np.arange(count)[:, None] >= first + SKIPPED_DAYS)
    ahead = np.full((count, n, HORIZON_DAYS), np.nan, np.float32)
    low, high = (np.full((count, n, 7), np.nan, np.float32) for _ in range(2))
    simple = simple_rules(days.used_wh)
    purses = Purses(days, simple[2], scored, np.random.default_rng(seed))
    for number in range(count):
        day = days.first_day + number
        look = forecast(accounts, Tariffs(), np.full(n, (day - EPOCH_DAY) * SECONDS_PER_DAY))
        known = accounts.learned["days"] > 0
        ahead[number, known] = look.ahead_wh[known]
        sums = np.cumsum(look.ahead_wh[:, :7], axis=1)
        low[number, known] = (sums * look.low_factor[:, :7])[known]
        high[number, known] = (sums * look.high_factor[:, :7])[known]
        purses.midnight(number, look)
        _close(accounts, knowledge, day, days.used_wh[number])
        passed()
    return Told(ahead, low, high, simple, scored & np.isfinite(ahead[..., 0]), purses.warned())


def _close(
    accounts: Accounts, knowledge: Knowledge, day: int, used_wh: NDArray[np.float64]
) -> None:
    """Close the whole ones of this day; an account's first is preceded by a part of a day."""
    here = np.flatnonzero(np.isfinite(used_wh))
    new = here[accounts.learned["last_day"][here] == 0]
    for position, when in ((new, day - 1), (here, day)):
        nothing = np.zeros(len(position), np.int64)
        wh = nothing if when < day else used_wh[position].astype(np.int64)
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


class Purses:
    """Prepaying customers whose energy is money: a watt-hour costs a nano."""

    def __init__(
        self,
        days: Days,
        mean_week_wh: NDArray[np.float64],
        scored: NDArray[np.bool_],
        chance: np.random.Generator,
    ) -> None:
        self._days, self._mean_week, self._scored, self._chance = days, mean_week_wh, scored, chance
        self._mean_month = _mean_of(_back(days.used_wh, range(1, 29)))
        n = days.used_wh.shape[1]
        self._left = np.zeros(n, np.int64)
        self._warned_at = np.full((2, len(WARN_HOURS), n), np.nan)
        self._bought_at = np.zeros(n)
        self._leads: list[NDArray[np.float64]] = []
        self._account_days = 0

    def midnight(self, number: int, look: Forecast) -> None:
        """Buy, look, warn, and use the day's energy."""
        taking_part = self._scored[number]
        self._account_days += int(taking_part.sum())
        self._left[~taking_part] = 0  # an unknown day: what is left is unknown, begin again
        mean_wh = self._mean_week[number]
        buys = taking_part & (self._left <= 0) & (self._mean_month[number] > 0)
        days = self._chance.uniform(LEAST_PURCHASE_DAYS, MOST_PURCHASE_DAYS, len(buys))
        bought = days * self._mean_month[number]
        self._left = np.where(buys, np.maximum(np.nan_to_num(bought), 1), self._left).astype(
            np.int64
        )
        self._warned_at[..., buys | ~taking_part] = np.nan
        self._bought_at[buys] = 24.0 * number
        active = taking_part & (self._left > 0)
        charge = np.cumsum(look.ahead_wh, axis=1, dtype=np.float64)
        ours = runway_hours(
            self._left, charge, look.today_hours, look.low_factor, look.high_factor
        )[:, P10]
        with np.errstate(divide="ignore", invalid="ignore"):
            rule = 24 * self._left / mean_wh
        now = 24.0 * number
        for which, hours in enumerate((ours, rule)):
            short = active & (hours < np.array(WARN_HOURS)[:, None])
            at = self._warned_at[which]
            at[short & np.isnan(at)] = now
        self._use(number, active, now)

    def _use(self, number: int, active: NDArray[np.bool_], now: float) -> None:
        used = np.cumsum(self._days.interval_wh[number], axis=0, dtype=np.float64)
        ends = active & (used[-1] >= self._left)
        for customer in np.flatnonzero(ends).tolist():
            slot = int(np.argmax(used[:, customer] >= self._left[customer]))
            at = now + (slot + 1) * self._days.interval_seconds / 3600
            if at - self._bought_at[customer] >= 24:  # else nobody could warn a day ahead
                self._leads.append(at - self._warned_at[..., customer])
        self._left[active] -= np.rint(used[-1][active]).astype(np.int64)

    def warned(self) -> Warned:
        """All exhaustions so far."""
        leads = np.array(self._leads).reshape(-1, 2, len(WARN_HOURS))
        return Warned(leads[:, 0], leads[:, 1], self._account_days)
