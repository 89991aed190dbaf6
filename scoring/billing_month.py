"""Into which stretches does a billing month fall, and what was used in each?

A new version of the sheet, another tariff, capacity or contract begins a new stretch of days;
energy is laid on stretches and rate periods from interval readings, or by days where only a total
is known. It stands apart from `scoring.statement`, which tells a month that is already laid out,
and from `scoring.usage`, which does the same for the stream reading by reading and never looks
back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from scoring.exact import PICOS_PER_MICRO, part_of
from scoring.sheet import DYNAMIC_SECONDS
from scoring.statement import BillingMonth, Stretch
from scoring.units import SECONDS_PER_HOUR, SLOT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from scoring.tariff import Tariffs

    Ints = NDArray[np.int64]


class NoVersion(ValueError):  # noqa: N818 - a named refusal, not a program error
    """No sheet of the tariff is in force on some day."""


class PricesMissing(ValueError):  # noqa: N818 - a named refusal, not a program error
    """A dynamic tariff has no price for some interval."""


@dataclass(frozen=True, slots=True)
class CustomerTerms:
    """What was agreed with a customer from a day on; units as in statement.Stretch."""

    first_day: date
    tariff_id: str
    capacity_va: int = 0
    suspended_va: int = 0
    contract_w: int = 0
    basis: int = 0
    adjust_micros_per_kwh: int = 0


@dataclass(frozen=True, slots=True)
class Intervals:
    """Interval readings of one customer, rising: `wh` used in the `seconds` from `starts_at` on.

    `varh` is reactive energy, None where it is not metered; `drawn_w` the mean power of each, None
    where it is that of its whole watt-hours.
    """

    starts_at: Ints
    wh: Ints
    seconds: int
    varh: Ints | None = None
    drawn_w: Ints | None = None

    def quarter_hours(self) -> Intervals:
        """The same energy by quarter-hours, so that no interval lies in two rate periods.

        What does not divide falls to the first quarter-hour.
        """
        parts = self.seconds // SLOT_SECONDS
        if parts <= 1:
            return self

        def split(whole: Ints) -> Ints:
            each = np.repeat(whole // parts, parts)
            each[::parts] += whole % parts
            return each

        starts = (self.starts_at[:, None] + np.arange(parts) * SLOT_SECONDS).ravel()
        varh = None if self.varh is None else split(self.varh)
        return Intervals(starts, split(self.wh), SLOT_SECONDS, varh)


@dataclass(frozen=True, slots=True)
class MarketPrices:
    """Prices per kWh in picos, each for `seconds` from `starts_at` on, rising; may be negative."""

    starts_at: Ints
    picos_per_kwh: Ints
    seconds: int

    def cost(self, at: Ints, wh: Ints) -> tuple[int, int]:
        """What energy at these instants costs: nanos and millionths of a nano, exactly.

        Raises PricesMissing naming the first instant without a price.
        """
        place = np.searchsorted(self.starts_at, at, side="right") - 1
        known = (place >= 0) & (at - self.starts_at[np.maximum(place, 0)] < self.seconds)
        if not known.all():
            first = np.datetime64(int(at[~known][0]), "s")
            raise PricesMissing(f"no price for {first}Z")
        micros, rest = np.divmod(self.picos_per_kwh[place], PICOS_PER_MICRO)
        nanos, small = int((wh * micros).sum()), int((wh * rest).sum())
        return nanos + small // PICOS_PER_MICRO, small % PICOS_PER_MICRO


def stretches(
    tariffs: Tariffs, terms: Sequence[CustomerTerms], first: date, end: date
) -> list[Stretch]:
    """The days from `first` to before `end` in stretches of one version, terms and month; no usage.

    `terms` rising by day, the first of them on or before `first`.  Raises NoVersion.
    """
    cuts = {first.toordinal(), end.toordinal()}
    wanted = {one.tariff_id for one in terms}
    for sheet in tariffs.sheets:
        if sheet.tariff_id in wanted:
            cuts.add(sheet.valid_from.toordinal())
    cuts |= {one.first_day.toordinal() for one in terms}
    month = first.year * 12 + first.month - 1
    while int(tariffs.month_first_day(month)) < end.toordinal():
        cuts.add(int(tariffs.month_first_day(month)))
        month += 1
    inside = sorted(cut for cut in cuts if first.toordinal() <= cut <= end.toordinal())
    found: list[Stretch] = []
    for start, stop in pairwise(inside):
        one = _stretch(tariffs, terms, start, stop)
        last = found[-1] if found else None
        if last is not None and _goes_on(last, one):
            found[-1] = replace(last, days=last.days + one.days)
        else:
            found.append(one)
    return found


def _goes_on(last: Stretch, one: Stretch) -> bool:
    """Nothing has changed between two stretches of one month."""
    same_month = last.first_day.replace(day=1) == one.first_day.replace(day=1)
    return same_month and replace(one, first_day=last.first_day, days=last.days) == last


def _stretch(tariffs: Tariffs, terms: Sequence[CustomerTerms], start: int, stop: int) -> Stretch:
    day = date.fromordinal(start)
    agreed = [one for one in terms if one.first_day <= day]
    if not agreed:
        raise NoVersion(f"nothing is agreed for {day}")
    now = agreed[-1]
    return Stretch(
        version_on(tariffs, now.tariff_id, day, date.fromordinal(stop - 1)),
        day,
        stop - start,
        (),
        capacity_va=now.capacity_va,
        suspended_va=now.suspended_va,
        contract_w=now.contract_w,
        basis=now.basis,
        adjust_micros_per_kwh=now.adjust_micros_per_kwh,
    )


def version_on(tariffs: Tariffs, tariff_id: str, day: date, last: date) -> int:
    """The version in force from a day to a last one; raises NoVersion."""
    begun = [
        (sheet.valid_from, version)
        for version, sheet in enumerate(tariffs.sheets)
        if sheet.tariff_id == tariff_id and sheet.valid_from <= day
    ]
    if not begun:
        raise NoVersion(f"no sheet of {tariff_id} is in force on {day}")
    version = max(begun)[1]
    until = tariffs.sheets[version].valid_to
    if until is not None and until < last:
        raise NoVersion(f"the sheet of {tariff_id} ended on {until}, before {last}")
    return version


def months_of_intervals(
    tariffs: Tariffs,
    terms: Sequence[CustomerTerms],
    intervals: Intervals,
    prices: MarketPrices | None = None,
    year_used_before_wh: int = 0,
) -> list[BillingMonth]:
    """The billing months that the readings touch, from their first to their last day, oldest first.

    `year_used_before_wh` is the calendar year's usage before the first reading.  Raises NoVersion,
    PricesMissing.
    """
    whole = stretches_of_intervals(tariffs, terms, intervals, prices)
    return months_of(tariffs, whole, year_used_before_wh)


def stretches_of_intervals(
    tariffs: Tariffs,
    terms: Sequence[CustomerTerms],
    intervals: Intervals,
    prices: MarketPrices | None = None,
) -> list[Stretch]:
    """The days that the readings touch in stretches, with their usage, oldest first.

    The maximum demand of a stretch is that of its highest interval.  Raises NoVersion,
    PricesMissing.
    """
    index = np.array([tariffs.ids.index(one.tariff_id) for one in terms[:1]])
    highest_w = intervals.drawn_w
    if highest_w is None:
        highest_w = intervals.wh * SECONDS_PER_HOUR // intervals.seconds
    ends = np.array([intervals.starts_at[0], intervals.starts_at[-1] + intervals.seconds - 1])
    first, last = (date.fromordinal(int(day)) for day in tariffs.day_of(index, ends))
    quarters = intervals.quarter_hours()
    whole: list[Stretch] = []
    for empty in stretches(tariffs, terms, first, date.fromordinal(last.toordinal() + 1)):
        until = empty.first_day.toordinal() + empty.days
        bounds = tariffs.day_start(index, np.array([empty.first_day.toordinal(), until]))
        part = slice(*np.searchsorted(quarters.starts_at, bounds))
        drawn = highest_w[slice(*np.searchsorted(intervals.starts_at, bounds))]
        whole.append(_filled(tariffs, empty, quarters, part, drawn, prices))
    return whole


def _filled(
    tariffs: Tariffs,
    empty: Stretch,
    quarters: Intervals,
    part: slice,
    drawn_w: Ints,
    prices: MarketPrices | None,
) -> Stretch:
    """A stretch with the usage of its quarter-hours."""
    sheet = tariffs.sheets[empty.version]
    index = tariffs.ids.index(sheet.tariff_id)
    at, wh = quarters.starts_at[part], quarters.wh[part]
    used = np.zeros(len(sheet.rate_periods), np.int64)
    np.add.at(used, tariffs.period_of(np.full(len(at), index), at), wh)
    filled = replace(
        empty,
        used_wh=tuple(used.tolist()),
        max_demand_w=int(drawn_w.max(initial=0)),
        reactive_varh=None if quarters.varh is None else int(quarters.varh[part].sum()),
    )
    if not sheet.dynamic:
        return filled
    if prices is None:
        raise PricesMissing(f"{sheet.tariff_id} is a dynamic tariff and needs market prices")
    if prices.seconds < DYNAMIC_SECONDS[sheet.dynamic]:
        raise PricesMissing(f"the prices of {sheet.tariff_id} must be {sheet.dynamic}")
    nanos, rest = prices.cost(at, wh)
    return replace(filled, dynamic_nanos=nanos, dynamic_rest=rest)


def by_days(empty: Sequence[Stretch], whole: Stretch) -> list[Stretch]:
    """A stretch's totals laid on the stretches of its days in proportion to them.

    For a month of which only the total was read: nobody knows when in it the energy was used.
    The maximum demand holds for each.
    """
    days = sum(one.days for one in empty)
    gone = 0
    laid = []
    for one in empty:

        def share(total: int, start: int = gone, stop: int = gone + one.days) -> int:
            ends = np.array([start, stop])
            low, high = part_of(np.full(2, total), ends, np.full(2, days)).tolist()
            return int(high - low)

        varh = None if whole.reactive_varh is None else share(whole.reactive_varh)
        used = tuple(share(wh) for wh in whole.used_wh)
        laid.append(replace(one, used_wh=used, reactive_varh=varh, max_demand_w=whole.max_demand_w))
        gone += one.days
    return laid


def months_of(
    tariffs: Tariffs, whole: Sequence[Stretch], year_used_before_wh: int = 0
) -> list[BillingMonth]:
    """Stretches gathered into calendar months, with what the year had used before each."""
    months: list[BillingMonth] = []
    before = year_used_before_wh
    last_year = whole[0].first_day.year if whole else 0
    for month, parts in _by_month(whole):
        if month // 12 != last_year:
            before, last_year = 0, month // 12
        length = int(tariffs.month_first_day(month + 1) - tariffs.month_first_day(month))
        months.append(BillingMonth(parts, length, before))
        before += sum(sum(part.used_wh) for part in parts)
    return months


def one_period(
    tariffs: Tariffs, whole: Sequence[Stretch], year_used_before_wh: int = 0
) -> BillingMonth:
    """All stretches as one billing period, read on whatever day: one bill, one power factor.

    A period no longer than the month from its first day on is that month or part of it; a longer
    one pays monthly charges by the days it has of such a month.  Raises NoVersion where tiers of
    the calendar year begin again inside it.
    """
    joined: list[Stretch] = []
    for one in whole:
        last = joined[-1] if joined else None
        if last is not None and _same_terms(last, one):
            joined[-1] = _joined(last, one)
        else:
            joined.append(one)
    first, last_day = whole[0].first_day, whole[-1].first_day + timedelta(days=whole[-1].days - 1)
    yearly = any(tariffs.sheets[one.version].tier_reset == "year" for one in whole)
    if yearly and first.year != last_day.year:
        raise NoVersion(f"the year's tiers begin again inside {first} to {last_day}")
    month = first.year * 12 + first.month - 1
    length = int(tariffs.month_first_day(month + 1) - tariffs.month_first_day(month))
    return BillingMonth(tuple(joined), length, year_used_before_wh)


def _same_terms(last: Stretch, one: Stretch) -> bool:
    """Nothing but the month has changed between two stretches."""
    until = last.first_day + timedelta(days=last.days)
    return one.first_day == until and last == replace(
        one,
        **{field: getattr(last, field) for field in ("first_day", "days", "used_wh")},
        max_demand_w=last.max_demand_w,
        reactive_varh=last.reactive_varh,
        dynamic_nanos=last.dynamic_nanos,
        dynamic_rest=last.dynamic_rest,
    )


def _joined(last: Stretch, one: Stretch) -> Stretch:
    """Two stretches of the same terms as one."""
    carry, rest = divmod(last.dynamic_rest + one.dynamic_rest, PICOS_PER_MICRO)
    varh = [part.reactive_varh for part in (last, one) if part.reactive_varh is not None]
    return replace(
        last,
        days=last.days + one.days,
        used_wh=tuple(a + b for a, b in zip(last.used_wh, one.used_wh, strict=True)),
        max_demand_w=max(last.max_demand_w, one.max_demand_w),
        reactive_varh=sum(varh) if varh else None,
        dynamic_nanos=last.dynamic_nanos + one.dynamic_nanos + carry,
        dynamic_rest=rest,
    )


def _by_month(whole: Sequence[Stretch]) -> Iterator[tuple[int, tuple[Stretch, ...]]]:
    months: dict[int, list[Stretch]] = {}
    for one in whole:
        month = one.first_day.year * 12 + one.first_day.month - 1
        months.setdefault(month, []).append(one)
    yield from ((month, tuple(parts)) for month, parts in sorted(months.items()))
