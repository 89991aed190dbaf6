"""What did each customer of a file use on each local day, and which days are whole?

Lays the intervals of a wide table of readings on local days, so that a backtest can live through
them one midnight after the other.  A day with any interval missing is not whole and counts as
unknown: nothing is filled in here (bridging is `scoring.forecast`'s).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from scoring.calendar import END_YEAR, EPOCH_DAY, FIRST_SLOT, FIRST_YEAR, zone_table
from scoring.events import CustomerClass
from scoring.forecast import HORIZON_DAYS
from scoring.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, SLOT_SECONDS
from simulator.replay import BUSINESS_POWER_W, LARGE_POWER_W, POWER_MARGIN
from simulator.table import FileWrong, read_local_or_utc

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

MOST_INTERVAL_KWH = 1e7
"""More is no customer's: 40 GW for a quarter of an hour."""
MOST_GAPS = 50
"""A file with fewer than one row for so many intervals is no file of readings."""


@dataclass(frozen=True, slots=True)
class Days:
    """n customers through d local days of s intervals at most.

    `first_day` is a proleptic ordinal; `used_wh` (d, n) is NaN where a day is not whole;
    `interval_wh` (d, s, n) are the same days' intervals, 0 where there is none.  `backwards` counts
    intervals of the file below nothing, which are unknown: what a home feeds in is no use of it.
    """

    customers: list[str]
    first_day: int
    used_wh: NDArray[np.float64]
    interval_wh: NDArray[np.float32]
    interval_seconds: int
    backwards: int

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
    time_column: str | None = None,
) -> Days:
    """The days of a file; `zone` names the customers' zone where the file's times are UTC.

    Local times are taken as they stand.  `columns` chooses customers, `first` and `last` local
    dates, `time_column` names the starts of intervals.  Raises FileWrong with what to do.
    """
    zone = zone or "UTC"
    zone_table(zone)  # also where it is not needed: a wrong word is said, not passed over
    table, zone = read_local_or_utc(path, zone, time_column, columns)
    kwh = table.kwh
    backwards = int((kwh < 0).sum())
    kwh = np.where(np.isfinite(kwh) & (kwh >= 0), kwh, np.nan)  # no meter of use runs backwards
    if np.nanmax(kwh, initial=0) > MOST_INTERVAL_KWH:
        raise FileWrong(f"{path} has {np.nanmax(kwh):.3g} kWh in one interval: is it in Wh?")
    starts_at, kwh = _whole_grid(path, table.starts_at, kwh, table.interval_seconds)
    day = local_seconds(path, starts_at, zone) // SECONDS_PER_DAY
    start, end = (_day_of(word) for word in (first, last))
    with_data = day[np.isfinite(kwh).any(axis=1)]
    if not len(with_data):
        raise FileWrong(f"{path} has no readings at all")
    kept = (day >= (start or with_data[0])) & (day <= (end or with_data[-1]))
    if not np.isfinite(kwh[kept]).any():
        raise FileWrong(f"{path} has no readings from {first} to {last}")
    return _laid(table.customers, day[kept], kwh[kept], table.interval_seconds, backwards)


def _whole_grid(
    path: Path, starts_at: NDArray[np.int64], kwh: NDArray[np.float64], length: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """All intervals of all days that the rows touch, NaN where the file has no row."""
    offset = starts_at - starts_at[0]
    stray = np.flatnonzero(offset % length)
    if len(stray):
        raise FileWrong(f"{path} has rows between its intervals of {length} s, as row {stray[0]}")
    before = (SECONDS_PER_DAY + 2 * SECONDS_PER_HOUR) // length  # any local day has its midnight
    count = int(offset[-1] // length) + 1 + 2 * before
    if count > MOST_GAPS * (len(starts_at) + 2 * before):
        raise FileWrong(f"{path} is nearly all gaps: {len(starts_at)} rows for {count} intervals")
    whole = np.full((count, kwh.shape[1]), np.nan)
    whole[offset // length + before] = kwh
    return starts_at[0] + (np.arange(count) - before) * length, whole


def _day_of(word: str | None) -> int | None:
    """Days since 1970 of a date as people write it."""
    if word is None:
        return None
    try:
        return date.fromisoformat(word).toordinal() - EPOCH_DAY
    except ValueError as error:
        raise FileWrong(f"{word!r} is no date; write 2024-01-31") from error


def local_seconds(path: Path, at: NDArray[np.int64], zone: str) -> NDArray[np.int64]:
    """Wall-clock seconds; days must be ones whose calendar is known."""
    slot = at // SLOT_SECONDS - FIRST_SLOT
    offsets = zone_table(zone).offset_slots
    room = (HORIZON_DAYS + 2) * SECONDS_PER_DAY // SLOT_SECONDS
    if slot[0] < 0 or slot[-1] + room >= len(offsets):
        raise FileWrong(f"{path} has times before {FIRST_YEAR} or at the end of {END_YEAR - 1}")
    return at + offsets[slot].astype(np.int64) * SLOT_SECONDS


def _laid(
    customers: list[str],
    day: NDArray[np.int64],
    kwh: NDArray[np.float64],
    interval_seconds: int,
    backwards: int,
) -> Days:
    first, count = int(day.min()), int(day.max() - day.min()) + 1
    place = np.searchsorted(day, np.arange(first, first + count))
    slot = np.arange(len(day)) - place[day - first]
    rows = np.bincount(day - first, minlength=count)
    known = np.isfinite(kwh)
    interval_wh = np.zeros((count, int(rows.max()), len(customers)), np.float32)
    interval_wh[day - first, slot] = np.where(known, kwh * 1000, 0)
    seen = np.zeros((count, len(customers)), np.int64)
    np.add.at(seen, day - first, known)
    whole = seen == rows[:, None]
    used_wh = np.where(whole, np.rint(interval_wh.sum(axis=1, dtype=np.float64)), np.nan)
    return Days(customers, first + EPOCH_DAY, used_wh, interval_wh, interval_seconds, backwards)
