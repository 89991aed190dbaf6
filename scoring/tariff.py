"""Which tariff version, rate period and local day apply to an account at an instant?

All sheets of all tariffs are stacked into a few arrays, so that one call answers for accounts of
a hundred different tariffs at the cost of one: an account's tariff is only a number that picks a
row.  `scoring.sheet` reads a sheet, `scoring.calendar` knows local time; what a usage costs is
told in `scoring.bill`.

Numbers of tariffs and versions never change while sheets are added, so an index that was looked
up stays right; they differ between processes and are never stored.  An index of -1 (unknown
tariff) answers as UTC with one rate period and version -1; an instant before calendar.FIRST_AT
is "never yet" like NO_TIME, and it, its day and its month answer 0 (version -1): both harmless, for
callers to mask.  An instant, day or month after calendar.END_AT raises OutsideCalendar.
"""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from scoring import calendar
from scoring.annex import TARIFF_ID_BYTES
from scoring.calendar import (
    EPOCH_DAY,
    FIRST_DAY,
    FIRST_MONTH,
    FIRST_SLOT,
    MONTHS,
    SLOTS,
    SLOTS_PER_DAY,
    SLOTS_PER_HOUR,
    DayKinds,
    OutsideCalendar,
    zone_table,
)
from scoring.price_columns import PriceColumns
from scoring.sheet import (
    TariffSheet,
    TariffSheetInvalid,
    sheet_from_dict,
    sheet_to_dict,
)
from scoring.units import SLOT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray


__all__ = [
    "TariffSheet",
    "TariffSheetInvalid",
    "Tariffs",
    "sheet_from_dict",
    "sheet_to_dict",
]

MAX_TARIFFS = 10_000
"""Tariffs in one process; each costs 3 kB, and 88 kB more if no other has its calendar."""

Ints = Any
"""Whole numbers, one or an array; arguments of one call broadcast against each other."""

NEVER_DAY = 2**31
"""The day on which no further version begins."""

_FIRST_LOCAL_SLOT = (FIRST_DAY - EPOCH_DAY) * SLOTS_PER_DAY


