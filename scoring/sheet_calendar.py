"""When does each rate period of a sheet hold?

Reads a sheet's time-of-use calendar (months, types of day, hours; the first line that matches wins)
and its holidays into the rules of `scoring.calendar`, and writes them back.  It stands apart from
prices because a mistake in a calendar is another mistake: an hour without a price.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scoring.calendar import (
    DAY_TYPES,
    END_YEAR,
    FIRST_YEAR,
    SLOTS_PER_DAY,
    SLOTS_PER_HOUR,
    HoursNotCovered,
    TimeOfUseRule,
    day_patterns,
)
from scoring.sheet_fields import TariffSheetInvalid, a_date, items, only

if TYPE_CHECKING:
    from datetime import date

MAX_RULES = 64
"""Lines of a time-of-use calendar; the five-period Shandong one has twenty (domain.md 3.1)."""

MAX_HOLIDAYS = 400
"""Days off of one version: a dozen a year for as long as a sheet is in force."""


def read_holidays(value: Any) -> tuple[date, ...]:
    """The dates that count as the day type `holiday`, in order."""
    if value is None:
        return ()
    dates = [
        a_date(written, f"holidays[{i}]")
        for i, written in enumerate(items(value, "holidays", MAX_HOLIDAYS))
    ]
    for i, one in enumerate(dates):
        if not FIRST_YEAR <= one.year < END_YEAR:
            raise TariffSheetInvalid(f"holidays[{i}]", f"must lie before {END_YEAR}")
    return tuple(sorted(set(dates)))


def read_time_of_use(
    value: Any, names: tuple[str, ...], with_holidays: bool
) -> tuple[TimeOfUseRule, ...]:
    """The lines of the calendar; a sheet with one rate period needs none."""
    if value is None and len(names) == 1:
        return (TimeOfUseRule(0),)
    lines = items(value, "timeOfUse", MAX_RULES)
    rules = tuple(_rule(line, names, f"timeOfUse[{i}]") for i, line in enumerate(lines))
    try:
        day_patterns(rules, with_holidays)
    except HoursNotCovered as error:
        raise TariffSheetInvalid("timeOfUse", str(error)) from error
    return rules


def _rule(value: Any, names: tuple[str, ...], where: str) -> TimeOfUseRule:
    only(value, {"ratePeriod", "months", "days", "hours"}, f"{where}.")
    if value.get("ratePeriod") not in names:
        raise TariffSheetInvalid(f"{where}.ratePeriod", f"must be one of {', '.join(names)}")
    months = items(value.get("months", list(range(1, 13))), f"{where}.months", 12)
    if not all(isinstance(m, int) and 1 <= m <= 12 for m in months):
        raise TariffSheetInvalid(f"{where}.months", "must be numbers from 1 to 12")
    days = items(value.get("days", list(DAY_TYPES)), f"{where}.days", len(DAY_TYPES))
    if not all(day in DAY_TYPES for day in days):
        raise TariffSheetInvalid(f"{where}.days", f"must be of {', '.join(DAY_TYPES)}")
    hours = items(value.get("hours", ["00:00-24:00"]), f"{where}.hours", SLOTS_PER_DAY)
    return TimeOfUseRule(
        rate_period=names.index(value["ratePeriod"]),
        months=tuple(sorted(set(months))),
        weekdays=tuple(sorted({DAY_TYPES.index(day) for day in days})),
        quarters=tuple(part for text in hours for part in _hours(text, f"{where}.hours")),
    )


def _hours(text: Any, field: str) -> tuple[tuple[int, int], ...]:
    """Quarter-hours of a range such as 22:00-08:00, which is two parts of the same date."""
    first, _, end = str(text).partition("-")
    start, stop = _quarter(first, field), _quarter(end, field)
    if start == stop:
        raise TariffSheetInvalid(field, f"{text!r} is empty; the whole day is 00:00-24:00")
    if start < stop:
        return ((start, stop),)
    return tuple(part for part in ((0, stop), (start, SLOTS_PER_DAY)) if part[0] < part[1])


def _quarter(text: str, field: str) -> int:
    hour, _, minute = text.partition(":")
    if not (len(hour) == len(minute) == 2 and f"{hour}{minute}".isdecimal()):
        raise TariffSheetInvalid(field, f"{text!r} is not a time such as 08:00")
    quarter, odd = divmod(int(hour) * 60 + int(minute), 60 // SLOTS_PER_HOUR)
    if odd or int(minute) >= 60 or quarter > SLOTS_PER_DAY:
        raise TariffSheetInvalid(field, f"{text!r} is not a quarter-hour of a day")
    return quarter


def rule_to_dict(rule: TimeOfUseRule, names: tuple[str, ...]) -> dict[str, Any]:
    """The plain form of a line; months and days only where not all of them are meant."""

    def clock(quarter: int) -> str:
        return f"{quarter // SLOTS_PER_HOUR:02d}:{quarter % SLOTS_PER_HOUR * 15:02d}"

    plain: dict[str, Any] = {"ratePeriod": names[rule.rate_period]}
    if len(rule.months) < 12:
        plain["months"] = list(rule.months)
    if len(rule.weekdays) < len(DAY_TYPES):
        plain["days"] = [DAY_TYPES[day] for day in rule.weekdays]
    return plain | {"hours": [f"{clock(first)}-{clock(end)}" for first, end in rule.quarters]}
