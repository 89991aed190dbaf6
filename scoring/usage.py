"""How much energy was used, in which billing month, rate period and local day?

Registers are absolute, so usage is the difference of two readings; this file turns that difference,
or the energy of an interval, into the account's month-to-date figures (DESIGN D1, domain.md 4.4).
Where a difference spans rate periods, days or months it is split over its quarter-hours by the
account's own load by hour, and marked estimated until better is known.
Which reading may be counted is told in `scoring.validation`, how estimates are put right in
`scoring.trueup`, what the usage costs in `scoring.bill`.

The rules, in the order of the trade (each has a line in tests/test_usage.py):

- Energy of a gap is the register's difference times the multiplier, less the intervals counted in
  it.  If intervals ran ahead of the register by no more than two units, the lead is kept and set
  against the next gap; nothing is ever taken back for it.
- A gap inside one rate period and one local day is exact.  Any other is shared over the gap's
  quarter-hours that no interval has told, by seconds x `hour_load`; an hour of which nothing is
  known weighs like the mean of the others.  It is estimated if it touches
  more than one rate period or calendar month, and for the day's figure if more than one day.
- Energy of a month older than the open ones belongs to the oldest open one.
- A register ends before an interval that is already counted: it brings nothing new (superseded).
- Late intervals in the open months count in their month; in closed days, in the open day.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from scoring import dynamic, parts, slots, spread, trueup, validation
from scoring.book import LEDGER, copied, put_back
from scoring.days import DaysClosed, settle_days
from scoring.events import MAX_RATE_PERIODS, Quality
from scoring.market import price_step
from scoring.units import SECONDS_PER_HOUR, SLOT_SECONDS
from scoring.validation import check
from scoring.verdicts import REASONS, Checked, Kind, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from scoring.annex import Annexes
    from scoring.tariff import Tariffs

__all__ = [
    "REASONS",
    "Checked",
    "DaysClosed",
    "Kind",
    "Outcome",
    "check",
    "count",
    "learn_load",
]

FULL_LOAD = 65_535
"""`hour_load` of an hour in which the agreed maximum power was drawn throughout."""

LOAD_SHIFT = 3
"""Each new measure moves an hour's load an eighth of the way: a week or two to a new habit."""

LONGEST_LOAD_SECONDS = SECONDS_PER_HOUR
"""A longer gap would smear the load of several hours into one."""

MOST_SLOTS_AT_ONCE = 400_000
"""Slots expanded at the same time; each takes about 150 bytes while it is shared out."""


def count(
    ledger: NDArray[Any],
    checked: Checked,
    tariffs: Tariffs,
    index: NDArray[np.int64],
    annexes: Annexes | None = None,
) -> DaysClosed:
    """Count the accepted readings into their accounts' rows; the local days this has finished.

    `ledger` (n,) rows are changed in place, `checked` (n,) comes from `check` on the same rows,
    `index` (n,) are their tariffs.  The billing month must have been moved on to each reading's
    before (`balance.close_months`).  Readings that were not accepted change nothing.  Where a month
    has parts, `annexes` are told what each of them has used.
    """
    accepted = checked.outcome == Outcome.ACCEPTED.value
    if not accepted.any():
        return DaysClosed.none()
    if not accepted.all():
        rows = np.flatnonzero(accepted)
        assert annexes is None or not len(annexes), "parts are counted for accepted readings only"
        return _on_rows(ledger, rows, lambda b: count(b, checked.take(rows), tariffs, index[rows]))
    if tariffs.any_dynamic and annexes is not None:
        found = dynamic.cost(ledger, checked, tariffs, index)
        days = _count_in_parts(ledger, checked, tariffs, index, annexes)
        if found is not None:
            dynamic.enter(ledger, annexes, checked, found)
        return days
    return _count_in_parts(ledger, checked, tariffs, index, annexes)


def _count_in_parts(
    ledger: NDArray[Any],
    checked: Checked,
    tariffs: Tariffs,
    index: NDArray[np.int64],
    annexes: Annexes | None,
) -> DaysClosed:
    """Count all readings (all accepted), and tell earlier parts of their months what is theirs."""
    earlier = parts.Earlier.of(ledger, annexes, tariffs)
    if earlier is None or annexes is None:
        return _count(ledger, checked, tariffs, index, None)
    start, before = _start(ledger, checked), ledger["used_wh"].copy()
    index = earlier.tariff_at(np.arange(len(ledger)), start, index)
    days = _count(ledger, checked, tariffs, index, earlier)
    earlier.enter(ledger, annexes, before, start, checked.readings.read_at)
    return days


