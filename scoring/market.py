"""What does a kWh cost at an instant, where the market says so?

A dynamic tariff has no price of its own for energy: each day's prices are published by the day, and
may be negative.  They stand apart from the sheets because a new day comes every day, while a sheet
is announced once.  What used energy comes to at these prices is told in `scoring.dynamic`.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scoring.annex import TARIFF_ID_BYTES
from scoring.calendar import FIRST_AT, SLOTS
from scoring.sheet import DYNAMIC_SECONDS
from scoring.sheet_fields import TariffSheetInvalid, day, items, only, price, text
from scoring.units import SECONDS_PER_DAY, SLOT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

    from numpy.typing import NDArray

    from scoring.tariff import Tariffs

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


def with_prices(tariffs: Tariffs, days: Iterable[DayPrices]) -> Tariffs:
    """The registry with these days' market prices, instead of any it has.

    Days of tariffs that are not known (yet), or that do not fit their sheet, have no effect.
    """
    laid: dict[int, dict[int, tuple[int, Ints]]] = {}
    for one in days:
        if one.tariff_id in tariffs.ids:
            number = tariffs.ids.index(one.tariff_id)
            try:
                laid.setdefault(number, {})[one.day] = slots_of(tariffs, one)
            except TariffSheetInvalid:
                continue  # the sheet it was published under has been replaced
    found = copy(tariffs)
    found.market = {number: laid_on_slots(of_days) for number, of_days in laid.items() if of_days}
    found.price_nanos_per_wh = tariffs.own_nanos_per_wh.copy()
    for number, prices in found.market.items():
        mine = np.flatnonzero(tariffs.tariff_of_version == number)
        found.price_nanos_per_wh[:, mine] += prices.mean_nanos_per_wh * tariffs.taxed[mine]
    return found


def slots_of(tariffs: Tariffs, prices: DayPrices) -> tuple[int, Ints]:
    """The first slot of a day of a known tariff, and the price of each of its slots.

    Raises TariffSheetInvalid where a day has more or fewer prices than the sheet in force says.
    """
    number = tariffs.ids.index(prices.tariff_id)
    bounds = tariffs.day_start(np.full(2, number), np.array([prices.day, prices.day + 1]))
    version = int(tariffs.version_on(np.array([number]), np.array([prices.day]))[0])
    if version < 0:
        raise TariffSheetInvalid("date", f"no sheet of {prices.tariff_id} is in force then")
    kind = tariffs.sheets[version].dynamic
    if not kind:
        raise TariffSheetInvalid("tariffId", f"{prices.tariff_id} has no prices of the market")
    if len(prices.picos) * DYNAMIC_SECONDS[kind] != bounds[1] - bounds[0]:
        why = f"{len(prices.picos)} of {kind} prices are not the day's"
        raise TariffSheetInvalid("pricesPerKwh", why)
    each = DYNAMIC_SECONDS[kind] // SLOT_SECONDS
    return int(bounds[0]) // SLOT_SECONDS, np.repeat(np.array(prices.picos, np.int64), each)


def price_step(tariffs: Tariffs, index: Ints, at: Ints) -> Ints:
    """A number for the stretch of one market price that holds each instant; 0 where none is."""
    local, _never = tariffs.local_slot(index, at)
    version = tariffs.version_on(index, tariffs.day_of(index, at))
    slots = tariffs.price_slots[version]
    return np.where(slots > 0, local // np.maximum(slots, 1), 0)
