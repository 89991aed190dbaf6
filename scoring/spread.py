"""Where does energy belong that was measured over more than one quarter-hour's place?

A register's gap or a long interval may touch several rate periods, days and months; here its energy
is laid on its quarter-hours by the account's own load by hour and gathered by place.  Kept apart
from `scoring.usage`, which decides what is laid and what follows from it, because this is the only
part that leaves one row per account and works on one row per quarter-hour.  How whole numbers are
shared is in `scoring.slots`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from scoring import slots
from scoring.days import DaysClosed
from scoring.events import MAX_RATE_PERIODS, Quality
from scoring.market import price_step
from scoring.units import SLOT_SECONDS
from scoring.verdicts import Kind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scoring.parts import Earlier
    from scoring.tariff import Tariffs
    from scoring.verdicts import Checked

DAY_SPAN = 10_000_000
"""More than any local day's ordinal, so that row and day fit in one number."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """Stretches of time with energy to be spread over them, in order of row and time; (p,) each."""

    row: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    energy_wh: NDArray[np.int64]
    is_residual: NDArray[np.bool_]  # of a register: not in the slots that intervals have told
    is_guess: NDArray[np.bool_]  # the head end's estimate


def pieces_of(ledger: NDArray[Any], checked: Checked, residual_wh: NDArray[np.int64]) -> Pieces:
    """What there is to spread: registers' gaps, and intervals (also a register's own)."""
    readings, kind = checked.readings, checked.kind
    own_seconds = np.where(checked.with_interval, readings.interval_seconds, 0)
    end = readings.read_at - own_seconds
    start = np.maximum(ledger["register_read_at"], end - slots.LONGEST_SPLIT_SECONDS)
    is_total = (kind == Kind.REGISTER.value) | (kind == Kind.CORRECTION.value)
    totals = np.flatnonzero(is_total & (start < end))
    intervals = np.flatnonzero((kind == Kind.INTERVAL.value) | checked.with_interval)
    gap_wh = residual_wh - np.where(checked.with_interval, readings.interval_wh, 0)
    interval_start = readings.read_at - readings.interval_seconds

    def joined(of_totals: NDArray[Any], of_intervals: NDArray[Any]) -> NDArray[Any]:
        return np.concatenate([of_totals[totals], of_intervals[intervals]])

    guess = readings.quality == Quality.ESTIMATED.value
    rows = np.arange(len(ledger))
    row = joined(rows, rows)
    order = np.argsort(row, kind="stable")
    return Pieces(
        row[order],
        joined(start, interval_start)[order],
        joined(end, readings.read_at)[order],
        joined(gap_wh, readings.interval_wh)[order],
        (np.arange(len(row)) < len(totals))[order],
        joined(guess, guess)[order],
    )


@dataclass(frozen=True, slots=True)
class Split:
    """Energy in its places: (n, 2, R) by open month and rate period, by day, and which is exact."""

    used_wh: NDArray[np.int64]
    estimated_wh: NDArray[np.int64]
    days: DaysClosed
    exact: NDArray[np.bool_]  # (p,) pieces that lie in one month and rate period, and were measured


