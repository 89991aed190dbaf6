"""What does used energy come to at the prices of the market?

Energy is laid on the price steps in which it was used, by intervals or, where only registers are
known, by the account's own load, which is a guess until late intervals say better; its cost is kept
by month in the annex.  A reading that needs a price nobody has published is refused by name, so no
energy is ever free or guessed at.  It stands apart from `scoring.usage`, which counts energy
whatever it costs; prices are kept in `scoring.market`, what a bill makes of the cost is told in
`scoring.charges`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scoring import slots, spread
from scoring.book import copied
from scoring.exact import PICOS_PER_MICRO
from scoring.market import MISSING
from scoring.units import SLOT_SECONDS
from scoring.verdicts import Kind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scoring.annex import Annexes
    from scoring.tariff import Tariffs
    from scoring.verdicts import Checked

    Ints = NDArray[np.int64]

LATE = (Kind.TRUE_UP, Kind.LATE_ENERGY, Kind.LATE_TRUE_UP)
"""Intervals whose energy is no piece of a gap: it lies evenly on its own quarter-hours."""

GIVE_UP = (Kind.TRUE_UP, Kind.CORRECTION)
"""Readings that end a guess, and with it what was guessed of its cost."""


class Cost(NamedTuple):
    """What the readings of k accounts cost, by open month (0 current, 1 before), (k, 2) each.

    `row` (k,) whose; `nanos` and `rest` (millionths of a nano), `guess` the nanos of it whose price
    step is a guess; `estimated_wh` the months' estimates before the readings; `missing` (k,) where
    a price is not known: then the others mean nothing.
    """

    row: Ints
    nanos: Ints
    rest: Ints
    guess: Ints
    estimated_wh: Ints
    missing: NDArray[np.bool_]


def cost(ledger: NDArray[Any], checked: Checked, tariffs: Tariffs, index: Ints) -> Cost | None:
    """What accepted readings (n,) cost that are about to be counted; None where nobody is asked."""
    rows = np.flatnonzero(tariffs.has_market[index])
    if not len(rows):
        return None
    ledger, mine = copied(ledger, rows), checked.take(rows)
    row, slot, wh, exact = _laid(ledger, mine, tariffs, index[rows])
    month = tariffs.month_of(index[rows[row]], slot * SLOT_SECONDS)
    before = (month < ledger["month"][row]) & (ledger["previous_month_open"][row] == 1)
    nanos, rest, missing = _priced(tariffs, index[rows[row]], slot, wh)
    found = np.zeros((3, len(rows), 2), np.int64)
    where = (row, before.astype(np.int64))
    for column, amount in zip(found, (nanos, rest, np.where(exact, 0, nanos)), strict=True):
        np.add.at(column, where, amount)
    return Cost(
        rows,
        found[0],
        found[1],
        found[2],
        ledger["estimated_wh"].sum(axis=2),
        np.bincount(row[missing], minlength=len(rows)) > 0,
    )


def _laid(
    ledger: NDArray[Any], checked: Checked, tariffs: Tariffs, index: Ints
) -> tuple[Ints, Ints, Ints, NDArray[np.bool_]]:
    """The energy of the readings by quarter-hour (p,): whose, slot, Wh, and whether it is known."""
    is_total = (checked.kind == Kind.REGISTER.value) | (checked.kind == Kind.CORRECTION.value)
    residual = np.where(is_total, checked.energy_wh - ledger["interval_since_register_wh"], 0)
    pieces = spread.pieces_of(ledger, checked, np.maximum(residual, 0))
    row, slot, wh, exact = spread.laid(ledger, pieces, tariffs, index)
    late = np.flatnonzero(np.isin(checked.kind, LATE))
    end = checked.readings.read_at[late]
    own = slots.expand(end - checked.readings.interval_seconds[late], end)
    even = slots.share_out(checked.energy_wh[late], own, np.ones_like(own.seconds))
    return (
        np.r_[row, late[own.piece]],
        np.r_[slot, own.slot],
        np.r_[wh, even],
        np.r_[exact, np.ones(len(own.slot), np.bool_)],
    )


def _priced(
    tariffs: Tariffs, index: Ints, slot: Ints, wh: Ints
) -> tuple[Ints, Ints, NDArray[np.bool_]]:
    """What energy (p,) in these slots costs, and where no price is known that must be."""
    picos = np.full(len(slot), MISSING, np.int64)
    for number in np.unique(index).tolist():
        prices = tariffs.market.get(number)
        if prices is not None:
            mine = index == number
            picos[mine] = prices.at(slot[mine])
    version = tariffs.version_on(index, tariffs.day_of(index, slot * SLOT_SECONDS))
    asked = tariffs.is_dynamic[version] & (wh != 0)
    missing = asked & (picos == MISSING)
    micros, rest = np.divmod(np.where(asked & ~missing, picos, 0), PICOS_PER_MICRO)
    small = wh * rest
    return wh * micros + small // PICOS_PER_MICRO, small % PICOS_PER_MICRO, missing


def enter(ledger: NDArray[Any], annexes: Annexes, checked: Checked, found: Cost) -> None:
    """Add the cost of the readings that have been counted to their months in the annex."""
    ends = np.isin(checked.kind[found.row], GIVE_UP)
    is_open = ~np.isin(checked.kind[found.row], (Kind.LATE_ENERGY, Kind.LATE_TRUE_UP))
    changes = found.nanos.any(axis=1) | found.rest.any(axis=1) | ends
    few = np.flatnonzero(changes & is_open)
    if not len(few):
        return
    row = found.row[few]
    annexes.ensure(row)
    at = np.searchsorted(annexes.position, row)
    rows, left = annexes.rows, ledger["estimated_wh"][row].sum(axis=2)
    for month in (0, 1):
        guess = rows["dynamic_guess_nanos"][at, month]
        before = found.estimated_wh[few, month]
        gone = np.where(ends[few], np.maximum(before - left[:, month], 0), 0)
        part = slots.floor_share(np.abs(guess), gone, np.maximum(before, 1)) * np.sign(guess)
        rows["dynamic_guess_nanos"][at, month] += found.guess[few, month] - part
        _add(rows, at, month, found.nanos[few, month] - part, found.rest[few, month])


def enter_closed(annex: Any, found: Cost, gone_wh: int, before_wh: int) -> None:
    """Add the cost of the one late interval to the closed month that is kept.

    `gone_wh` of its `before_wh` estimated are a guess no more.
    """
    guess = int(annex["dynamic_guess_nanos"][2])
    part = abs(guess) * gone_wh // max(before_wh, 1) * (1 if guess >= 0 else -1)
    annex["dynamic_guess_nanos"][2] -= part
    rest = int(annex["dynamic_rest"][2]) + int(found.rest.sum())
    annex["dynamic_nanos"][2] += int(found.nanos.sum()) - part + rest // PICOS_PER_MICRO
    annex["dynamic_rest"][2] = rest % PICOS_PER_MICRO


def _add(rows: NDArray[Any], at: Ints, month: int, nanos: Ints, rest: Ints) -> None:
    carry, rest = np.divmod(rows["dynamic_rest"][at, month] + rest, PICOS_PER_MICRO)
    rows["dynamic_nanos"][at, month] += nanos + carry
    rows["dynamic_rest"][at, month] = rest
