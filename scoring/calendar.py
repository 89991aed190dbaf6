"""Which local day, hour and kind of day is it for a customer at an instant?

Kept apart because every rule that is written in local words (rate periods, billing months, daily
closing) rests on the same few tables: the offset of each zone for every quarter-hour, the month of
every day, and the rate period of every quarter-hour of a kind of day, so that a question about a
million instants is a few array look-ups.  It knows nothing of prices or of which account has which
tariff: `scoring.tariff` stacks these tables and answers by tariff.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from importlib import resources
from itertools import pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np

from scoring.units import SECONDS_PER_DAY, SLOT_SECONDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

FIRST_YEAR = 2000
END_YEAR = 2060
"""Local time is known from the first instant of 2000 to the last of 2059, UTC.  A year costs 35 kB
for each zone; all zones in civil use keep whole quarter-hours in these years."""

FIRST_AT = int(datetime(FIRST_YEAR, 1, 1, tzinfo=UTC).timestamp())
END_AT = int(datetime(END_YEAR, 1, 1, tzinfo=UTC).timestamp())
FIRST_SLOT = FIRST_AT // SLOT_SECONDS
SLOTS = END_AT // SLOT_SECONDS - FIRST_SLOT

SLOTS_PER_DAY = SECONDS_PER_DAY // SLOT_SECONDS
SLOTS_PER_HOUR = 4
EPOCH_DAY = date(1970, 1, 1).toordinal()

FIRST_DAY = date(FIRST_YEAR, 1, 1).toordinal() - 1
"""First day of the day tables: west of Greenwich it is still 1999 at FIRST_AT."""
DAYS = date(END_YEAR, 1, 1).toordinal() + 2 - FIRST_DAY
FIRST_MONTH = FIRST_YEAR * 12 - 1
MONTHS = END_YEAR * 12 + 1 - FIRST_MONTH

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HOLIDAY = len(WEEKDAYS)
"""The eighth kind of day: a date that the sheet lists, whatever weekday it is."""
DAY_TYPES = (*WEEKDAYS, "holiday")


class OutsideCalendar(ValueError):  # noqa: N818 - a named refusal, not a program error
    """An instant, day or month lies outside the years for which local time is known."""


class ZoneInvalid(ValueError):  # noqa: N818 - a named refusal, not a program error
    """There is no such named zone, or it does not keep whole quarter-hours."""


class HoursNotCovered(ValueError):  # noqa: N818 - a named refusal, not a program error
    """A time-of-use calendar leaves some local time without a rate period."""


@cache
def zone(name: str) -> ZoneInfo:
    """The named zone from the pinned `tzdata` package.

    Not from the machine: two workers with different zone files would bill the same hour twice.
    Raises ZoneInvalid for a name that the package does not know.

    >>> zone("Asia/Shanghai").key
    'Asia/Shanghai'
    """
    if not all(part.isidentifier() for part in name.replace("-", "_").replace("+", "_").split("/")):
        raise ZoneInvalid(f"{name!r} is not the name of a zone")
    try:
        with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
            return ZoneInfo.from_file(file, key=name)
    except (OSError, ValueError) as error:
        raise ZoneInvalid(f"{name!r} is not the name of a zone") from error


@dataclass(frozen=True, slots=True)
class ZoneTable:
    """One zone's local time, by slot and by day.

    `offset_slots` (SLOTS,): quarter-hours to add to UTC, for each slot from FIRST_SLOT.
    `day_start_slot` (DAYS + 1,): the first slot of each local day from FIRST_DAY.
    """

    offset_slots: NDArray[np.int8]
    day_start_slot: NDArray[np.int64]


@cache
def zone_table(name: str) -> ZoneTable:
    """The table of a named zone; raises ZoneInvalid.

    >>> zone_table("Asia/Kathmandu").offset_slots[0] / 4
    np.float64(5.75)
    """
    where = zone(name)
    days = np.arange(FIRST_SLOT, FIRST_SLOT + SLOTS, SLOTS_PER_DAY)
    probes = [int(slot) for slot in days] + [FIRST_SLOT + SLOTS - 1]
    offsets = np.empty(SLOTS, np.int8)
    start, offset = FIRST_SLOT, _offset(where, FIRST_SLOT)
    for before, after in pairwise(probes):
        if _offset(where, after) != offset:
            change = _first_slot_with_another_offset(where, before, after)
            offsets[start - FIRST_SLOT : change - FIRST_SLOT] = offset
            start, offset = change, _offset(where, change)
    offsets[start - FIRST_SLOT :] = offset

    local_day = (np.arange(FIRST_SLOT, FIRST_SLOT + SLOTS) + offsets) // SLOTS_PER_DAY + EPOCH_DAY
    if np.any(np.diff(local_day) < 0):
        raise ZoneInvalid(f"{name}: a local day comes back after it has ended")
    wanted = np.arange(FIRST_DAY, FIRST_DAY + DAYS + 1)
    starts = np.searchsorted(local_day, wanted) + FIRST_SLOT
    offsets.flags.writeable = starts.flags.writeable = False
    return ZoneTable(offsets, starts)


def _offset(where: ZoneInfo, slot: int) -> int:
    """The zone's offset in slots at a slot's last second.

    The last, because a few places changed their clocks at one minute past midnight (Newfoundland
    until 2011): the change then counts from the start of that quarter-hour.
    """
    local = datetime.fromtimestamp((slot + 1) * SLOT_SECONDS - 1, where)
    seconds = int(local.utcoffset().total_seconds())  # type: ignore[union-attr]  # zone is given
    if seconds % SLOT_SECONDS:
        raise ZoneInvalid(f"{where.key} is {seconds} s from UTC at {local}: not quarter-hours")
    return seconds // SLOT_SECONDS


def _first_slot_with_another_offset(where: ZoneInfo, before: int, after: int) -> int:
    """Where the offset changes in (before, after]; zones change it at most once a day."""
    offset = _offset(where, before)
    while after - before > 1:
        middle = (before + after) // 2
        if _offset(where, middle) == offset:
            before = middle
        else:
            after = middle
    return after


def _gregorian() -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Month and day of month of every day, and the first day of every month."""
    dates = np.arange(FIRST_DAY - EPOCH_DAY, FIRST_DAY - EPOCH_DAY + DAYS).astype("M8[D]")
    months = dates.astype("M8[M]")
    number = months.astype(np.int64) + 1970 * 12
    day_of_month = (dates - months.astype("M8[D]")).astype(np.int64) + 1
    wanted = np.arange(FIRST_MONTH - 1970 * 12, FIRST_MONTH - 1970 * 12 + MONTHS + 1)
    first_day = wanted.astype("M8[M]").astype("M8[D]").astype(np.int64) + EPOCH_DAY
    return number, day_of_month, first_day


