"""Would customers who prepay have been warned in time?

Plays buyers with a stated behaviour through the days of a file and warns them by two rules that
look at the same instants: that of the worker, and the runway that prepayment meters show today,
what is left over the mean of the last seven days.  Money is energy here: a watt-hour costs a nano.
How good the warnings were is told in `marks`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from scoring.rules import SURE_MARGIN_HOURS
from scoring.runway import P10, runway_hours

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from deploy.days import Days
    from scoring.forecast import Forecast

PROMISED_HOURS = 24
"""What a warning is for: a day in which money can still be brought."""

OUR_HOURS = PROMISED_HOURS + SURE_MARGIN_HOURS
"""The worker's third warning, with its default of one day (`scoring.warning`): P10 of the runway.
It is fixed beforehand, and the same for every file."""

MEAN_WEEK_HOURS = tuple(range(PROMISED_HOURS, 313, 4))
"""The 7-day mean is given every threshold, and judged at the one that suits it best."""

LEAST_PURCHASE_DAYS, MOST_PURCHASE_DAYS = 7, 35
"""The stated prepayment behaviour: a customer buys energy for so many of its mean days, drawn anew
each time, and buys again the midnight after the money has run out; no warning changes that, so
that every warning can be judged."""

LEAST_BUYERS_EACH, LEAST_BUYERS = 4, 200
"""Each customer is played so many times side by side, buying on other days, and as often as makes
so many buyers in all: needless warnings are so few that those of four buyers of one works, 2 to 10
a year, are the dice of their purchases."""


@dataclass(frozen=True, slots=True)
class Warned:
    """Lead times of the warnings of exhaustions, hours, NaN where no warning came.

    `ours` (exhaustions,) by the worker's rule, `mean_week` (exhaustions, MEAN_WEEK_HOURS).
    """

    ours: NDArray[np.float64]
    mean_week: NDArray[np.float64]
    account_days: int


class Purses:
    """The buyers of all customers, side by side, and the hours since the first midnight."""

    def __init__(
        self,
        days: Days,
        mean_week_wh: NDArray[np.float64],
        mean_month_wh: NDArray[np.float64],
        scored: NDArray[np.bool_],
        chance: np.random.Generator,
    ) -> None:
        self._scored, self._chance = scored, chance
        self._mean_week, self._mean_month = mean_week_wh, mean_month_wh
        self._interval_hours = days.interval_seconds / 3600
        customers = days.used_wh.shape[1]
        self._buyers = max(LEAST_BUYERS_EACH, -(-LEAST_BUYERS // customers))
        count = customers * self._buyers
        self._left = np.zeros(count, np.int64)
        self._active = np.zeros(count, np.bool_)
        self._bought_at = np.zeros(count)
        self._thresholds = np.array((OUR_HOURS, *MEAN_WEEK_HOURS), np.float64)[:, None]
        self._warns_at = np.full((len(self._thresholds), count), np.inf)
        self._leads: list[NDArray[np.float64]] = []
        self._account_days = 0

    def midnight(self, number: int) -> None:
        """Buy where the money ran out on the day before; an unknown day begins everything again."""
        takes_part = self._each(self._scored[number])
        self._account_days += int(takes_part.sum())
        self._left[~takes_part] = 0
        mean_wh = np.nan_to_num(self._each(self._mean_month[number]))
        buys = takes_part & (self._left <= 0) & (mean_wh > 0)
        days = self._chance.uniform(LEAST_PURCHASE_DAYS, MOST_PURCHASE_DAYS, len(buys))
        self._left[buys] = np.maximum(days * mean_wh, 1)[buys].astype(np.int64)
        self._warns_at[:, buys | ~takes_part] = np.inf
        self._bought_at[buys] = 24.0 * number
        self._active = takes_part & (self._left > 0)

    def live(
        self,
        number: int,
        hours: list[float],
        told: Forecast,
        interval_wh: NDArray[np.float32],
        at_once: int,
    ) -> None:
        """Look at the meters at these `hours` of the day, and use its intervals (s, n) between.

        `told` of all looks, one after the other; after each, `at_once` intervals are used.
        """
        slots = range(0, len(interval_wh), at_once)
        used = [np.cumsum(interval_wh[s : s + at_once], axis=0, dtype=np.float64) for s in slots]
        before = np.cumsum([np.zeros(used[0].shape[1]), *(np.rint(u[-1]) for u in used)], axis=0)
        looks = len(hours)
        left = self._left - self._each(before[:looks].astype(np.int64), axis=1)
        charge = np.cumsum(told.ahead_wh, axis=1, dtype=np.float64)
        ours = runway_hours(
            left.ravel(),
            self._each_look(charge, looks),
            self._each_look(told.today_hours, looks),
            self._each_look(told.low_factor, looks),
            self._each_look(told.high_factor, looks),
        )[:, P10].reshape(looks, -1)
        with np.errstate(divide="ignore", invalid="ignore"):
            week = np.nan_to_num(24 * left / self._each(self._mean_week[number]), nan=np.inf)
        for place, slot in enumerate(slots):
            if place < looks:
                self._look(24.0 * number + hours[place], ours[place], week[place])
            self._use(24.0 * number + slot * self._interval_hours, used[place])

    def _look(self, now: float, ours: NDArray[np.float32], week: NDArray[np.float64]) -> None:
        """Note when each rule will warn, if nothing more is read: ticks warn of silence too."""
        here = np.flatnonzero(self._active)
        hours = np.repeat(week[None, here], len(self._thresholds), axis=0)
        hours[0] = ours[here]
        hours -= self._thresholds
        np.maximum(hours, 0, out=hours)
        hours += now
        noted = self._warns_at[:, here]
        np.copyto(noted, hours, where=noted > now)
        self._warns_at[:, here] = noted

    def _use(self, now: float, used_wh: NDArray[np.float64]) -> None:
        """Use some intervals that begin at hour `now`; `used_wh` (s, n) by the end of each."""
        used = self._each(used_wh, axis=1)
        ends = self._active & (used[-1] >= self._left)
        for buyer in np.flatnonzero(ends).tolist():
            slot = int(np.argmax(used[:, buyer] >= self._left[buyer]))
            at = now + (slot + 1) * self._interval_hours
            if at - self._bought_at[buyer] >= PROMISED_HOURS:  # else nobody could warn a day ahead
                warned_at = self._warns_at[:, buyer]
                self._leads.append(np.where(warned_at < at, at - warned_at, np.nan))
        self._left -= np.where(self._active, np.rint(used[-1]), 0).astype(np.int64)
        self._active &= ~ends

    def warned(self) -> Warned:
        """All exhaustions so far."""
        leads = np.array(self._leads).reshape(-1, len(self._thresholds))
        return Warned(leads[:, 0], leads[:, 1:], self._account_days)

    def _each(self, values: NDArray[Any], axis: int = 0) -> NDArray[Any]:
        """The values of customers (along `axis`) for each of their buyers."""
        return np.concatenate([values] * self._buyers, axis)

    def _each_look(self, values: NDArray[Any], looks: int) -> NDArray[Any]:
        """The values (looks x n, ...) for each buyer at each look, look by look."""
        by_look = values.reshape(looks, 1, -1, *values.shape[1:])
        whole = np.broadcast_to(by_look, (looks, self._buyers, *by_look.shape[2:]))
        return whole.reshape(-1, *values.shape[1:])
