"""What will the energy of the days to come cost?

The curve of the charge still to come, day by day, under the same tariff as `scoring.bill`: where it
meets the balance is the runway.  It stands apart from the bill because it is a forecast: floating
point, not rounded, thirty-five days of every account at once; it makes no bill and decides nothing.
Which energy is to be expected is `scoring.forecast`'s answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from scoring.calendar import FIRST_DAY_OF_MONTH, FIRST_MONTH
from scoring.splits import surcharge

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scoring.splits import ByKind
    from scoring.tariff import Tariffs

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

ROWS_AT_ONCE = 8192
"""Accounts whose curves are worked on together: a batch in one go, so that the two hundred numpy
calls weigh little on each account, and no more than 10 MB of memory for a million of them."""

FEW_ROWS = 128
"""Up to so many accounts numpy's own running sum is quicker than one call per day."""

MONTHS_AHEAD = 3
"""35 days touch at most three months: the current one, a February, and the one after it."""

DECEMBER = 11
"""December as the remainder of a month's number."""


def bill_curve(
    tariffs: Tariffs,
    version_now: Ints,
    used_wh: Ints,
    days: Ints,
    year_used_before_wh: Ints,
    daily_wh: NDArray[Any],
    period_share: NDArray[Any],
    days_left_in_month: Ints,
    month: Ints,
    split: ByKind | None = None,
) -> Floats:
    """What is still to be charged, in nanos, by the end of today and of each day after it, (n, H).

    `daily_wh` (n, H), none negative, is the forecast of the rest of today (the local day that
    holds as_of), of tomorrow and so on, H <= 35; `period_share` (n, R) its split by rate period,
    sum 1.  The rest tells of the current billing month what `bill` was told: `version_now`,
    `used_wh` (n, R), `days` already charged, `year_used_before_wh`, `month`; the first
    `days_left_in_month` columns belong to it (0 if as_of is its very end).
    `scoring.balance.Balance` has all of these; `split` of those whose rest days or holidays spread
    otherwise over the rate periods.  Tiers start again with the month or year, and
    later months use the sheets in force then.
    """
    curve = np.empty(daily_wh.shape, np.float64)
    for first in range(0, len(curve), ROWS_AT_ONCE):
        part = slice(first, first + ROWS_AT_ONCE)
        start = _Start(
            version_now[part],
            used_wh[part].sum(axis=1),
            days[part],
            year_used_before_wh[part],
            days_left_in_month[part],
            month[part].astype(np.int64),
        )
        curve[part] = _curve(tariffs, start, daily_wh[part], period_share[part]).T
    if split is not None:
        few = split.position
        curve[few] += surcharge(
            tariffs, version_now[few], month[few], days_left_in_month[few], daily_wh[few], split
        )
    return curve


@dataclass(frozen=True, slots=True)
class _Start:
    """Where the curves of n accounts start; see `bill_curve`."""

    version: Ints
    used_wh: Ints
    days: Ints
    year_used_before_wh: Ints
    columns: Ints
    month: Ints

    def today_is_charged(self) -> Ints:
        """1 where the standing charge of the day in column 0 is in the bill already, else 0."""
        begun = self.columns - (_month_length(self.month) - self.days)
        return np.minimum(np.maximum(begun, 0), 1)


@dataclass(slots=True)
class _Steps:
    """Where the price of the next kWh changes within the horizon.

    `price` (H + 1, n): change of the price at the start of each day, the first row the price
    itself.  `mends`: (day, account, nanos) of the part of a day that lies above a tier's edge.
    `standing`: (first day, account, nanos per day) changes of the standing charge.
    """

    price: Floats
    mends: list[tuple[Ints, Ints, Floats]] = field(default_factory=list)
    standing: list[tuple[Ints, Ints, Floats]] = field(default_factory=list)


