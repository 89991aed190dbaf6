"""What does a kWh cost at an instant, where the market says so?

A dynamic tariff has no price of its own for energy: each day's prices are published by the day, and
may be negative.  They stand apart from the sheets because a new day comes every day, while a sheet
is announced once.  What used energy comes to at these prices is told in `scoring.dynamic`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scoring.annex import TARIFF_ID_BYTES
from scoring.calendar import FIRST_AT, SLOTS
from scoring.sheet import DYNAMIC_SECONDS
from scoring.sheet_fields import TariffSheetInvalid, day, items, only, price, text
from scoring.units import SECONDS_PER_DAY, SLOT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from numpy.typing import NDArray

    from scoring.sheet import TariffSheet

    Ints = NDArray[np.int64]

DAYS_KEPT = 100
"""Days of prices kept: those of both open months and of the closed one that is kept."""

MEAN_DAYS = 7
"""Newest days whose mean price stands for the days to come in forecasts."""

MOST_PRICES = 100
"""Of a day: quarter-hours of the longest one."""

MISSING = np.iinfo(np.int64).min
"""No price is known."""


class DayPrices(NamedTuple):
    """The prices of a tariff's local day (an ordinal) in picos per kWh, from its first instant."""

    tariff_id: str
    day: int
    picos: tuple[int, ...]


def prices_from_dict(data: Mapping[str, Any]) -> DayPrices:
    """A day's prices from their plain form; raises TariffSheetInvalid naming the field.

    >>> prices_from_dict({"tariffId": "spot", "date": "2026-04-01", "pricesPerKwh": ["-0.01"]})
    DayPrices(tariff_id='spot', day=739707, picos=(-10000000000,))
    """
    only(data, {"tariffId", "date", "pricesPerKwh"}, "")
    tariff_id = text(data, "tariffId")
    if len(tariff_id) > TARIFF_ID_BYTES:
        raise TariffSheetInvalid("tariffId", f"must be at most {TARIFF_ID_BYTES} plain characters")
    when: date = day(data, "date")
    written = items(data.get("pricesPerKwh"), "pricesPerKwh", MOST_PRICES)
    picos = tuple(price(one, f"pricesPerKwh[{i}]") for i, one in enumerate(written))
    return DayPrices(tariff_id, when.toordinal(), picos)


def seconds_of_day(prices: DayPrices, sheet: TariffSheet) -> int:
    """How long a local day must be that has so many prices; raises TariffSheetInvalid."""
    if not sheet.dynamic:
        raise TariffSheetInvalid("tariffId", f"{sheet.tariff_id} has no prices of the market")
    return len(prices.picos) * DYNAMIC_SECONDS[sheet.dynamic]


class SlotPrices(NamedTuple):
    """Prices of one tariff in picos by quarter-hour from `first_slot` on; MISSING where unknown."""

    first_slot: int
    picos: Ints

    def at(self, slot: Ints) -> Ints:
        """The price of each slot (k,)."""
        place = slot - self.first_slot
        inside = (place >= 0) & (place < len(self.picos))
        return np.where(inside, self.picos[np.where(inside, place, 0)], MISSING)

    @property
    def mean_nanos_per_wh(self) -> float:
        """The mean of the newest days, 0 where none is known."""
        newest = self.picos[-MEAN_DAYS * SECONDS_PER_DAY // SLOT_SECONDS :]
        known = newest[newest != MISSING]
        return float(known.mean()) / 10**6 if len(known) else 0.0


def laid_on_slots(days: Mapping[int, tuple[int, Ints]]) -> SlotPrices:
    """Days of prices (first slot, price of each slot) by day, the newest DAYS_KEPT of them."""
    newest = sorted(days)[-DAYS_KEPT:]
    first = min(days[day][0] for day in newest)
    end = max(days[day][0] + len(days[day][1]) for day in newest)
    assert FIRST_AT // SLOT_SECONDS <= first <= end <= FIRST_AT // SLOT_SECONDS + SLOTS
    picos = np.full(end - first, MISSING, np.int64)
    for one in newest:
        start, prices = days[one]
        picos[start - first : start - first + len(prices)] = prices
    return SlotPrices(first, picos)
