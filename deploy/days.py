"""What did each customer of a file use on each local day, and which days are whole?

Lays the intervals of a wide table of readings on local days, so that a backtest can live through
them one midnight after the other.  A day with any interval missing is not whole and counts as
unknown: nothing is filled in here (bridging is `scoring.forecast`'s).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING

import numpy as np

from scoring.calendar import EPOCH_DAY, FIRST_SLOT, zone_table
from scoring.events import CustomerClass
from scoring.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, SLOT_SECONDS
from simulator.replay import BUSINESS_POWER_W, LARGE_POWER_W, POWER_MARGIN
from simulator.table import FileWrong, TimesLocal, read_table

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SHORTEST_DAY_SECONDS = 23 * SECONDS_PER_HOUR


@dataclass(frozen=True, slots=True)
class Days:
    """n customers through d local days of s intervals at most.

    `first_day` is a proleptic ordinal; `used_wh` (d, n) is NaN where a day is not whole;
    `interval_wh` (d, s, n) are the same days' intervals, 0 where there is none.
    """

    customers: list[str]
    first_day: int
    used_wh: NDArray[np.float64]
    interval_wh: NDArray[np.float32]
    interval_seconds: int

    def __len__(self) -> int:
        return len(self.used_wh)

    def contract_power_w(self) -> NDArray[np.float64]:
        """The contract power that each customer's busiest interval needs."""
        most_wh = self.interval_wh.max(axis=(0, 1)).astype(np.float64)
        power_w: NDArray[np.float64] = most_wh * SECONDS_PER_HOUR / self.interval_seconds
        return power_w * POWER_MARGIN

    def customer_class(self) -> NDArray[np.uint8]:
        """The class of each customer by its contract power."""
        power_w = self.contract_power_w()
        classes = list(CustomerClass)
        large, business = (classes.index(c) for c in (CustomerClass.LARGE, CustomerClass.BUSINESS))
        home = classes.index(CustomerClass.RESIDENT)
        chosen = np.where(power_w >= BUSINESS_POWER_W, business, home)
        return np.where(power_w >= LARGE_POWER_W, large, chosen).astype(np.uint8)


def read_days(
    path: Path,
    zone: str | None,
    columns: list[str] | None = None,
    first: str | None = None,
    last: str | None = None,
) -> Days:
    """The days of a file; `zone` names the customers' zone where the file's times are UTC.

    Local times are taken as they stand.  `columns` chooses customers, `first` and `last` local
    dates.  Raises FileWrong with what to do.
    """
    try:
        table = read_table(path, None)
        local = table.starts_at + _offset_seconds(table.starts_at, zone or "UTC")
    except TimesLocal:
        table = read_table(path, UTC)
        local = table.starts_at
    unknown = set(columns or ()) - set(table.customers)
    if unknown:
        raise FileWrong(f"{path} has no column {', '.join(sorted(unknown))}")
    chosen = [c for c in table.customers if not columns or c in columns]
    kwh = table.kwh[:, [table.customers.index(c) for c in chosen]]
    day = local // SECONDS_PER_DAY
    epoch = np.datetime64("1970-01-01")
    start = (np.datetime64(first) - epoch).astype(int) if first else day.min()
    end = (np.datetime64(last) - epoch).astype(int) if last else day.max()
    kept = (day >= start) & (day <= end)
    if not kept.any():
        raise FileWrong(f"{path} has no readings from {first} to {last}")
    return _laid(chosen, local[kept], kwh[kept], table.interval_seconds)


def _offset_seconds(at: NDArray[np.int64], zone: str) -> NDArray[np.int64]:
    slot = at // SLOT_SECONDS - FIRST_SLOT
    return zone_table(zone).offset_slots[slot].astype(np.int64) * SLOT_SECONDS


def _laid(
    customers: list[str],
    local: NDArray[np.int64],
    kwh: NDArray[np.float64],
    interval_seconds: int,
) -> Days:
    day = local // SECONDS_PER_DAY
    first, count = int(day.min()), int(day.max() - day.min()) + 1
    place = np.searchsorted(day, np.arange(first, first + count))
    slot = np.arange(len(day)) - place[day - first]
    rows = np.bincount(day - first, minlength=count)
    known = np.isfinite(kwh) & (kwh >= 0)
    interval_wh = np.zeros((count, int(rows.max()), len(customers)), np.float32)
    interval_wh[day - first, slot] = np.where(known, kwh * 1000, 0)
    seen = np.zeros((count, len(customers)), np.int64)
    np.add.at(seen, day - first, known)
    whole = (seen == rows[:, None]) & (rows * interval_seconds >= SHORTEST_DAY_SECONDS)[:, None]
    used_wh = np.where(whole, np.rint(interval_wh.sum(axis=1, dtype=np.float64)), np.nan)
    return Days(customers, first + EPOCH_DAY, used_wh, interval_wh, interval_seconds)