def _curve(
    tariffs: Tariffs, start: _Start, daily_wh: NDArray[Any], period_share: NDArray[Any]
) -> Floats:
    """The curves of one part, days first (H, n).

    A curve is a running sum of each day's energy at that day's price of the next kWh; the price
    steps where a tier is entered (inside a day: that day is mended) and where a month starts.  So
    every account costs the same few sums, and a step costs only the accounts that meet one.
    """
    energy_wh = daily_wh.T.astype(np.float64, order="C")
    shares = period_share.T[: tariffs.rate_periods_at_most]
    price = _mean_price(tariffs, start.version, shares)
    tiered = tariffs.has_tiers.take(start.version)
    by_month = _changes_with_month(tariffs, start, tiered, len(energy_wh))
    rows = np.flatnonzero(tiered | by_month)
    if len(rows):
        steps = _steps(tariffs, start, energy_wh, shares, price, rows, by_month)
        _running_sum(steps.price, steps.price)
        energy_wh *= steps.price[:-1]
        for day, row, nanos in steps.mends:
            energy_wh[day, row] += nanos
    else:
        steps = None
        energy_wh *= price
    charge_nanos = energy_wh
    if tariffs.any_standing:
        standing = tariffs.daily_nanos.take(start.version).astype(np.float64)
        charge_nanos += standing
        charge_nanos[0] -= standing * start.today_is_charged()
        for day, row, nanos in steps.standing if steps else ():
            charge_nanos[:, row] += (np.arange(len(charge_nanos))[:, None] >= day) * nanos
    _running_sum(charge_nanos, charge_nanos)
    return charge_nanos


def _changes_with_month(
    tariffs: Tariffs, start: _Start, tiered: NDArray[np.bool_], horizon: int
) -> NDArray[np.bool_]:
    """Whose price may change when a month starts: tiers begin again, or a new sheet comes."""
    month_of_year = start.month % 12
    year_ends = month_of_year == DECEMBER
    year_ends |= (month_of_year == DECEMBER - 1) & (start.columns + 31 < horizon)
    again = tiered & (year_ends | ~tariffs.resets_yearly.take(start.version))
    new_sheet = tariffs.next_version_month.take(start.version) < start.month + MONTHS_AHEAD
    changes: NDArray[np.bool_] = (again | new_sheet) & (start.columns < horizon)
    return changes


def _steps(
    tariffs: Tariffs,
    start: _Start,
    energy_wh: Floats,
    shares: NDArray[Any],
    price: Floats,
    rows: Ints,
    by_month: NDArray[np.bool_],
) -> _Steps:
    """Follow these accounts (`rows`) through the months of the horizon."""
    horizon, count = energy_wh.shape
    summed_wh = np.empty((horizon + 1, count))
    summed_wh[0] = 0
    _running_sum(energy_wh, summed_wh[1:])
    steps = _Steps(np.zeros((horizon + 1, count)))
    steps.price[0] = price

    version, month = start.version[rows], start.month[rows]
    used_wh = start.used_wh[rows].astype(np.float64)
    year_used_wh = used_wh + start.year_used_before_wh[rows]
    first = np.zeros(len(rows), np.int64)
    end = np.where(by_month, np.minimum(start.columns, horizon), horizon)[rows]
    price_now = price[rows]
    for months in range(MONTHS_AHEAD):
        used_wh = np.where(tariffs.resets_yearly.take(version), year_used_wh, used_wh)
        fresh = _mean_price(tariffs, version, shares[:, rows]) if months else price_now
        fresh = fresh + _tier_add(tariffs, version, used_wh)
        steps.price[first, rows] += fresh - price_now
        price_now = fresh
        month_wh = (summed_wh[first, rows], summed_wh[end, rows])
        for tier in tariffs.steps_that_charge:
            if tier:
                _enter_tier(
                    tariffs,
                    steps,
                    tier,
                    version,
                    used_wh,
                    month_wh,
                    rows,
                    end,
                    summed_wh,
                    price_now,
                )
        on = np.flatnonzero(by_month[rows] & (end < horizon))
        if not len(on):
            break
        year_used_wh += month_wh[1] - month_wh[0]
        year_used_wh[month % 12 == DECEMBER] = 0
        rows, year_used_wh, price_now = rows[on], year_used_wh[on], price_now[on]
        before, month, used_wh = version[on], month[on] + 1, np.zeros(len(on))
        version = tariffs.version_of_month(tariffs.tariff_of_version.take(before), month)
        first = end[on]
        end = np.minimum(first + _month_length(month), horizon)
        standing = tariffs.daily_nanos.take(version) - tariffs.daily_nanos.take(before)
        if standing.any():
            steps.standing.append((first, rows, standing.astype(np.float64)))
    return steps