MONTH_OF_DAY, DAY_OF_MONTH, FIRST_DAY_OF_MONTH = _gregorian()
"""Month (year x 12 + month - 1) and day of month of each day from FIRST_DAY; first day of each
month from FIRST_MONTH (one more than MONTHS, so that a month's length is a difference)."""


_MONTH_AND_WEEKDAY = MONTH_OF_DAY % 12 * len(DAY_TYPES) + (np.arange(DAYS) + FIRST_DAY - 1) % 7
_MONTH_AND_HOLIDAY = MONTH_OF_DAY % 12 * len(DAY_TYPES) + HOLIDAY


@dataclass(frozen=True, slots=True)
class TimeOfUseRule:
    """Local times that belong to a rate period; months 1-12, weekdays 0 (Monday) to 6, HOLIDAY 7.

    `quarters` are half-open ranges [from, to) of quarter-hours of the local day; the whole day is
    (0, 96).  A range of hours across midnight is two ranges of the same date.
    """

    rate_period: int
    months: tuple[int, ...] = tuple(range(1, 13))
    weekdays: tuple[int, ...] = tuple(range(len(DAY_TYPES)))
    quarters: tuple[tuple[int, int], ...] = ((0, SLOTS_PER_DAY),)


@cache
def day_patterns(
    rules: tuple[TimeOfUseRule, ...], with_holidays: bool = False
) -> NDArray[np.uint8]:
    """Rate period of each quarter-hour of each kind of day, (12 months, 8 types of day, 96).

    The first rule that matches wins, so that a sharp peak may lie inside a peak (domain.md 8.5).
    Raises HoursNotCovered naming the first local time that no rule matches; holidays must be
    covered only where there are any.

    >>> night = TimeOfUseRule(1, quarters=((0, 32), (88, 96)))
    >>> day_patterns((night, TimeOfUseRule(0)))[0, 0, [0, 31, 32, 87, 88]]
    array([1, 1, 0, 0, 1], dtype=uint8)
    """
    unset = 255
    patterns = np.full((12, len(DAY_TYPES), SLOTS_PER_DAY), unset, np.uint8)
    if not with_holidays:
        patterns[:, HOLIDAY] = 0
    for rule in reversed(rules):
        kinds = np.ix_([month - 1 for month in rule.months], list(rule.weekdays))
        for first, end in rule.quarters:
            part = patterns[..., first:end]
            part[kinds] = rule.rate_period
    if np.any(patterns == unset):
        month, weekday, quarter = (int(i) for i in np.argwhere(patterns == unset)[0])
        hour, minute = quarter // 4, quarter % 4 * 15
        raise HoursNotCovered(
            f"no rule for {hour:02d}:{minute:02d} on a {DAY_TYPES[weekday]} of month {month + 1}"
        )
    patterns.flags.writeable = False
    return patterns