class Tariffs(PriceColumns):
    """All tariffs and their dated versions; immutable, `with_sheet` gives a new registry.

    What bills and forecasts need of each version stands in the columns of `PriceColumns`; besides
    them `tariff_of_version`, `next_version_month`, `next_version` and `next_day`, its first local
    day, and `end_day`, the first that the version itself does not have (V+1,), the last of version
    -1; `any_inside_month` if a version begins or ends on any but the first.  Of dynamic versions
    `is_dynamic` and `price_slots`, how many slots a price holds (V+1,), and `market`, the prices
    known of each tariff by its number.
    """

    def __init__(self, sheets: Iterable[TariffSheet] = ()) -> None:
        self._sheets: list[TariffSheet] = []
        self._number: dict[str, int] = {}
        self._version: dict[tuple[str, int], int] = {}
        for sheet in sheets:
            self._add(sheet)
        super().__init__(self._sheets)
        self._sum_up_versions()
        self._stack_tariffs()
        self.has_market = np.zeros(len(self._number) + 1, np.bool_)
        self.has_market[self.tariff_of_version[self.is_dynamic]] = True

    def with_sheet(self, sheet: TariffSheet) -> Tariffs:
        """The registry with this version added, or replaced if it has one of the same day.

        Raises TariffSheetInvalid if the tariff's zone or currency would change: they are the
        account's, and a billing month has one.
        """
        return self.with_sheets((sheet,))

    def with_sheets(self, sheets: Iterable[TariffSheet]) -> Tariffs:
        """The registry with these versions added in order; like `with_sheet` for each."""
        return Tariffs((*self._sheets, *sheets))

    def _add(self, sheet: TariffSheet) -> None:
        number = self._number.setdefault(sheet.tariff_id, len(self._number))
        if len(self._number) > MAX_TARIFFS:
            raise TariffSheetInvalid("tariffId", f"there are {MAX_TARIFFS} tariffs already")
        for other in self._sheets:
            if self._number[other.tariff_id] == number:
                for field in ("zone", "currency"):
                    if getattr(other, field) != getattr(sheet, field):
                        why = f"other versions of {sheet.tariff_id} have {getattr(other, field)}"
                        raise TariffSheetInvalid(field, why)
                break
        key = (sheet.tariff_id, sheet.valid_from.toordinal())
        version = self._version.setdefault(key, len(self._sheets))
        self._sheets[version : version + 1] = [sheet]

    def _sum_up_versions(self) -> None:
        """Which tariff each version is of, and the month in which its successor begins."""
        count = len(self._sheets)
        self.tariff_of_version = np.full(count + 1, -1, np.int64)
        self.next_version_month = np.full(count + 1, calendar.END_YEAR * 12, np.int64)
        self.next_version = np.full(count + 1, -1, np.int64)
        self.next_day = np.full(count + 1, NEVER_DAY, np.int64)
        self.end_day = np.full(count + 1, NEVER_DAY, np.int64)
        for version, sheet in enumerate(self._sheets):
            if sheet.valid_to is not None:
                self.end_day[version] = sheet.valid_to.toordinal() + 1
        self.any_inside_month = any(
            sheet.valid_from.day != 1
            or (sheet.valid_to is not None and (sheet.valid_to + timedelta(days=1)).day != 1)
            for sheet in self._sheets
        )
        later: dict[str, int] = {}
        after: dict[str, tuple[int, int]] = {}
        for tariff_id, day in sorted(self._version, key=lambda key: -key[1]):
            version = self._version[tariff_id, day]
            sheet = self._sheets[version]
            self.next_version[version], self.next_day[version] = after.get(
                tariff_id, (-1, NEVER_DAY)
            )
            after[tariff_id] = version, day
            self.tariff_of_version[version] = self._number[tariff_id]
            self.next_version_month[version] = later.get(tariff_id, calendar.END_YEAR * 12)
            later[tariff_id] = sheet.first_whole_month

    def _stack_tariffs(self) -> None:
        rows = len(self._number) + 1
        zones = ["UTC", *dict.fromkeys(s.zone for s in self._sheets if s.zone != "UTC")]
        self._offset_slots, self._day_start_slot = _stacked_zones(tuple(zones))
        self._zone_names = zones
        self._zone = np.zeros(rows, np.int64)
        self._version_of_month = np.full((rows, MONTHS), -1, np.int32)
        self._kind_row = np.zeros(rows, np.int64)

        dated: list[list[tuple[int, TariffSheet]]] = [[] for _ in range(rows)]
        for (tariff_id, day), version in sorted(self._version.items(), key=lambda i: i[0][1]):
            number, sheet = self._number[tariff_id], self._sheets[version]
            dated[number].append((day, sheet))
            self._zone[number] = zones.index(sheet.zone)
            # the version in force on the first day of a month; a tariff's first version has all
            # of the month in which it begins, for no other could price it
            months = self._version_of_month[number]
            begins = sheet.valid_from.year * 12 + sheet.valid_from.month - 1 - FIRST_MONTH
            if months[begins] < 0:
                months[begins] = version
            months[sheet.first_whole_month - FIRST_MONTH :] = version
            if sheet.valid_to is not None:
                ended = sheet.valid_to.year * 12 + sheet.valid_to.month - FIRST_MONTH
                self._version_of_month[number, ended:] = -1
        kinds = DayKinds()
        for number, versions in enumerate(dated):
            self._kind_row[number] = kinds.row(
                tuple(
                    (day, sheet.time_of_use, tuple(off.toordinal() for off in sheet.holidays))
                    for day, sheet in versions
                )
            )
        self._kind_of_day, self._period_of_kind, self._until_of_kind = kinds.tables()

    # ---- names

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The ids of all tariffs; a tariff's index is its place."""
        return tuple(self._number)

    @property
    def sheets(self) -> tuple[TariffSheet, ...]:
        """All sheets; a version's number is its place."""
        return tuple(self._sheets)

    def zone_name(self, index: int) -> str:
        """The named zone of a tariff, UTC for -1."""
        return self._zone_names[int(self._zone[index])]

    def currency(self, index: int) -> str:
        """The currency of a tariff; raises IndexError for -1."""
        if index < 0:
            raise IndexError("an unknown tariff has no currency")
        tariff_id = self.ids[index]
        return next(s.currency for s in self._sheets if s.tariff_id == tariff_id)

    @cached_property
    def _sorted_ids(self) -> tuple[NDArray[Any], NDArray[np.int64]]:
        ids = np.array([i.encode() for i in self.ids], f"S{TARIFF_ID_BYTES}")
        order = np.argsort(ids)
        return ids[order], order

    def index_of(self, tariff_id: NDArray[Any]) -> NDArray[np.int64]:
        """The index of each tariff id (n,) S24, -1 where no sheet of it is known."""
        ids, order = self._sorted_ids
        if len(ids) == 0:
            return np.full(np.shape(tariff_id), -1, np.int64)
        place = np.minimum(np.searchsorted(ids, tariff_id), len(ids) - 1)
        return np.where(ids[place] == tariff_id, order[place], -1)

    # ---- local time

    def local_slot(
        self, index: Ints, at: Ints
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_] | None]:
        """Slots of local time counted from FIRST_DAY, and where the instant is "never"."""
        position, never = _place(np.asarray(at, np.int64) // SLOT_SECONDS, FIRST_SLOT, SLOTS)
        offset = self._offset_slots.take(self._zone[index] * SLOTS + position)
        return position + offset + (FIRST_SLOT - _FIRST_LOCAL_SLOT), never

    def day_of(self, index: Ints, at: Ints) -> NDArray[np.int64]:
        """The local date of each instant as a proleptic ordinal (date.fromordinal)."""
        local, never = self.local_slot(index, at)
        return _unless(never, local // SLOTS_PER_DAY + FIRST_DAY)

    def month_of(self, index: Ints, at: Ints) -> NDArray[np.int64]:
        """The local month of each instant, year x 12 + month - 1."""
        local, never = self.local_slot(index, at)
        return _unless(never, calendar.MONTH_OF_DAY.take(local // SLOTS_PER_DAY))

    def day_of_month(self, index: Ints, at: Ints) -> NDArray[np.int64]:
        """The local day of the month of each instant, 1 to 31."""
        local, never = self.local_slot(index, at)
        return _unless(never, calendar.DAY_OF_MONTH.take(local // SLOTS_PER_DAY))

    def hour_of(self, index: Ints, at: Ints) -> NDArray[np.int64]:
        """The local hour of each instant, 0 to 23."""
        local, never = self.local_slot(index, at)
        return _unless(never, local % SLOTS_PER_DAY // SLOTS_PER_HOUR)

    def weekday_of(self, index: Ints, at: Ints) -> NDArray[np.int64]:
        """The local weekday of each instant, Monday 0."""
        local, never = self.local_slot(index, at)
        return _unless(never, (local // SLOTS_PER_DAY + FIRST_DAY - 1) % 7)

    @staticmethod
    def month_first_day(month: Ints) -> NDArray[np.int64]:
        """The first day of each month as a proleptic ordinal; 0 for month 0."""
        place, never = _place(month, FIRST_MONTH, MONTHS)
        return _unless(never, calendar.FIRST_DAY_OF_MONTH.take(place))

    def days_in_month(self, index: Ints, month: Ints) -> NDArray[np.int64]:
        """The number of days of each month; 0 for month 0."""
        length = self.month_first_day(np.asarray(month) + 1) - self.month_first_day(month)
        return np.broadcast_to(length, np.broadcast_shapes(np.shape(index), np.shape(month)))

    def month_start(self, index: Ints, month: Ints) -> NDArray[np.int64]:
        """The instant at which each local month starts; 0 for month 0."""
        return self.day_start(index, self.month_first_day(month))

    def day_start(self, index: Ints, day: Ints) -> NDArray[np.int64]:
        """The first instant of each local day (not midnight where clocks jump it); 0 for day 0."""
        place, never = _place(day, FIRST_DAY, calendar.DAYS + 1)
        return _unless(never, self._day_start_slot[self._zone[index], place] * SLOT_SECONDS)

    # ---- versions and rate periods

    def version_at(self, index: Ints, at: Ints) -> NDArray[np.int64]:
        """The version in force in the local month of each instant, -1 if none."""
        return self.version_of_month(index, self.month_of(index, at))

    def version_of_month(self, index: Ints, month: Ints) -> NDArray[np.int64]:
        """The version in force in each month, -1 if none or for month 0."""
        place, never = _place(month, FIRST_MONTH, MONTHS)
        version = self._version_of_month[index, place].astype(np.int64)
        return version if never is None else np.where(never, -1, version)

    def version_on(self, index: Ints, day: Ints) -> NDArray[np.int64]:
        """The version in force on each local day (an ordinal), -1 if none or for day 0."""
        version = self._begun_on(index, day)
        return np.where(day < self.end_day.take(version), version, -1)

    def unchanged_until(self, index: Ints, day: Ints) -> NDArray[np.int64]:
        """The first day after each local day on which another version is in force, or none."""
        version = self._begun_on(index, day)
        end = self.end_day.take(version)
        return np.where(day < end, np.minimum(end, self.next_day[version]), self.next_day[version])

    def _begun_on(self, index: Ints, day: Ints) -> NDArray[np.int64]:
        """The version that has begun last on each local day, though it may have ended."""
        place, never = _place(day, FIRST_DAY, calendar.DAYS)
        month = _unless(never, calendar.MONTH_OF_DAY.take(place))
        version = self.version_of_month(index, month)
        while self.any_inside_month:
            begun = (self.next_day.take(version) <= day) & (version >= 0)
            if not begun.any():
                break
            version = np.where(begun, self.next_version.take(version), version)
        return version

    def period_of(self, index: Ints, at: Ints) -> NDArray[np.int64]:
        """The rate period of each instant, a place in the sheet's `rate_periods`."""
        local, never = self.local_slot(index, at)
        return _unless(never, self._look_up(self._period_of_kind, index, local))

    def period_of_slot(self, index: Ints, slot: Ints) -> NDArray[np.int64]:
        """The rate period of each UTC slot (at // SLOT_SECONDS)."""
        return self.period_of(index, np.asarray(slot, np.int64) * SLOT_SECONDS)

    def hour_of_slot(self, index: Ints, slot: Ints) -> NDArray[np.int64]:
        """The local hour of each UTC slot."""
        return self.hour_of(index, np.asarray(slot, np.int64) * SLOT_SECONDS)

    def day_of_slot(self, index: Ints, slot: Ints) -> NDArray[np.int64]:
        """The local day of each UTC slot."""
        return self.day_of(index, np.asarray(slot, np.int64) * SLOT_SECONDS)

    def constant_until(self, index: Ints, at: Ints) -> NDArray[np.int64]:
        """The first instant after each instant at which the rate period or local day changes."""
        local, never = self.local_slot(index, at)
        slot = np.asarray(at, np.int64) // SLOT_SECONDS
        quarters = self._look_up(self._until_of_kind, index, local) - local % SLOTS_PER_DAY
        end = slot + quarters
        if never is not None:
            end = np.where(never, 0, end)
        self._mend_for_clock_changes(np.broadcast_to(index, end.shape), slot, end)
        return end * SLOT_SECONDS

    def _look_up(
        self, table: NDArray[np.uint8], index: Ints, local: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """The entry of a table (kinds x 96) for the local slots' kinds of day."""
        day = local // SLOTS_PER_DAY
        kind = self._kind_of_day.take(self._kind_row[index] * calendar.DAYS + day)
        place = kind.astype(np.int64) * SLOTS_PER_DAY + (local - day * SLOTS_PER_DAY)
        return table.take(place).astype(np.int64)

    def _mend_for_clock_changes(
        self, index: NDArray[np.int64], slot: NDArray[np.int64], end: NDArray[np.int64]
    ) -> None:
        """Where the clock is put forward or back before `end`, look slot by slot; in place."""
        known = (end > slot) & (end - FIRST_SLOT < SLOTS)
        base = self._zone[index] * SLOTS - FIRST_SLOT
        first = np.where(known, base + slot, 0)
        last = np.where(known, base + end, 0)
        for i in np.argwhere(self._offset_slots.take(first) != self._offset_slots.take(last)):
            where = tuple(i)
            # A day has at most 25 hours, and two more for the rarest zones.
            slots = np.arange(slot[where], min(slot[where] + 108, FIRST_SLOT + SLOTS))
            tariff = np.full(len(slots), index[where])
            same = self.day_of_slot(tariff, slots) == self.day_of_slot(tariff, slots[:1])
            same &= self.period_of_slot(tariff, slots) == self.period_of_slot(tariff, slots[:1])
            end[where] = slots[0] + (np.argmin(same) if not same.all() else len(slots))


@lru_cache(maxsize=4)
def _stacked_zones(names: tuple[str, ...]) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """The tables of some zones one after another; the next registry most often has the same."""
    tables = [zone_table(name) for name in names]
    offsets = np.concatenate([table.offset_slots for table in tables])
    return offsets, np.stack([table.day_start_slot for table in tables])


def _place(
    value: Ints, first: int, count: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_] | None]:
    """The place of each slot, day or month in a table from `first` on, and where it is "never"."""
    place: NDArray[np.int64] = np.asarray(value, np.int64) - first
    # as a number without sign, what lies before the table lies far behind it
    if place.size == 0 or place.view(np.uint64).max() < count:
        return place, None
    if place.max() >= count:
        raise OutsideCalendar(f"local time is known only until {calendar.END_YEAR - 1}")
    return np.maximum(place, 0), place < 0


def _unless(never: NDArray[np.bool_] | None, answer: NDArray[np.int64]) -> NDArray[np.int64]:
    """The answer, with 0 where the question was about "never"."""
    if never is not None:
        answer = np.where(never, 0, answer)
    return answer