def _start(ledger: NDArray[Any], checked: Checked) -> NDArray[np.int64]:
    """When each reading's energy begins."""
    of_interval = (checked.kind == Kind.INTERVAL.value) | (checked.kind == Kind.TRUE_UP.value)
    readings = checked.readings
    start: NDArray[np.int64] = np.where(
        of_interval, readings.read_at - readings.interval_seconds, ledger["register_read_at"]
    )
    return start


def _count(
    ledger: NDArray[Any],
    checked: Checked,
    tariffs: Tariffs,
    index: NDArray[np.int64],
    earlier: parts.Earlier | None,
) -> DaysClosed:
    _drop_old_start(ledger, checked)
    start, simple = _simple(ledger, checked, tariffs, index)
    if simple.all():
        return _count_simple(ledger, checked, start, tariffs, index)
    days = []
    rows = np.flatnonzero(simple)
    if len(rows):
        columns = (checked.take(rows), start[rows], tariffs, index[rows])
        days.append(_on_rows(ledger, rows, lambda b: _count_simple(b, *columns)))
    for some in _portions(ledger, checked, np.flatnonzero(~simple)):
        work = partial(
            _count_other,
            checked=checked.take(some),
            tariffs=tariffs,
            index=index[some],
            earlier=earlier and earlier.of_rows(some),
        )
        days.append(_on_rows(ledger, some, work))
    return DaysClosed.together(days)


def _on_rows(
    ledger: NDArray[Any], rows: NDArray[np.int64], work: Callable[[NDArray[Any]], DaysClosed]
) -> DaysClosed:
    """Do the work on a copy of these rows and put them back."""
    words = ledger.view(np.uint64).reshape(len(ledger), -1)
    block = words[rows].view(LEDGER).reshape(-1)
    days = work(block)
    words[rows] = block.view(np.uint64).reshape(len(rows), -1)
    return days.of(rows)


def _drop_old_start(ledger: NDArray[Any], checked: Checked) -> None:
    """Forget a start register from long before the account's first fact, if that is an interval."""
    if ledger["read_at"].all():
        return
    start = checked.readings.read_at - checked.readings.interval_seconds
    old = validation.has_old_start(ledger, start) & (checked.kind == Kind.INTERVAL.value)
    ledger["register_wh"][old] = -1


