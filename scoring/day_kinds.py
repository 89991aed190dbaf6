"""What kind of day is it: which weekday does it act as, and is it a holiday?

A forecast needs to know it 35 days ahead, and of a country, not of a tariff's calendar of prices;
so it stands apart from `calendar`, and from `rules.WorkingCalendar`, which decides when nobody may
be tripped and must never be guessed.  It only names days: what they use is learned in `experts`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from scoring.calendar import DAYS, END_YEAR, FIRST_DAY, FIRST_YEAR

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray

MONDAY_OF_ORDINAL = 6
"""(proleptic ordinal + 6) % 7 is 0 on a Monday."""

FRIDAY = 4
HOLIDAY = 8
"""Added to the weekday of a day on which people rest though the weekday says they work."""


class CountryUnknown(ValueError):  # noqa: N818 - a named refusal, not a program error
    """The `holidays` package knows no such country or part of one."""


@dataclass(frozen=True, slots=True)
class DayKinds:
    """The kind of every day from `calendar.FIRST_DAY`: 0 (Monday) .. 6, plus HOLIDAY."""

    codes: NDArray[np.uint8]

    def of(self, day: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Kinds of local days, proleptic ordinals of any shape.

        >>> from datetime import date
        >>> weekdays_only().of(np.array([date(2026, 7, 4).toordinal()]))
        array([5], dtype=uint8)
        """
        kinds: NDArray[np.uint8] = self.codes.take(day - FIRST_DAY, mode="clip")
        return kinds


def _weekdays() -> NDArray[np.uint8]:
    return ((np.arange(DAYS) + FIRST_DAY + MONDAY_OF_ORDINAL) % 7).astype(np.uint8)


@cache
def weekdays_only() -> DayKinds:
    """No holidays are known."""
    return DayKinds(_weekdays())


@cache
def of_country(place: str) -> DayKinds:
    """The days of a country by its ISO 3166 code, or of a part of one: "GB", "AU-NSW", "CN".

    A weekend day on which a decree makes people work (China's make-up days) acts as a Friday.
    Raises CountryUnknown.

    >>> from datetime import date
    >>> china = of_country("CN")
    >>> days = [date(2025, 10, 1), date(2025, 9, 28)]  # National Day; a Sunday worked for it
    >>> china.of(np.array([day.toordinal() for day in days]))
    array([10,  4], dtype=uint8)
    """
    import holidays  # noqa: PLC0415 - a second to import, and most processes need no country

    country, _, part = place.upper().partition("-")
    years = range(FIRST_YEAR, END_YEAR)
    try:
        known = holidays.country_holidays(country, subdiv=part or None, years=years)
    except NotImplementedError as error:
        raise CountryUnknown(f"{place!r} is no country whose holidays are known") from error
    codes = _weekdays()
    for day in known:
        _mark(codes, day, HOLIDAY)
    for day in getattr(known, "weekend_workdays", ()):
        codes[day.toordinal() - FIRST_DAY] = FRIDAY
    return DayKinds(codes)


def _mark(codes: NDArray[np.uint8], day: date, what: int) -> None:
    codes[day.toordinal() - FIRST_DAY] |= what
