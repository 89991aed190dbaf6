"""Are these a market's prices, whole day by whole day?

Reads a file of times and prices into the local days of a dynamic tariff, each with exactly the
prices that a day of its length has, and says which day is wrong and how.  How they are published is
`deploy.prices`'s, what used energy costs at them `scoring.dynamic`'s.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import numpy as np

from scoring.sheet import DYNAMIC_SECONDS
from scoring.sheet_fields import MAX_PRICE_PICOS, PICOS_PER_UNIT, decimal_text
from scoring.units import NotExact, whole
from simulator.table import FileWrong, load, time_column_of, times, zone_of

if TYPE_CHECKING:
    from datetime import tzinfo
    from pathlib import Path

    from numpy.typing import NDArray

    from scoring.tariff import Tariffs

    Ints = NDArray[np.int64]

KWH_PER_MWH = 1_000


@dataclass(frozen=True, slots=True)
class MarketDay:
    """A local day's prices per kWh in order of time, written exactly."""

    tariff_id: str
    day: date
    prices_per_kwh: tuple[str, ...]


def market_days(
    path: Path, tariffs: Tariffs, tariff_id: str, *, per_mwh: bool = False
) -> list[MarketDay]:
    """The days in a file, oldest first.

    Raises FileWrong naming the day: prices missing, doubled, of another step, or no whole day.
    """
    number = tariffs.ids.index(tariff_id)
    zone_name = tariffs.zone_name(number)
    starts_at, picos = _prices(path, zone_of(zone_name), per_mwh)
    day_of = tariffs.day_of(np.full(len(starts_at), number), starts_at)
    found = []
    for ordinal in np.unique(day_of).tolist():
        mine = day_of == ordinal
        day = date.fromordinal(ordinal)
        _whole_day(path, tariffs, number, day, starts_at[mine])
        texts = tuple(decimal_text(int(one), PICOS_PER_UNIT) for one in picos[mine])
        found.append(MarketDay(tariff_id, day, texts))
    return found


def _prices(path: Path, zone: tzinfo, per_mwh: bool) -> tuple[Ints, Ints]:
    """When each price begins, rising, and what a kWh costs then in picos."""
    table = load(path, as_text=("price",))
    if "price" not in table.column_names or len(table.column_names) != 2:
        raise FileWrong(f"{path} must have two columns, a time and price")
    name = time_column_of(table)
    starts_at, kept = times(table, UTC if name.lower().endswith("utc") else zone, name)
    if len(kept) < table.num_rows:
        raise FileWrong(f"{path}: {_not_once(starts_at, zone)}")
    per_unit = PICOS_PER_UNIT // (KWH_PER_MWH if per_mwh else 1)
    picos = []
    for row, written in enumerate(table.column("price").to_pylist(), 2):
        try:
            picos.append(whole(str("" if written is None else written).strip(), per_unit, "picos"))
        except NotExact as error:
            raise FileWrong(f"{path}, row {row}: {error}") from error
        if abs(picos[-1]) > MAX_PRICE_PICOS:
            raise FileWrong(f"{path}, row {row}: {written} is out of range")
    order = np.argsort(starts_at, kind="stable")
    return starts_at[order], np.array(picos, np.int64)[order]


def _not_once(starts_at: Ints, zone: tzinfo) -> str:
    """Which times have more than one price, or none that can be read."""
    at = next((at for at, count in Counter(starts_at.tolist()).items() if count > 1), -1)
    if at < 0:
        return "a row has no time"
    return (
        f"{_clock(at, zone)} has two prices (in spring a wall clock skips an hour, so there is no "
        "such hour to price)"
    )


def _whole_day(path: Path, tariffs: Tariffs, number: int, day: date, starts_at: Ints) -> None:
    """Raises FileWrong unless the prices of a local day begin one after another until its end."""
    index, ordinal = np.array([number]), np.array([day.toordinal()])
    version = int(tariffs.version_on(index, ordinal)[0])
    tariff_id = tariffs.ids[number]
    if version < 0:
        raise FileWrong(f"{path}: no sheet of {tariff_id} is in force on {day}")
    step = DYNAMIC_SECONDS[tariffs.sheets[version].dynamic]
    if not step:
        raise FileWrong(f"{tariff_id} has no prices of the market (its sheet says no `dynamic`)")
    begin, end = (int(tariffs.day_start(index, ordinal + more)[0]) for more in (0, 1))
    wanted = np.arange(begin, end, step)
    if len(starts_at) == len(wanted) and (starts_at == wanted).all():
        return
    zone = zone_of(tariffs.zone_name(number))
    missing, odd = np.setdiff1d(wanted, starts_at), np.setdiff1d(starts_at, wanted)
    kind = tariffs.sheets[version].dynamic
    what = f"{path}: {day} of {tariff_id} has {len(wanted)} {kind} prices"
    where = f"a local day in {zone}, if times name no offset"
    if len(odd):
        raise FileWrong(f"{what}; none begins at {_clock(int(odd[0]), zone)} ({where})")
    raise FileWrong(
        f"{what}, {len(missing)} of them missing, the first of {_clock(int(missing[0]), zone)} "
        f"({where})"
    )


def _clock(at: int, zone: tzinfo) -> str:
    return datetime.fromtimestamp(at, zone).isoformat(" ", "minutes")
