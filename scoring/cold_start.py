"""What can be forecast of an account before its days are known?

Honest guesses from its contract, the hours seen so far and its tariff's calendar, wide as they are
(`forecast.COLD_ERROR`); they stand apart because they are asked once in an account's life and hold
planning figures that a utility may replace by its own.  Whatever is learned from whole days
(`forecast.learn`) takes their place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scoring.events import MAX_RATE_PERIODS, CustomerClass
from scoring.units import SECONDS_PER_HOUR

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scoring.tariff import Tariffs

CONTRACT_LOAD_SHARE = {
    CustomerClass.RESIDENT: 0.05,
    CustomerClass.BUSINESS: 0.15,
    CustomerClass.LARGE: 0.35,
}
"""Mean load over contract power, where nothing else is known yet: planning figures, not measured
here; the wide first spread covers them."""

CONTRACT_WORTH_HOURS = 6
"""The contract's mean load weighs as much as this many seen hours of the running day."""

UNSEEN_SHARE = 1 / 200
"""An hour whose load is not known yet counts as this share of all known hours: not as empty."""

LOAD_UNIT = np.float32(1 / 65_535)
"""`hour_load` is written in this part of the contract power."""

DAY_START_BELOW = 2**33
"""Any instant of the calendar is a smaller number of seconds (the year 2242)."""

_SHARE_BY_CLASS = np.array([CONTRACT_LOAD_SHARE[c] for c in CustomerClass], np.float32)


def level_before_days_wh(
    ledger: NDArray[Any], hour_load: NDArray[np.float32], at_least_wh: NDArray[np.float32]
) -> NDArray[np.float32]:
    """A day's energy from the hours seen so far, the contract power weighing as six hours."""
    power_w = ledger["max_power_w"].astype(np.float32)
    contract_w = power_w * _SHARE_BY_CLASS.take(ledger["customer_class"], mode="clip")
    seen_hours = (hour_load > 0).sum(axis=1)
    seen_wh = hour_load.sum(axis=1) * power_w * LOAD_UNIT
    mean_w = (seen_wh + CONTRACT_WORTH_HOURS * contract_w) / (seen_hours + CONTRACT_WORTH_HOURS)
    level_wh: NDArray[np.float32] = np.maximum(24 * mean_w, at_least_wh).astype(np.float32)
    return level_wh


def period_share_by_hours(
    tariffs: Tariffs,
    index: NDArray[np.int64],
    hour_load: NDArray[np.float32],
    day_start: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Share of each rate period (n, R): the calendar of each local day, weighed by hours' loads.

    `index` (n,) tariffs, `hour_load` (n, 24), `day_start` (n,) the day's first instant.  Accounts
    of one tariff and day are taken together; a block holds few of either.
    """
    share = np.zeros((len(index), MAX_RATE_PERIODS), np.float32)
    kind = index * DAY_START_BELOW + day_start
    for one in np.unique(kind):
        rows = np.flatnonzero(kind == one)
        hours = day_start[rows[0]] + np.arange(24) * SECONDS_PER_HOUR
        period = tariffs.period_of(np.full(24, index[rows[0]]), hours)
        load = hour_load[rows]
        whole = np.einsum("nh->n", load)
        unseen = np.maximum(whole * np.float32(UNSEEN_SHARE), 1)
        whole += 24 * unseen
        for rate in np.unique(period):
            in_period = np.flatnonzero(period == rate)
            part = np.einsum("nh->n", load[:, in_period]) + len(in_period) * unseen
            share[rows, rate] = part / whole
    return share
