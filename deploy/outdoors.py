"""How warm was it outside on each local day of a backtest?

Reads a table of outdoor temperatures (hourly or daily; one place for all customers, or a column for
each) into the daily means that the forecast knows.  What it makes of them is told in
`scoring.degree_days`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from deploy.days import local_seconds
from scoring.calendar import EPOCH_DAY
from scoring.degree_days import EVERYWHERE, Air, DegreeDays
from scoring.units import SECONDS_PER_DAY
from simulator.table import FileWrong, read_local_or_utc

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from deploy.days import Days

COLDEST, HOTTEST = -90.0, 60.0
"""Degrees Celsius; none beyond was ever measured.  A column beyond them holds something else."""

PERFECT, PAST_DAYS = "perfect", "past days"
"""What is known of the weather: the days to come too, or those that are over alone."""

LEAST_OF_DAY = 0.5
"""A day of which less was measured has no mean."""

NAMES = ("temp", "celsius", "degc", "°c", "气温", "温度")


@dataclass(frozen=True, slots=True)
class Outdoors:
    """The weather of a backtest, and how much of it is known ahead.

    `is_perfect`: the days to come are known as they were measured, as no forecast of the weather
    knows them; else nothing is known but the days that are over.
    """

    measured: DegreeDays
    is_perfect: bool

    @property
    def name(self) -> str:
        """How it is told in the figures."""
        return PERFECT if self.is_perfect else PAST_DAYS

    def as_known_after(self, day: int) -> DegreeDays:
        """What is known when this day is over."""
        return self.measured if self.is_perfect else self.measured.seen_until(day)


def read_weather(path: Path, days: Days, zone: str | None, column: str | None) -> DegreeDays:
    """The air where the customers of `days` live; area codes are their numbers.

    A column named as a customer is that customer's; else the column `column`, or the only one, or
    the only one that sounds like a temperature, is everybody's.  Raises FileWrong with what to do.
    """
    table, zone = read_local_or_utc(path, zone or "UTC")
    day = local_seconds(path, table.starts_at, zone) // SECONDS_PER_DAY + EPOCH_DAY
    least = LEAST_OF_DAY * SECONDS_PER_DAY / table.interval_seconds
    airs = {}
    names = {name: area(number) for number, name in enumerate(days.customers)}
    shared = [name for name in table.customers if name not in names]
    if column or shared or not set(table.customers) & set(names):
        names = {_chosen(path, table.customers if column else shared, column): EVERYWHERE}
    for name, code in names.items():
        if name in table.customers:
            celsius = table.kwh[:, table.customers.index(name)]
            airs[code] = _air(path, name, day, celsius, least)
    return DegreeDays(airs)


def area(number: int) -> bytes:
    """The area code of a customer of the file."""
    return str(number).encode()


def _chosen(path: Path, names: list[str], column: str | None) -> str:
    """The column of everybody's temperature."""
    found = [column] if column in names else []
    if column is None:
        found = [name for name in names if any(word in name.lower() for word in NAMES)]
        found = names if len(names) == 1 else found
    if len(found) != 1:
        raise FileWrong(
            f"{path}: which column is the temperature? It has {', '.join(names)}; "
            "use --weather-column NAME"
        )
    return found[0]


def _air(
    path: Path,
    name: str,
    day: NDArray[np.int64],
    celsius: NDArray[np.float64],
    least: float,
) -> Air:
    known = np.isfinite(celsius)
    if not known.any():
        raise FileWrong(f"{path}: {name} holds no temperature at all")
    if celsius[known].min() < COLDEST or celsius[known].max() > HOTTEST:
        raise FileWrong(
            f"{path}: {name} goes from {celsius[known].min():.4g} to {celsius[known].max():.4g}; "
            "temperatures must be in degrees Celsius"
        )
    first = int(day.min())
    place = day[known] - first
    seen = np.bincount(place, minlength=int(day.max()) - first + 1)
    total = np.bincount(place, celsius[known], minlength=len(seen))
    mean = np.where(seen >= max(least, 1), total / np.maximum(seen, 1), np.nan)
    return Air(first, mean.astype(np.float32))