def split(
    ledger: NDArray[Any],
    pieces: Pieces,
    tariffs: Tariffs,
    index: NDArray[np.int64],
    earlier: Earlier | None = None,
) -> Split:
    """Share each piece's energy out over its quarter-hours by the account's own load by hour.

    Quarter-hours in an `earlier` part of a month have the rate periods of the tariff of then, and
    their energy is gathered for it.
    """
    used = np.zeros((len(ledger), 2, MAX_RATE_PERIODS), np.int64)
    estimated = np.zeros_like(used)
    if not len(pieces.row):
        return Split(used, estimated, DaysClosed.none(), np.zeros(0, np.bool_))
    untold = _untold(ledger, pieces)
    row = pieces.row[untold.piece]
    at, tariff = untold.slot * SLOT_SECONDS, index[row]
    if earlier is not None:
        tariff = earlier.tariff_at(row, at, tariff)
    hour, period = tariffs.hour_of(tariff, at), tariffs.period_of(tariff, at)
    month, day = tariffs.month_of(tariff, at), tariffs.day_of(tariff, at)
    part = slots.share_out(pieces.energy_wh, untold, _loads(ledger)[row, hour])
    if earlier is not None:
        earlier.gather(row, at, period, part)
    starts = slots.first_of_each(untold.piece)
    place = month * MAX_RATE_PERIODS + period
    one_place = np.minimum.reduceat(place, starts) == np.maximum.reduceat(place, starts)
    if tariffs.any_dynamic:
        one_place &= _in_one_step(tariffs, tariff, at, starts)
    one_day = np.minimum.reduceat(day, starts) == np.maximum.reduceat(day, starts)
    exact = one_place & ~pieces.is_guess
    is_previous = (month < ledger["month"][row]) & (ledger["previous_month_open"][row] == 1)
    cell = (row * 2 + is_previous) * MAX_RATE_PERIODS + period
    np.add.at(used.reshape(-1), cell, part)
    np.add.at(estimated.reshape(-1), cell, np.where(exact[untold.piece], 0, part))

    same_day = slots.first_of_each(row * DAY_SPAN + day)
    day_guess = np.where((one_day & ~pieces.is_guess)[untold.piece], 0, part)
    days = DaysClosed(
        row[same_day],
        day[same_day],
        np.add.reduceat(part, same_day),
        np.add.reduceat(day_guess, same_day),
    )
    return Split(used, estimated, days, exact)


def laid(
    ledger: NDArray[Any], pieces: Pieces, tariffs: Tariffs, index: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """The pieces' energy by quarter-hour as `split` lays it: row, slot, Wh, and whether measured.

    Measured is what lies in one step of the market's prices.
    """
    none = np.zeros(0, np.int64)
    if not len(pieces.row):
        return none, none, none, np.zeros(0, np.bool_)
    untold = _untold(ledger, pieces)
    row = pieces.row[untold.piece]
    at, tariff = untold.slot * SLOT_SECONDS, index[row]
    part = slots.share_out(
        pieces.energy_wh, untold, _loads(ledger)[row, tariffs.hour_of(tariff, at)]
    )
    starts = slots.first_of_each(untold.piece)
    exact = _in_one_step(tariffs, tariff, at, starts) & ~pieces.is_guess
    return row, untold.slot, part, exact[untold.piece]


def _in_one_step(
    tariffs: Tariffs, tariff: NDArray[np.int64], at: NDArray[np.int64], starts: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Whether the quarter-hours of each piece have one price of the market, or none has any."""
    step = price_step(tariffs, tariff, at)
    same: NDArray[np.bool_] = np.minimum.reduceat(step, starts) == np.maximum.reduceat(step, starts)
    return same


def _loads(ledger: NDArray[Any]) -> NDArray[np.int64]:
    """Each account's load by local hour (n, 24), where nothing is known the mean of what is.

    Without it a new account's whole day would fall into the one hour in which it was first read.
    """
    load = ledger["hour_load"].astype(np.int64)
    mean = load.sum(axis=1) // np.maximum((load > 0).sum(axis=1), 1)
    return np.where(load == 0, mean[:, None], load)


def _untold(ledger: NDArray[Any], pieces: Pieces) -> slots.Slots:
    """The slots each piece's energy can lie in: of a register's gap those that no interval told.

    The slot that the last register reading cut in two is marked, but its rest is this gap's.  If
    intervals told every slot, what little is left belongs to all of them.
    """
    spread = slots.expand(pieces.start, pieces.end)
    row = pieces.row[spread.piece]
    ring, until = ledger["counted_slots"], ledger["counted_until_slot"]
    told = slots.is_counted(ring, until, row, spread.slot)
    told &= pieces.is_residual[spread.piece]
    cut = (spread.slot * SLOT_SECONDS) < pieces.start[spread.piece]
    free = ~told | cut
    if free.all():
        return spread
    some = np.bincount(spread.piece[free], minlength=len(pieces.row)) > 0
    return spread.where(free | ~some[spread.piece])