def quarters_until_change(patterns: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """For each quarter-hour of each pattern (p, 96): the quarter at which its period ends, <= 96.

    >>> quarters_until_change(np.array([[1] * 32 + [0] * 64], np.uint8))[0, [0, 31, 32]]
    array([32, 32, 96], dtype=uint8)
    """
    until = np.full(patterns.shape, SLOTS_PER_DAY, np.uint8)
    for quarter in range(SLOTS_PER_DAY - 2, -1, -1):
        same = patterns[:, quarter] == patterns[:, quarter + 1]
        until[:, quarter] = np.where(same, until[:, quarter + 1], quarter + 1)
    return until


DatedRules = tuple[tuple[int, tuple[TimeOfUseRule, ...], tuple[int, ...]], ...]
"""A tariff's calendars, each with the day from which it holds and its holidays (proleptic
ordinals), oldest first."""


class DayKinds:
    """Collects the kinds of day of all tariffs; equal calendars share one row."""

    def __init__(self) -> None:
        self._rows: dict[DatedRules, int] = {}
        self._kinds: dict[bytes, int] = {bytes(SLOTS_PER_DAY): 0}
        self._days: list[NDArray[np.uint32]] = []

    def row(self, dated_rules: DatedRules) -> int:
        """The row of a tariff whose calendar is changed on these days."""
        if dated_rules not in self._rows:
            self._rows[dated_rules] = len(self._days)
            self._days.append(self._kinds_of_days(dated_rules))
        return self._rows[dated_rules]

    def _kinds_of_days(self, dated_rules: DatedRules) -> NDArray[np.uint32]:
        """The kind of each day from FIRST_DAY; before the first version all one rate period."""
        days = np.zeros(DAYS, np.uint32)
        for first_day, rules, holidays in dated_rules:
            patterns = day_patterns(rules, bool(holidays)).reshape(-1, SLOTS_PER_DAY)
            numbers = [self._kinds.setdefault(p.tobytes(), len(self._kinds)) for p in patterns]
            kinds = np.array(numbers, np.uint32)
            start = first_day - FIRST_DAY
            days[start:] = kinds.take(_MONTH_AND_WEEKDAY[start:])
            off = np.array([day for day in holidays if day >= first_day], np.int64) - FIRST_DAY
            days[off] = kinds.take(_MONTH_AND_HOLIDAY[off])
        return days

    def tables(self) -> tuple[NDArray[np.uint32], NDArray[np.uint8], NDArray[np.uint8]]:
        """Kind of each row's days, flat; period and quarter of its end of each kind's quarters."""
        periods = np.frombuffer(b"".join(self._kinds), np.uint8).reshape(-1, SLOTS_PER_DAY)
        return np.concatenate(self._days), periods.ravel(), quarters_until_change(periods).ravel()