def _simple(
    ledger: NDArray[Any], checked: Checked, tariffs: Tariffs, index: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """When each reading's energy begins, and whether it goes whole into one period of one day.

    Simple is the next reading after the newest fact, a register without intervals in its gap or an
    interval, inside one rate period and local day.
    """
    readings, newest = checked.readings, ledger["read_at"]
    last_at = ledger["register_read_at"]
    if (checked.kind == Kind.REGISTER.value).all():
        start = last_at.copy()
        simple = newest == last_at
        simple &= ledger["interval_since_register_wh"] == 0
    else:
        is_total, is_interval = (
            checked.kind == Kind.REGISTER.value,
            checked.kind == Kind.INTERVAL.value,
        )
        start = np.where(is_total, last_at, readings.read_at - readings.interval_seconds)
        simple = (is_interval & (start >= newest)) | (
            is_total & (newest == last_at) & (ledger["interval_since_register_wh"] == 0)
        )
    simple &= (readings.quality == Quality.VALID.value) & ~checked.with_interval
    simple &= tariffs.constant_until(index, start) >= readings.read_at
    if tariffs.any_dynamic:
        step = price_step(tariffs, index, start)
        simple &= step == price_step(tariffs, index, np.maximum(readings.read_at - 1, start))
    return start, simple


def _count_simple(
    ledger: NDArray[Any],
    checked: Checked,
    start: NDArray[np.int64],
    tariffs: Tariffs,
    index: NDArray[np.int64],
) -> DaysClosed:
    """Count energy that goes whole into one rate period of the current month and one local day."""
    energy_wh, read_at = checked.energy_wh, checked.readings.read_at
    rows, period = np.arange(len(ledger)), tariffs.period_of(index, start)
    ledger["used_wh"][rows, 0, period] += energy_wh
    gap_wh = None
    if checked.has_rates.any():
        gap_wh = np.zeros((len(ledger), MAX_RATE_PERIODS), np.int64)
        gap_wh[rows, period] = energy_wh
    ledger["since_rate_wh"][rows, period] += energy_wh
    learn_load(ledger, energy_wh, start, tariffs.hour_of(index, read_at - 1), read_at)
    slots.mark(ledger, start // SLOT_SECONDS, -(-read_at // SLOT_SECONDS))
    if gap_wh is not None:
        trueup.apply_rates(ledger, checked, gap_wh, tariffs, index)
    days = _count_in_day(ledger, energy_wh, start, tariffs.day_of(index, read_at), tariffs, index)
    _remember(ledger, checked, np.zeros(len(ledger), np.int64))
    return days


def _count_in_day(
    ledger: NDArray[Any],
    energy_wh: NDArray[np.int64],
    start: NDArray[np.int64],
    reached: NDArray[np.int64],
    tariffs: Tariffs,
    index: NDArray[np.int64],
) -> DaysClosed:
    """Count energy that was all used in the local day of `start`; `reached` is the newest day."""
    crossing = np.flatnonzero(ledger["day"] != reached)
    if not len(crossing):
        ledger["day_wh"] += energy_wh
        return DaysClosed.none()
    within = ledger["day"] == reached
    ledger["day_wh"] += np.where(within, energy_wh, 0)
    day = tariffs.day_of(index[crossing], start[crossing])
    energy = DaysClosed(
        np.arange(len(crossing)), day, energy_wh[crossing], np.zeros(len(crossing), np.int64)
    )
    return _on_rows(ledger, crossing, lambda b: settle_days(b, reached[crossing], energy))


def learn_load(
    ledger: NDArray[Any],
    energy_wh: NDArray[np.int64],
    start: NDArray[np.int64],
    hour: NDArray[np.int64],
    read_at: NDArray[np.int64],
) -> None:
    """Move the local hour's load toward what an exact gap of at most an hour has shown.

    Whole numbers, in the durable row, so that a split never depends on what may be forgotten.  An
    hour without any use has load 1: 0 means that nothing is known of it.
    """
    seconds = read_at - start
    short = np.flatnonzero(seconds <= LONGEST_LOAD_SECONDS)
    if not len(short):
        return
    if len(short) < len(ledger):
        energy_wh, hour, seconds = energy_wh[short], hour[short], seconds[short]
    full_wh_seconds = seconds * np.maximum(ledger["max_power_w"][short], 1)
    load = energy_wh * (SECONDS_PER_HOUR * FULL_LOAD) // full_wh_seconds
    load = np.minimum(np.maximum(load, 1), FULL_LOAD)
    before = ledger["hour_load"][short, hour].astype(np.int64)
    moved = before + ((load - before) >> LOAD_SHIFT)
    ledger["hour_load"][short, hour] = np.where(before == 0, load, moved)


def _portions(
    ledger: NDArray[Any], checked: Checked, rows: NDArray[np.int64]
) -> Iterator[NDArray[np.int64]]:
    """These rows in portions whose gaps have no more than MOST_SLOTS_AT_ONCE (or one long gap)."""
    if not len(rows):
        return
    reach = checked.readings.read_at[rows] - ledger["register_read_at"][rows]
    reach = np.minimum(reach, slots.LONGEST_SPLIT_SECONDS)
    ends = np.cumsum(reach // SLOT_SECONDS + 100) // MOST_SLOTS_AT_ONCE
    yield from np.split(rows, np.flatnonzero(np.diff(ends)) + 1)


def _count_other(
    ledger: NDArray[Any],
    checked: Checked,
    tariffs: Tariffs,
    index: NDArray[np.int64],
    earlier: parts.Earlier | None,
) -> DaysClosed:
    """Count everything that is not simple: first lessons, splits, true-ups and corrections."""
    readings, kind = checked.readings, checked.kind
    is_total = (kind == Kind.REGISTER.value) | (kind == Kind.CORRECTION.value)
    residual = np.where(is_total, checked.energy_wh - ledger["interval_since_register_wh"], 0)
    lead_wh = np.maximum(-residual, 0)
    corrects = np.flatnonzero((kind == Kind.CORRECTION.value) & (lead_wh > 0))
    if len(corrects):
        block = copied(ledger, corrects)
        block["ledger_changed"] = 1  # money comes back: a warning that rested on it may end
        lead_wh[corrects] -= trueup.take_back(block, lead_wh[corrects])
        put_back(ledger, corrects, block)
    pieces = spread.pieces_of(ledger, checked, np.maximum(residual, 0))
    laid = spread.split(ledger, pieces, tariffs, index, earlier)
    ledger["used_wh"] += laid.used_wh
    ledger["estimated_wh"] += laid.estimated_wh
    gap_wh = laid.used_wh.sum(axis=1)
    ledger["since_rate_wh"] += gap_wh
    _mark_counted(ledger, checked, pieces, laid.exact)
    late = np.flatnonzero(kind == Kind.TRUE_UP.value)
    if len(late):
        trueup.true_up_late(ledger, checked, late, tariffs, index)
    if checked.has_rates.any():
        trueup.apply_rates(ledger, checked, gap_wh, tariffs, index)
    newest = readings.read_at >= ledger["read_at"]
    reached = np.where(newest, tariffs.day_of(index, readings.read_at), ledger["day"])
    days = settle_days(ledger, reached, laid.days)
    _remember(ledger, checked, lead_wh)
    return days


def _mark_counted(
    ledger: NDArray[Any], checked: Checked, pieces: spread.Pieces, exact: NDArray[np.bool_]
) -> None:
    """Mark the slots whose energy is now known: intervals, exact gaps, and slots cut in two.

    Slots of an estimated gap stay unmarked, so that a late interval can tell about them.
    """
    kind, read_at = checked.kind, checked.readings.read_at
    known = exact | ~pieces.is_residual
    for of_register in (True, False):
        which = np.flatnonzero(known & (pieces.is_residual == of_register))
        if len(which):
            block = copied(ledger, pieces.row[which])
            first, end = pieces.start[which], pieces.end[which]
            slots.mark(block, first // SLOT_SECONDS, -(-end // SLOT_SECONDS))
            put_back(ledger, pieces.row[which], block)
    moves = (
        (kind == Kind.REGISTER.value)
        | (kind == Kind.CORRECTION.value)
        | (kind == Kind.BASELINE.value)
    )
    rows = np.flatnonzero(moves)
    if len(rows):
        block, at = copied(ledger, rows), read_at[rows]
        slots.advance(block, -(-at // SLOT_SECONDS))
        cut = np.where(at % SLOT_SECONDS > 0, 1, 0)
        slots.mark(block, at // SLOT_SECONDS, at // SLOT_SECONDS + cut)
        put_back(ledger, rows, block)


def _remember(ledger: NDArray[Any], checked: Checked, lead_wh: NDArray[np.int64]) -> None:
    """Keep the readings' own figures as the last ones; `lead_wh` is how far intervals ran ahead."""
    readings, kind = checked.readings, checked.kind
    total = (kind >= Kind.REGISTER.value) & (kind <= Kind.CORRECTION.value)
    rows: slice | NDArray[np.int64] = slice(None) if total.all() else np.flatnonzero(total)
    estimated = readings.quality == Quality.ESTIMATED.value
    if estimated.any():
        residual = checked.energy_wh - ledger["interval_since_register_wh"]
        unproven = ledger["unproven_wh"] + np.maximum(residual, 0)
        ledger["unproven_wh"][rows] = np.where(estimated, unproven, 0)[rows]
    else:
        ledger["unproven_wh"][rows] = 0
    ledger["register_wh"][rows] = readings.register_wh[rows]
    ledger["register_read_at"][rows] = readings.read_at[rows]
    ledger["interval_since_register_wh"][rows] = lead_wh[rows]
    rows = np.flatnonzero(kind == Kind.INTERVAL.value)
    ledger["interval_since_register_wh"][rows] += checked.energy_wh[rows]
    np.maximum(ledger["read_at"], readings.read_at, out=ledger["read_at"])