def _enter_tier(
    tariffs: Tariffs,
    steps: _Steps,
    tier: int,
    version: Ints,
    used_wh: Floats,
    month_wh: tuple[Floats, Floats],
    rows: Ints,
    end: Ints,
    summed_wh: Floats,
    price_now: Floats,
) -> None:
    """Note the step of those accounts that enter this tier inside this month; adds to price_now.

    `month_wh`: the summed energy at which the month starts and ends on the curve.
    """
    edge_wh = month_wh[0] + tariffs.tier_from_wh[tier].take(version) - used_wh
    step = tariffs.tier_step_nanos[tier].take(version)
    hit = np.flatnonzero((edge_wh > month_wh[0]) & (edge_wh < month_wh[1]) & (step != 0))
    if not len(hit):
        return
    row, edge_wh, rise = rows[hit], edge_wh[hit], step[hit]
    day = np.minimum(_day_above(summed_wh, row, edge_wh), end[hit] - 1)
    steps.mends.append((day, row, (summed_wh[day + 1, row] - edge_wh) * rise))
    steps.price[day + 1, row] += rise
    price_now[hit] += rise


def _day_above(summed_wh: Floats, row: Ints, edge_wh: Floats) -> Ints:
    """The first day (of 35 at most) that carries each account's summed energy above an edge."""
    last, count = len(summed_wh) - 1, summed_wh.shape[1]
    flat = summed_wh.ravel()
    day = np.zeros(len(row), np.int64)
    for step in (32, 16, 8, 4, 2, 1):
        ahead = np.minimum(day + step, last)
        day = np.where(flat.take(ahead * count + row) <= edge_wh, ahead, day)
    return day


def _tier_add(tariffs: Tariffs, version: Ints, used_wh: Floats) -> Floats:
    """What the tiers add to the price of the next kWh after a usage."""
    add: Floats = tariffs.tier_add_nanos[0].take(version)
    for tier in tariffs.steps_that_charge:
        if tier:
            entered = used_wh >= tariffs.tier_from_wh[tier].take(version)
            add += entered * tariffs.tier_step_nanos[tier].take(version)
    return add


def _mean_price(tariffs: Tariffs, version: Ints, shares: NDArray[Any]) -> Floats:
    """The price of a kWh that is split over the rate periods by `shares` (R, n)."""
    price: Floats = (shares * tariffs.price_nanos_per_wh.take(version, axis=1)).sum(axis=0)
    return price


def _month_length(month: Ints) -> Ints:
    """Days in each month, 0 for month 0 (none yet)."""
    place = np.maximum(month - FIRST_MONTH, 0)
    length: Ints = FIRST_DAY_OF_MONTH.take(place + 1) - FIRST_DAY_OF_MONTH.take(place)
    return np.where(month > 0, length, 0)


def _running_sum(days: Floats, summed: Floats) -> None:
    """Running sum over the first axis (H, n) into `summed`, which may be `days` itself."""
    if days.shape[1] <= FEW_ROWS:
        np.cumsum(days, axis=0, out=summed)
        return
    before = summed[0]
    before[:] = days[0]
    for day, until in zip(days[1:], summed[1:], strict=True):
        np.add(day, before, out=until)
        before = until
